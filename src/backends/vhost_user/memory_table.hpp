// SPDX-License-Identifier: BSD-2-Clause
// The memory the back end was given. Before the first queue it is only collected; then it goes over in one
// SET_MEM_TABLE, and what comes later follows region by region, or with a new table where the back end knows no slots.
#pragma once

#include "connection.hpp"

#include "vfsproto/backends/detail/arena.hpp"

namespace vfsproto::backends::vhost_user {

class MemoryTable {
public:
    enum class Changes { whole_table, by_region }; // by_region needs CONFIGURE_MEM_SLOTS

    MemoryTable(Connection& connection, std::size_t arena_size, Changes changes, std::size_t slots) noexcept;

    // Returns when the back end can reach the memory, if it knows the table already.
    // Errors: bad_argument, no_memory (of the system, or no slot left), transport_failed, device_gone.
    [[nodiscard]] Result<Region> allocate(std::size_t bytes) noexcept;
    void release(const Region& region) noexcept;

    // Gives the back end the table, once. Errors: wrong_state without memory, transport_failed, device_gone.
    [[nodiscard]] Errc publish() noexcept;

    // The user address of a device address, 0 when it is outside.
    [[nodiscard]] std::uint64_t user_address(const Segment& segment) const noexcept;

private:
    [[nodiscard]] Errc announce(const Arena& arena) noexcept;
    void withdraw(const Arena& arena) noexcept;
    [[nodiscard]] Errc send_table(const Arena* added) noexcept;
    [[nodiscard]] Errc send_region(const Arena& arena) noexcept;

    Connection& connection_;
    ArenaPool pool_;
    Changes changes_;
    std::size_t slots_;
    bool published_ = false;
};

} // namespace vfsproto::backends::vhost_user
