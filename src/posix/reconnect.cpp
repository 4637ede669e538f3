// SPDX-License-Identifier: BSD-2-Clause
// ReconnectingMount: from a session that has ended to the next one.
#include "vfsproto/posix/reconnecting_mount.hpp"

#include "vfsproto/backends/attachment.hpp"
#include "vfsproto/fuse/client/repeat.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/kept_file.hpp"
#include "vfsproto/posix/detail/suspend_gate.hpp"

#include <chrono>
#include <utility>

namespace vfsproto::posix {

using Clock = std::chrono::steady_clock;

// Nothing of a session is left in its hands when it has left the gate.
SessionTries::~SessionTries() {
    opened_.reset();
    session_.reset();
    owner_.gate_->leave(passage_);
}

Failure SessionTries::begin() {
    if (passage_.kind == GatePassage::Kind::none) {
        const ReconnectOptions& options = owner_.options_;
        if (const Failure why = owner_.gate_->enter(passage_, options.while_suspended, options.limits)) return why;
    }
    Errc ended = Errc::device_gone;
    // Servers may come and go while nothing is asked; the last look is at the session that the last of them gave.
    const unsigned looks = owner_.options_.repeats + 2;
    for (unsigned look = 0; look < looks; ++look) {
        if (const Failure lost = take_session()) return lost;
        const bool is_usable = session_ != nullptr && session_->mount != nullptr;
        if (look == 0 && is_usable && finds_out_itself()) return {};
        ended = session_ != nullptr ? session_->failure() : Errc::suspended; // a file that was given up
        if (ended == Errc::ok) return {};
        opened_.reset();
        session_.reset();
        if (const Failure why = owner_.reconnect()) return why;
    }
    return ended;
}

// Takes the session of the mount, or the one that the file is open on. Fails if the file is lost.
Failure SessionTries::take_session() {
    if (file_ == nullptr) {
        session_ = owner_.current();
        return {};
    }
    opened_ = file_->opened();
    session_ = opened_ != nullptr ? opened_->session : nullptr;
    return opened_ == nullptr ? file_->lost() : Failure();
}

// A first try that may be repeated notices that the session has ended, at no cost while it has not. One that names may be answered
// by what is kept of them does not.
bool SessionTries::finds_out_itself() const noexcept {
    const ReconnectOptions& options = owner_.options_;
    const bool is_first = repeats_ == 0 && options.repeats != 0;
    const bool asks_server = file_ != nullptr || options.mount.cache.mode == CacheMode::none;
    // close() need not ask the server, and has to know if it has ended with what was written.
    const bool must_know = file_ != nullptr && file_->unsynced() != nullptr;
    return may_ == client::MayRepeat::yes && is_first && asks_server && !must_know;
}

SessionTries::Verdict SessionTries::judge(const Failure& why) {
    if (why.errc == Errc::ok) return Verdict::over; // the server answered
    const Errc ended = session_->failure();
    if (ended == Errc::ok || !(why.is_fatal() || why.errc == ended)) return Verdict::over;
    if (may_ == client::MayRepeat::no || repeats_ == owner_.options_.repeats) return Verdict::lost;
    ++repeats_;
    return Verdict::again;
}

SessionTries::Written SessionTries::written() const {
    UnsyncedWrites* const unsynced = file_->unsynced();
    return {unsynced == nullptr ? 0 : unsynced->written(session_->number), file_->written()};
}

// A write that the end of the session cut short is none: it is made once more, or its caller is told. It may have been done all the
// same, so that the next FSYNC is for it as well.
void SessionTries::note(wire::Opcode op, const Written& before, const Failure& why) const {
    const wire::Storage storage = wire::op_info(op).traits.storage;
    const bool is_synced = storage == wire::Storage::settled && !why.happened();
    if (storage == wire::Storage::owed) file_->note_written();
    if (is_synced) file_->note_synced(before.by_this);
    UnsyncedWrites* const unsynced = file_->unsynced();
    if (unsynced == nullptr) return;
    const bool is_cut_short = why.errc != Errc::ok && session_->failure() != Errc::ok;
    if (storage == wire::Storage::owed && !is_cut_short) unsynced->note_written(session_->number);
    if (is_synced) unsynced->note_synced(session_->number, before.by_all);
}

Failure SessionTries::take_owed(wire::Opcode op) const {
    const wire::Storage storage = wire::op_info(op).traits.storage;
    if (storage != wire::Storage::reported && storage != wire::Storage::settled) return {};
    const Failure owed = file_->take_owed();
    return file_->tell_losses(session_->number) ? Failure(Errc::writes_lost) : owed;
}

Expected<ReconnectingMount::SessionPtr> ReconnectingMount::open_session(const ReconnectOptions& options, Gate gate,
                                                                        std::uint32_t number) {
    std::unique_ptr<backends::Attachment> device = options.open_device();
    if (device == nullptr) return Errc::device_gone;
    Expected<std::unique_ptr<Mount>> mount = Mount::open(std::move(device), options.mount);
    if (!mount) return mount.failure();
    const Expected<Attributes> root = (*mount)->stat("/");
    if (!root) return root.failure();
    gate->begin_session();
    (*mount)->channel().on_end([gate, number](ServerEnd end) { gate->end_session(number, end); });
    return std::make_shared<const MountSession>(MountSession{*std::move(mount), number, FileIdentity::of(*root)});
}

ReconnectingMount::SessionPtr ReconnectingMount::current() const {
    const MutexLock lock(session_mutex_);
    return session_;
}

Failure ReconnectingMount::reconnect() {
    Reconnection told;
    if (const Failure why = reconnect(told)) return why;
    if (told.session != 0 && options_.on_reconnect) options_.on_reconnect(told);
    return {};
}

Failure ReconnectingMount::reconnect(Reconnection& told) {
    const CallLimits limits = options_.limits.begin_call();
    const unsigned rounds = vain_rounds_.load(std::memory_order_acquire);
    const MutexLock lock(reconnecting_);
    told.ended = current()->failure();
    if (told.ended == Errc::ok) return {}; // another call has done it
    // This call has waited while another one tried, in vain.
    if (vain_rounds_.load(std::memory_order_relaxed) != rounds) return vain_;
    Failure why = wait_for_last_session(limits);
    const bool may_follow = !why.happened();
    if (may_follow) why = told.ended;
    for (unsigned attempt = 0; may_follow && attempt < options_.attempts && current()->is_over(); ++attempt) {
        if (const Failure reached = wait_for_turn(attempt, limits)) {
            why = reached;
            break;
        }
        why = open_next(told);
        last_attempt_ = Clock::now();
        if (why.happened()) continue;
        told.lost = std::exchange(untold_, {});
        return {};
    }
    vain_ = why;
    vain_rounds_.fetch_add(1, std::memory_order_release);
    return why;
}

// STATFS is answered by the server alone, whatever is kept. Any answer of it is as good.
Failure ReconnectingMount::revive() {
    const auto asked = call(wire::Opcode::statfs, [](Mount& on) { return on.statfs("/"); });
    if (asked || asked.failure().errc == Errc::ok) return {};
    return asked.failure();
}

// A server that ends each session at once is not asked more often than one that is not there. A call that need not wait makes one
// attempt, however little time it has.
Failure ReconnectingMount::wait_for_turn(unsigned attempt, const CallLimits& limits) const {
    const auto since = last_attempt_ ? Clock::now() - *last_attempt_ : Clock::duration::max();
    const bool is_early = since < options_.pause;
    const bool is_stopped = limits.stop != nullptr && limits.stop->is_stopped();
    if (attempt == 0 && !is_early && !is_stopped) return {};
    if (is_early) limits.pause(std::chrono::ceil<std::chrono::milliseconds>(options_.pause - since));
    return limits.reached();
}

// The session is there for other calls before all files are. A call on one that is not yet waits for reconnecting_.
Failure ReconnectingMount::open_next(Reconnection& told) {
    const SessionPtr before = current();
    Expected<SessionPtr> opened = open_session(options_, gate_, before->number + 1);
    if (!opened) return opened.failure();
    const SessionPtr next = *std::move(opened);
    if (next->root != before->root) return {Errc::file_lost, abi::Errno::estale};
    {
        const MutexLock lock(session_mutex_);
        session_ = next;
    }
    told.session = next->number;
    told.reopened = 0;
    told.writes_lost.clear();
    restore_files(next, told);
    return next->failure();
}

std::vector<std::shared_ptr<KeptFile>> ReconnectingMount::files() const {
    std::vector<std::shared_ptr<KeptFile>> open;
    for (const std::weak_ptr<KeptFile>& each : files_) {
        if (std::shared_ptr<KeptFile> file = each.lock()) open.push_back(std::move(file));
    }
    return open;
}

void ReconnectingMount::restore_files(const SessionPtr& session, Reconnection& told) {
    for (const std::shared_ptr<KeptFile>& file : files()) restore(*file, session, told);
}

void ReconnectingMount::restore(KeptFile& file, const SessionPtr& session, Reconnection& told) {
    switch (file.restore(session)) {
    case KeptFile::Restored::reopened:
        ++told.reopened;
        if (file.has_untold_losses(session->number)) told.writes_lost.push_back(file.path());
        break;
    case KeptFile::Restored::lost: untold_.push_back({file.path(), file.lost()}); break;
    case KeptFile::Restored::unchanged:
    case KeptFile::Restored::interrupted: break;
    }
}

} // namespace vfsproto::posix
