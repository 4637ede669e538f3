// SPDX-License-Identifier: BSD-2-Clause
#include "memory_table.hpp"

#include <algorithm>
#include <array>

namespace vfsproto::backends::vhost_user {
namespace {

std::uint64_t number_of(const std::byte* host) noexcept { return reinterpret_cast<std::uintptr_t>(host); }

MemoryRegion describe(const Arena& arena) noexcept {
    const Region& region = arena.region();
    return {to_number(region.device()), region.size(), number_of(region.host()), 0};
}

} // namespace

MemoryTable::MemoryTable(Connection& connection, std::size_t arena_size, Changes changes, std::size_t slots) noexcept
    : connection_(connection),
      pool_(arena_size),
      changes_(changes),
      slots_(changes == Changes::by_region ? slots : std::min(slots, MemoryTableMessage::kMaxRegions)) {}

Result<Region> MemoryTable::allocate(std::size_t bytes) noexcept {
    if (connection_.gone()) return Errc::device_gone;
    return pool_.allocate(bytes, [this](const Arena& arena) { return announce(arena); });
}

void MemoryTable::release(const Region& region) noexcept {
    pool_.release(region, [this](const Arena& arena) { withdraw(arena); });
}

Errc MemoryTable::announce(const Arena& arena) noexcept {
    if (pool_.arenas().size() >= slots_) return Errc::no_memory;
    if (!published_) return Errc::ok;
    const Errc why = changes_ == Changes::by_region ? send_region(arena) : send_table(&arena);
    // Queues may be running: nobody may use the memory before the back end has mapped it.
    return why == Errc::ok ? connection_.settle() : why;
}

void MemoryTable::withdraw(const Arena& arena) noexcept {
    if (!published_) return;
    // The answer does not matter: our mapping goes in any case, and the back end keeps its own as long as it likes.
    if (changes_ == Changes::whole_table) {
        static_cast<void>(send_table(nullptr));
    } else {
        static_cast<void>(connection_.tell(Request::rem_mem_reg, SingleRegion{0, describe(arena)}));
    }
}

Errc MemoryTable::publish() noexcept {
    if (published_) return Errc::ok;
    if (pool_.arenas().empty()) return Errc::wrong_state;
    if (const Errc why = send_table(nullptr); why != Errc::ok) return why;
    const auto& arenas = pool_.arenas();
    for (std::size_t i = MemoryTableMessage::kMaxRegions; i < arenas.size(); ++i) {
        if (const Errc why = send_region(*arenas[i]); why != Errc::ok) return why;
    }
    published_ = true;
    return Errc::ok;
}

Errc MemoryTable::send_table(const Arena* added) noexcept {
    MemoryTableMessage table;
    std::array<int, MemoryTableMessage::kMaxRegions> fds{};
    const auto put = [&](const Arena& arena) {
        table.regions[table.count] = describe(arena);
        fds[table.count++] = arena.fd();
    };
    for (const auto& arena : pool_.arenas()) {
        if (table.count < MemoryTableMessage::kMaxRegions) put(*arena);
    }
    if (added != nullptr) put(*added);
    return connection_.tell(Request::set_mem_table, std::as_bytes(std::span(&table, 1)).first(table.size()),
                            std::span(fds).first(table.count));
}

Errc MemoryTable::send_region(const Arena& arena) noexcept {
    return connection_.tell(Request::add_mem_reg, SingleRegion{0, describe(arena)}, arena.fd());
}

std::uint64_t MemoryTable::user_address(const Segment& segment) const noexcept {
    const std::byte* const host = pool_.translate(segment.addr, segment.len);
    return host == nullptr ? 0 : number_of(host);
}

} // namespace vfsproto::backends::vhost_user
