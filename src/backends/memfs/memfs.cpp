// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/backends/memfs.hpp"

#include "core.hpp"

#include <limits>

namespace vfsproto::backends {

Memfs::Memfs(MemfsOptions options) : core_(std::make_unique<MemfsCore>(std::move(options))) {}
Memfs::~Memfs() = default;

void Memfs::set_faults(MemfsFaults faults) {
    auto hook = std::make_shared<const MemfsFaults>(std::move(faults));
    const std::lock_guard lock(core_->mutex);
    core_->faults = std::move(hook);
}

std::size_t Memfs::held() const noexcept {
    const std::lock_guard lock(core_->mutex);
    std::size_t count = 0;
    for (const auto& item : core_->parked) count += !item->lock && !item->ready ? 1 : 0;
    return count;
}

std::size_t Memfs::waiting_locks() const noexcept {
    const std::lock_guard lock(core_->mutex);
    std::size_t count = 0;
    for (const auto& item : core_->parked) count += item->lock ? 1 : 0;
    return count;
}

void Memfs::release_held() noexcept {
    {
        const std::lock_guard lock(core_->mutex);
        for (const auto& item : core_->parked) {
            if (!item->lock && !item->ready) core_->make_ready(*item, Errno::none);
        }
    }
    core_->wake_lanes();
}

MemfsMisuse Memfs::misuse() const noexcept {
    const std::lock_guard lock(core_->mutex);
    return core_->misuse;
}

std::uint64_t Memfs::lookups() const noexcept {
    const std::lock_guard lock(core_->mutex);
    u64 sum = 0;
    for (const auto& [ino, node] : core_->nodes) sum += ino == wire::kRootNodeId ? 0 : node->nlookup;
    return sum;
}

std::uint64_t Memfs::lookups_of(std::uint64_t nodeid) const noexcept {
    const std::lock_guard lock(core_->mutex);
    const auto found = core_->nodes.find(nodeid);
    return found == core_->nodes.end() ? 0 : found->second->nlookup;
}

std::size_t Memfs::nodes() const noexcept {
    const std::lock_guard lock(core_->mutex);
    return core_->nodes.size();
}

std::size_t Memfs::open_handles() const noexcept {
    const std::lock_guard lock(core_->mutex);
    return core_->handles.size();
}

std::uint64_t Memfs::used_bytes() const noexcept {
    const std::lock_guard lock(core_->mutex);
    return core_->space.used * Content::kBlock;
}

std::size_t Memfs::memory_files() const noexcept {
    const std::lock_guard lock(core_->mutex);
    return core_->in_files.size();
}

server::ServerOptions Memfs::options() noexcept {
    server::ServerOptions options = core_->options.server;
    if (const MappingSink* const window = core_->options.window.get()) {
        options.flags.add(wire::InitFlag::map_alignment);
        options.map_alignment = window->alignment();
    }
    return options;
}

void Memfs::on_init(const server::ServerSession&) noexcept {}

void Memfs::on_destroy() noexcept {
    {
        const std::lock_guard lock(core_->mutex);
        for (const auto& item : core_->parked) {
            if (!item->ready) core_->make_ready(*item, Errno::enotconn);
        }
        core_->handles.clear();
        if (core_->options.window != nullptr) core_->options.window->unmap_all();
        core_->note_unmapped({0, std::numeric_limits<u64>::max()});
        for (auto at = core_->nodes.begin(); at != core_->nodes.end();) {
            MemfsNode& node = *at++->second;
            node.nlookup = node.opens = 0;
            node.posix_locks.clear();
            node.flocks.clear();
            core_->drop_if_unused(node);
        }
    }
    core_->wake_lanes();
}

bool Memfs::take_answer(std::uint16_t lane, Answer& to) noexcept {
    if (core_->ready.load() == 0) return false;
    const std::lock_guard lock(core_->mutex);
    for (auto at = core_->parked.begin(); at != core_->parked.end(); ++at) {
        MemfsParked& item = **at;
        if (!item.ready || item.request.lane != lane) continue;
        to = {std::move(item.room), item.request, item.error, std::move(item.body)};
        core_->parked.erase(at);
        core_->ready.fetch_sub(1);
        return true;
    }
    return false;
}

void Memfs::abandon_parked(std::uint16_t lane) noexcept {
    const std::lock_guard lock(core_->mutex);
    std::erase_if(core_->parked, [&](const auto& item) {
        if (item->request.lane != lane) return false;
        if (item->ready) core_->ready.fetch_sub(1);
        return true;
    });
}

} // namespace vfsproto::backends
