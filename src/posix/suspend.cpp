// SPDX-License-Identifier: BSD-2-Clause
// ReconnectingMount: from a session to none, and from none to the next one.
#include "vfsproto/posix/reconnecting_mount.hpp"

#include "vfsproto/fuse/client/repeat.hpp"
#include "vfsproto/posix/detail/kept_file.hpp"
#include "vfsproto/posix/detail/suspend_gate.hpp"

#include <utility>

namespace vfsproto::posix {

using wire::Opcode;

namespace {

// True if it says that this file has nothing to sync: a pipe, say, or a file of a share that may only be read.
bool is_nothing_to_sync(const Failure& why) noexcept {
    return why.errc == Errc::ok && (why.error == abi::Errno::einval || why.error == abi::Errno::erofs);
}

} // namespace

// An FSYNC that fails here is told to those who use the file as well: the server says it once.
Failure ReconnectingMount::sync(KeptFile& file) {
    SessionTries tries(*this, file, client::MayRepeat::yes);
    const Failure why = try_until_over(tries, [&]() -> Failure {
        const SessionTries::Written before = tries.written();
        const Failure synced = tries.mount().fsync(tries.file());
        const Failure made = is_nothing_to_sync(synced) ? Failure() : synced;
        tries.note(Opcode::fsync, before, made);
        return made;
    });
    if (why.error != abi::Errno::none && why.errc == Errc::ok) file.owe(why);
    return why;
}

Failure ReconnectingMount::check_restorable(KeptFile& file) {
    SessionTries tries(*this, file, client::MayRepeat::yes);
    return try_until_over(tries, [&]() -> Failure { return file.check_restorable(tries.mount(), tries.file()); });
}

// A file that was lost before, or is found to be here, is in nobody's way.
std::vector<Reconnection::LostFile> ReconnectingMount::obstacles(const std::vector<std::shared_ptr<KeptFile>>& open,
                                                                 Losses losses) {
    std::vector<Reconnection::LostFile> found;
    for (const std::shared_ptr<KeptFile>& file : open) {
        if (file->lost().happened()) continue;
        Failure why;
        if (file->owes_sync()) why = sync(*file);
        if (!why.happened() && losses == Losses::refused) why = check_restorable(*file);
        if (why.happened() && !file->lost().happened()) found.push_back({file->path(), why});
    }
    return found;
}

std::vector<std::shared_ptr<KeptFile>> ReconnectingMount::open_files() {
    const MutexLock lock(reconnecting_);
    return files();
}

void ReconnectingMount::end_session(const SessionPtr& last, Errc stopped) {
    const auto none = std::make_shared<const MountSession>(MountSession{nullptr, last->number, last->root, stopped});
    const MutexLock lock(session_mutex_);
    session_ = none;
}

// The handles end while their session lives, and the session when nobody uses it any more.
Failure ReconnectingMount::end_all(std::vector<std::shared_ptr<KeptFile>> open, const CallLimits& limits) {
    SessionPtr last = current();
    for (const std::shared_ptr<KeptFile>& file : open) file->give_up();
    open.clear();
    end_session(last, Errc::ok);
    last.reset();
    return wait_for_last_session(limits);
}

// The end of a file, on the thread of its user, may hold the session for as long as its RELEASE takes.
Failure ReconnectingMount::wait_for_last_session(const CallLimits& limits) {
    const SessionPtr none = current();
    if (none->mount != nullptr) return {};
    if (const Failure why = gate_->wait_for_sessions(limits)) return why;
    if (!gate_->may_still_act(none->number)) return {};
    end_session(none, Errc::reset_timeout);
    return Errc::reset_timeout;
}

Suspension ReconnectingMount::suspend_behind(const CallLimits& limits, Losses losses) {
    GatePassage passage;
    const SuspendGate::Within within(*gate_, passage);
    std::vector<std::shared_ptr<KeptFile>> open = open_files();
    Suspension told;
    told.in_the_way = obstacles(open, losses);
    told.why = told.in_the_way.empty() ? limits.reached() : told.in_the_way.front().why;
    if (!told.why.happened()) told.why = end_all(std::move(open), limits);
    return told;
}

Suspension ReconnectingMount::suspend(const SuspendOptions& options) {
    const CallLimits limits = options.limits.begin_call();
    Phase before = Phase::running;
    if (!phase_.compare_exchange_strong(before, Phase::suspending)) return {Errc::wrong_state, {}};
    Suspension told;
    try {
        told.why = gate_->close(limits);
        if (!told.why.happened()) {
            told = suspend_behind(limits, options.losses);
            if (told.why.happened()) gate_->open();
        }
    } catch (...) { // std::bad_alloc, say: those who wait at the gate go on
        gate_->open();
        phase_.store(Phase::running);
        throw;
    }
    phase_.store(told.why.happened() ? Phase::running : Phase::suspended);
    return told;
}

// The gate is open when on_reconnect() hears of it, which may use the mount.
Failure ReconnectingMount::resume() {
    Phase before = Phase::suspended;
    if (!phase_.compare_exchange_strong(before, Phase::resuming)) return Errc::wrong_state;
    Reconnection told;
    const Failure why = reconnect(told);
    if (!why.happened()) gate_->open();
    phase_.store(why.happened() ? Phase::suspended : Phase::running);
    if (!why.happened() && told.session != 0 && options_.on_reconnect) options_.on_reconnect(told);
    return why;
}

} // namespace vfsproto::posix
