// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/mapped_files.hpp"

#include "guarded_copy.hpp"

#include "vfsproto/fuse/client/operations/mappings.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/rule.hpp"
#include "vfsproto/posix/file.hpp"
#include "vfsproto/posix/mount.hpp"

#include <array>
#include <map>
#include <mutex>
#include <vector>

namespace vfsproto::posix {

using client::DaxAnswer;
using client::DaxWanted;
using client::MapAccess;
using wire::Errno;
namespace abi = wire::linux_abi;

struct MappedFile::Piece {
    std::uint64_t offset;
    std::uint64_t length;
    MapAccess access;
};

struct MappedFiles::State {
    State(Mount& on, const Region& region) : mount(on), channel(on.channel()), memory(region) {}

    // Gives a range that may be touched, or none: then READ and WRITE must do it. Released by release().
    [[nodiscard]] DaxAnswer acquire(const DaxWanted& wanted, std::atomic<bool>& maps);
    void release(client::DaxRange& range);
    [[nodiscard]] std::span<std::byte> bytes_of(const DaxAnswer& answer) const noexcept {
        return memory.bytes().subspan(static_cast<std::size_t>(answer.window_offset),
                                      static_cast<std::size_t>(answer.length));
    }

    void count(std::uint64_t nodeid);
    void uncount(std::uint64_t nodeid);

    Mount& mount;
    Channel& channel;
    const Region memory;
    std::vector<client::DaxRange> ranges;
    std::vector<client::DaxRange*> buckets;
    std::atomic<std::uint64_t> fallen_back{0};
    std::atomic<std::uint64_t> faults{0};
    mutable std::mutex mutex; // never held while a request is under way
    client::DaxWindow window;
    std::map<std::uint64_t, std::size_t> mapped; // how many MappedFiles a node has

private:
    enum class Which : std::uint8_t { least_recent, unwanted };
    [[nodiscard]] bool set_up(client::DaxRange& range, std::unique_lock<std::mutex>& lock, std::atomic<bool>& maps);
    // False if there was nothing to remove.
    [[nodiscard]] bool remove(Which which, std::unique_lock<std::mutex>& lock);
};

DaxAnswer MappedFiles::State::acquire(const DaxWanted& wanted, std::atomic<bool>& maps) {
    std::unique_lock lock(mutex);
    constexpr int kMostTries = 3; // others may take what was reclaimed
    for (int i = 0; i < kMostTries; ++i) {
        DaxAnswer answer = window.acquire(wanted);
        switch (answer.kind) {
        case DaxAnswer::Kind::ready: return answer;
        case DaxAnswer::Kind::set_up:
            if (!set_up(*answer.range, lock, maps)) return {};
            answer.kind = DaxAnswer::Kind::ready;
            return answer;
        case DaxAnswer::Kind::reclaim:
            if (!remove(Which::least_recent, lock)) return {};
            break;
        case DaxAnswer::Kind::wait:
        case DaxAnswer::Kind::fall_back: return {};
        }
    }
    return {};
}

bool MappedFiles::State::set_up(client::DaxRange& range, std::unique_lock<std::mutex>& lock, std::atomic<bool>& maps) {
    client::SetupMapping operation;
    operation.call.args = window.setup_args(range);
    const std::uint64_t nodeid = range.nodeid;
    lock.unlock();
    channel.run(operation, mount.credentials().caller, nodeid);
    lock.lock();
    // A server that says no would say it again, at the cost of a request.
    if (!operation.succeeded()) maps.store(false, std::memory_order_relaxed);
    return window.handle_set_up(range, operation.errc(), operation.error());
}

bool MappedFiles::State::remove(Which which, std::unique_lock<std::mutex>& lock) {
    client::DaxRemoval removal;
    std::array<wire::RemovemappingOne, client::DaxWindow::kReclaimed> room{};
    const bool any =
        which == Which::unwanted ? window.take_unwanted(removal, room) : window.take_removal(removal, room);
    if (!any) return false;
    client::RemoveMapping operation;
    client::prepare_removal(operation, removal, room);
    lock.unlock();
    channel.run(operation, mount.credentials().caller, removal.nodeid);
    lock.lock();
    window.handle_removed(removal, operation.errc(), operation.error());
    return true;
}

void MappedFiles::State::release(client::DaxRange& range) {
    const std::lock_guard lock(mutex);
    window.release(range);
}

void MappedFiles::State::count(std::uint64_t nodeid) {
    const std::lock_guard lock(mutex);
    ++mapped[nodeid];
}

// The node may be forgotten soon, and its number be that of another file: nothing of it stays mapped.
void MappedFiles::State::uncount(std::uint64_t nodeid) {
    std::unique_lock lock(mutex);
    const auto found = mapped.find(nodeid);
    if (--found->second != 0) return;
    mapped.erase(found);
    window.drop_node(nodeid);
    while (remove(Which::unwanted, lock)) {}
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
    // O_SYNC has the bit of O_DSYNC.
    const bool is_plain = (file.flags() & (abi::kOAppend | abi::kODsync)) == 0;
    const bool keeps_ids = files.state_->mount.credentials().caller.uid == 0;
    maps_writes_ = mode != abi::kORdonly && is_plain && keeps_ids;
    files.state_->count(file.nodeid());
}

MappedFile::~MappedFile() { files_.state_->uncount(file_.nodeid()); }

Failure MappedFile::refresh() {
    const Expected<Attributes> attributes = files_.state_->mount.stat(file_);
    if (!attributes) return attributes.failure();
    size_.store(attributes->size, std::memory_order_relaxed);
    return {};
}

// Returns how many bytes were copied before the window could do no more. `copy(mapped, done)` copies one piece.
template <class Copy>
std::uint64_t MappedFile::copy_mapped(const Piece& wanted, std::atomic<bool>& maps, const Copy& copy) {
    MappedFiles::State& state = *files_.state_;
    std::uint64_t done = 0;
    while (done < wanted.length && maps.load(std::memory_order_relaxed)) {
        const std::uint64_t size = size_.load(std::memory_order_relaxed);
        const DaxAnswer answer =
            state.acquire({file_.nodeid(), wanted.offset + done, wanted.length - done, size, wanted.access}, maps);
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

Expected<std::uint64_t> MappedFile::read(std::span<std::byte> into, std::uint64_t offset) {
    const auto copy = [&](std::span<const std::byte> mapped, std::size_t at) {
        return copy_guarded(into.data() + at, mapped.data(), mapped);
    };
    const std::uint64_t done = copy_mapped({offset, into.size(), MapAccess::read}, maps_reads_, copy);
    if (done == into.size() && done != 0) return done;
    const Expected<std::uint64_t> rest =
        files_.state_->mount.read(file_, into.subspan(static_cast<std::size_t>(done)), offset + done);
    if (!rest) return done != 0 ? Expected<std::uint64_t>(done) : rest;
    return done + *rest;
}

Expected<std::uint64_t> MappedFile::write(std::span<const std::byte> from, std::uint64_t offset) {
    const auto copy = [&](std::span<std::byte> mapped, std::size_t at) {
        return copy_guarded(mapped.data(), from.data() + at, mapped);
    };
    std::uint64_t done = copy_mapped({offset, from.size(), MapAccess::write}, maps_writes_, copy);
    if (done == from.size() && done != 0) return done;
    const Expected<std::uint64_t> rest =
        files_.state_->mount.write(file_, from.subspan(static_cast<std::size_t>(done)), offset + done);
    if (!rest) return done != 0 ? Expected<std::uint64_t>(done) : rest;
    done += *rest;
    const bool is_placed = (file_.flags() & abi::kOAppend) == 0;
    std::uint64_t size = size_.load(std::memory_order_relaxed);
    while (is_placed && size < offset + done && !size_.compare_exchange_weak(size, offset + done)) {}
    return done;
}

} // namespace vfsproto::posix
