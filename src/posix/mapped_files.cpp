// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/mapped_files.hpp"

#include "guarded_copy.hpp"

#include "vfsproto/fuse/client/detail/verdict.hpp"
#include "vfsproto/fuse/client/operations/mappings.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/mount_call.hpp"
#include "vfsproto/posix/detail/node_cache.hpp"
#include "vfsproto/posix/detail/rule.hpp"
#include "vfsproto/posix/file.hpp"
#include "vfsproto/posix/mount.hpp"

#include <array>
#include <exception>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace vfsproto::posix {

using abi::Errno;
using client::DaxAnswer;
using client::DaxWanted;
using client::MapAccess;

namespace {

bool is_limit(Errc errc) noexcept { return errc == Errc::abandoned || errc == Errc::timed_out; }

} // namespace

struct MappedFile::Piece {
    std::uint64_t offset;
    std::uint64_t length;
    MapAccess access;
};

struct MappedFiles::State {
    State(Mount& on, const Region& region) : mount(on), channel(on.channel()), memory(region) {}

    // Gives a range that may be touched, or none: then READ and WRITE must do it, unless `call` has reached a limit. Released by
    // release().
    [[nodiscard]] DaxAnswer acquire(MountCall& call, const DaxWanted& wanted, std::atomic<bool>& maps);
    void release(client::DaxRange& range);
    [[nodiscard]] std::span<std::byte> bytes_of(const DaxAnswer& answer) const noexcept {
        return memory.bytes().subspan(static_cast<std::size_t>(answer.window_offset),
                                      static_cast<std::size_t>(answer.length));
    }

    void count(const File& file);
    void uncount(std::uint64_t nodeid);
    [[nodiscard]] MountCall begin_call() const noexcept {
        return {channel, mount.server_credentials().caller, mount.limits()};
    }

    Mount& mount;
    Channel& channel;
    const Region memory;
    std::vector<client::DaxRange> ranges;
    std::vector<client::DaxRange*> buckets;
    std::atomic<std::uint64_t> fallen_back{0};
    std::atomic<std::uint64_t> faults{0};
    mutable std::mutex mutex; // never held while a request is under way
    client::DaxWindow window;
    // A file that is mapped. Requests about its ranges keep the node.
    struct Mapped {
        std::size_t count = 0; // MappedFiles
        NodeRef node{};
    };
    std::map<std::uint64_t, Mapped> mapped; // by nodeid

private:
    enum class Which : std::uint8_t { least_recent, unwanted };
    using Lock = std::unique_lock<std::mutex>;
    // Runs a request about a node, without the lock. Returns how it ended: EINTR by the server's word if it was never sent.
    template <class Op> client::Verdict run(MountCall& call, Lock& lock, Op& operation, std::uint64_t nodeid);
    [[nodiscard]] bool set_up(MountCall& call, Lock& lock, client::DaxRange& range, std::atomic<bool>& maps);
    // False if there was nothing to remove.
    [[nodiscard]] bool remove(MountCall& call, Lock& lock, Which which);
};

// Nobody knows what is mapped once a request was let go of.
template <class Op>
client::Verdict MappedFiles::State::run(MountCall& call, Lock& lock, Op& operation, std::uint64_t nodeid) {
    const auto found = mapped.find(nodeid);
    NodeRef node = found != mapped.end() ? found->second.node.clone() : NodeRef();
    const auto held = [&] { return node.hold(); };
    bool was_in_flight = false;
    const auto after = [&](const LimitedCall& let_go, const Op&) {
        was_in_flight = let_go.was_in_flight();
        return AfterLate();
    };
    client::Verdict verdict{Errc::no_memory, Errno::none};
    lock.unlock();
    try {
        call.run_and_leave(held, after, operation, nodeid);
        const bool is_unsent = is_limit(operation.errc()) && !was_in_flight;
        verdict =
            is_unsent ? client::Verdict{Errc::ok, Errno::eintr} : client::Verdict{operation.errc(), operation.error()};
    } catch (const std::exception&) {} // no memory, or no thread
    node.reset();                      // the last use of a node may be a request
    lock.lock();
    return verdict;
}

DaxAnswer MappedFiles::State::acquire(MountCall& call, const DaxWanted& wanted, std::atomic<bool>& maps) {
    Lock lock(mutex);
    constexpr int kMostTries = 3; // others may take what was reclaimed
    for (int i = 0; i < kMostTries && !call.reached(); ++i) {
        DaxAnswer answer = window.acquire(wanted);
        switch (answer.kind) {
        case DaxAnswer::Kind::ready: return answer;
        case DaxAnswer::Kind::set_up:
            if (!set_up(call, lock, *answer.range, maps)) return {};
            answer.kind = DaxAnswer::Kind::ready;
            return answer;
        case DaxAnswer::Kind::reclaim:
            if (!remove(call, lock, Which::least_recent)) return {};
            break;
        case DaxAnswer::Kind::wait:
        case DaxAnswer::Kind::fall_back: return {};
        }
    }
    return {};
}

bool MappedFiles::State::set_up(MountCall& call, Lock& lock, client::DaxRange& range, std::atomic<bool>& maps) {
    client::SetupMapping operation;
    operation.call.args = window.setup_args(range);
    const client::Verdict verdict = run(call, lock, operation, range.nodeid);
    // A server that says no would say it again, at the cost of a request. One that was not waited for has said nothing.
    if (!operation.succeeded() && !is_limit(operation.errc())) maps.store(false, std::memory_order_relaxed);
    return window.handle_set_up(range, verdict.errc, verdict.error);
}

bool MappedFiles::State::remove(MountCall& call, Lock& lock, Which which) {
    client::DaxRemoval removal;
    std::array<wire::RemovemappingOne, client::DaxWindow::kReclaimed> room{};
    const bool any =
        which == Which::unwanted ? window.take_unwanted(removal, room) : window.take_removal(removal, room);
    if (!any) return false;
    client::RemoveMapping operation;
    client::prepare_removal(operation, removal, room);
    const client::Verdict verdict = run(call, lock, operation, removal.nodeid);
    window.handle_removed(removal, verdict.errc, verdict.error);
    return true;
}

void MappedFiles::State::release(client::DaxRange& range) {
    const std::lock_guard lock(mutex);
    window.release(range);
}

void MappedFiles::State::count(const File& file) {
    const std::lock_guard lock(mutex);
    Mapped& here = mapped[file.nodeid()];
    if (here.count++ == 0) here.node = file.node().clone();
}

// The node may be forgotten soon, and its number be that of another file: nothing of it stays mapped. What cannot be removed within
// the limits is in quarantine.
void MappedFiles::State::uncount(std::uint64_t nodeid) {
    NodeRef last; // ends without the lock
    Lock lock(mutex);
    if (--mapped.find(nodeid)->second.count != 0) return;
    window.drop_node(nodeid);
    MountCall call = begin_call();
    while (remove(call, lock, Which::unwanted)) {}
    const auto found = mapped.find(nodeid);
    if (found == mapped.end() || found->second.count != 0) return; // others came or went meanwhile
    last = std::move(found->second.node);
    mapped.erase(found);
}

MappedFiles::MappedFiles(std::unique_ptr<State> state) : state_(std::move(state)) {}

MappedFiles::~MappedFiles() { VFSPROTO_RULE(state_->mapped.empty(), "MappedFiles ended before a MappedFile of it"); }

void MappedFiles::offer(MountOptions& options) { options.channel.init.flags.add(wire::InitFlag::map_alignment); }

Expected<std::unique_ptr<MappedFiles>> MappedFiles::open(Mount& mount, std::uint64_t range_bytes) {
    Channel& channel = mount.channel();
    const client::SessionParams& params = channel.params();
    const Region memory = channel.attachment().window(0);
    if (!params.flags.has(wire::InitFlag::map_alignment)) return Errc::not_negotiated;
    client::DaxGeometry geometry{.window_bytes = memory.size(), .map_alignment = params.map_alignment};
    if (range_bytes != 0) geometry.range_bytes = range_bytes;
    auto state = std::make_unique<State>(mount, memory);
    // The first call has no ranges and judges the geometry alone: only then may ranges be counted by it.
    if (const Errc errc = state->window.init(geometry, {}, {}); errc != Errc::ok) return errc;
    state->ranges.resize(static_cast<std::size_t>(geometry.window_bytes / geometry.range_bytes));
    state->buckets.resize(state->ranges.size());
    if (const Errc errc = state->window.init(geometry, state->ranges, state->buckets); errc != Errc::ok) return errc;
    if (state->window.range_count() == 0) return Errc::not_negotiated;
    guard_copies();
    return std::unique_ptr<MappedFiles>(new MappedFiles(std::move(state)));
}

Expected<std::unique_ptr<MappedFile>> MappedFiles::map(const File& file) {
    if (!file) return Errno::ebadf;
    const Expected<Attributes> attributes = state_->mount.stat(file);
    if (!attributes) return attributes.failure();
    return std::unique_ptr<MappedFile>(new MappedFile(*this, file, attributes->size));
}

MappedFiles::Counters MappedFiles::counters() const {
    const std::lock_guard lock(state_->mutex);
    const client::DaxCounters& window = state_->window.counters();
    return {window.hits,
            window.set_ups + window.upgrades,
            window.removed,
            state_->fallen_back.load(std::memory_order_relaxed),
            state_->faults.load(std::memory_order_relaxed),
            state_->window.quarantined_count()};
}

MappedFile::MappedFile(MappedFiles& files, const File& file, std::uint64_t size)
    : files_(files), file_(file), size_(size) {
    const std::uint32_t mode = file.flags() & abi::kOAccmode;
    maps_reads_ = mode != abi::kOWronly;
    // O_SYNC includes the bit of O_DSYNC.
    const bool is_ordinary = (file.flags() & (abi::kOAppend | abi::kODsync)) == 0;
    const bool keeps_ids = files.state_->mount.credentials().caller.uid == 0;
    maps_writes_ = mode != abi::kORdonly && is_ordinary && keeps_ids;
    files.state_->count(file);
}

MappedFile::~MappedFile() { files_.state_->uncount(file_.nodeid()); }

Failure MappedFile::refresh() {
    const Expected<Attributes> attributes = files_.state_->mount.stat(file_);
    if (!attributes) return attributes.failure();
    size_.store(attributes->size, std::memory_order_relaxed);
    return {};
}

// Returns how many bytes were copied before the window could do no more, or `call` reached a limit. `copy(mapped, done)` copies one
// piece.
template <class Copy>
std::uint64_t MappedFile::copy_mapped(MountCall& call, const Piece& wanted, std::atomic<bool>& maps, const Copy& copy) {
    MappedFiles::State& state = *files_.state_;
    std::uint64_t done = 0;
    while (done < wanted.length && maps.load(std::memory_order_relaxed)) {
        const std::uint64_t size = size_.load(std::memory_order_relaxed);
        const DaxAnswer answer = state.acquire(
            call, {file_.nodeid(), wanted.offset + done, wanted.length - done, size, wanted.access}, maps);
        if (answer.range == nullptr) break;
        const Copied copied = copy(state.bytes_of(answer), static_cast<std::size_t>(done));
        state.release(*answer.range);
        if (copied == Copied::faulted) {
            state.faults.fetch_add(1, std::memory_order_relaxed);
            break;
        }
        done += answer.length;
    }
    if (done != wanted.length || done == 0) state.fallen_back.fetch_add(1, std::memory_order_relaxed);
    return done;
}

// Bytes before a failure count, unless it is a limit: then the rest may still be written at the server, or read into a Buffer.
Expected<std::uint64_t> MappedFile::count_of(std::uint64_t done, const Expected<std::uint64_t>& rest) {
    if (rest) return done + *rest;
    return done != 0 && !is_limit(rest.failure().errc) ? Expected<std::uint64_t>(done) : rest;
}

Expected<std::uint64_t> MappedFile::read(std::span<std::byte> into, std::uint64_t offset) {
    const auto copy = [&](std::span<const std::byte> mapped, std::size_t at) {
        return copy_guarded(into.data() + at, mapped.data(), mapped);
    };
    MountCall call = files_.state_->begin_call();
    const std::uint64_t done = copy_mapped(call, {offset, into.size(), MapAccess::read}, maps_reads_, copy);
    if (done == into.size() && done != 0) return done;
    if (const Failure reached = call.reached()) return done != 0 ? Expected<std::uint64_t>(done) : reached;
    return count_of(done,
                    files_.state_->mount.read(file_, into.subspan(static_cast<std::size_t>(done)), offset + done));
}

Expected<std::uint64_t> MappedFile::write(std::span<const std::byte> from, std::uint64_t offset) {
    const auto copy = [&](std::span<std::byte> mapped, std::size_t at) {
        return copy_guarded(mapped.data(), from.data() + at, mapped);
    };
    MountCall call = files_.state_->begin_call();
    const std::uint64_t done = copy_mapped(call, {offset, from.size(), MapAccess::write}, maps_writes_, copy);
    if (done == from.size() && done != 0) return done;
    if (const Failure reached = call.reached()) return done != 0 ? Expected<std::uint64_t>(done) : reached;
    const Expected<std::uint64_t> rest =
        files_.state_->mount.write(file_, from.subspan(static_cast<std::size_t>(done)), offset + done);
    if (!rest) return count_of(done, rest);
    const bool is_placed = (file_.flags() & abi::kOAppend) == 0;
    const std::uint64_t end = offset + done + *rest;
    std::uint64_t size = size_.load(std::memory_order_relaxed);
    while (is_placed && size < end && !size_.compare_exchange_weak(size, end)) {}
    return count_of(done, rest);
}

} // namespace vfsproto::posix
