// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of a request whose caller has gone on. The device still has the chain, and a late answer may have
// made the server keep something nobody will ever give back.
#pragma once

#include "vfsproto/fuse/client/detail/verdict.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::client {

// Lists what a good reply made the server keep. It is given back by FORGET and by the row's own request.
struct Granted {
    std::uint64_t nodeid = 0;             // one lookup of this node; 0 = none
    std::uint64_t handle_node = 0;        // the node whose handle it is
    std::uint64_t handle = 0;             // valid with gives_back
    wire::Opcode gives_back{};            // the request that closes the handle; 0 = there is no handle
    std::span<const std::byte> records{}; // READDIRPLUS: a lookup for each record that names a node
};

// Returns what a good reply of this row granted. `nodeid` is that of the request, `out` the reply's fixed struct, which the
// peer may still write to: each field is copied once.
[[nodiscard]] Granted granted_by(const wire::OpInfo& op, std::uint64_t nodeid, const std::byte* out) noexcept;

// Says whether the registered payload of an abandoned request stays where it is, for the device to write to.
enum class HeldMemory : std::uint8_t { none, until_late };

// A late reply, in storage of its owner that stays in place until on_late was called. A slot whose request was
// abandoned belongs to it.
struct LateReply {
    LateReply() noexcept = default;
    LateReply(const LateReply&) = delete;
    LateReply& operator=(const LateReply&) = delete;

    // Set by the owner, before the request is abandoned.
    // Called once, by the lane's owner, when the device has given the chain back: answered, or lost with the device. It may
    // end the life of this object, and may start requests; Granted::records lie in the slot's memory and are valid until it
    // returns or starts a request on this lane.
    void (*on_late)(LateReply&) noexcept = nullptr;
    void* owner = nullptr; // for on_late
    HeldMemory memory = HeldMemory::none;

    // Set by the lane.
    const wire::OpInfo* op = nullptr;
    std::uint64_t unique = 0;                    // of the request, for INTERRUPT
    std::uint64_t nodeid = 0;                    // of the request
    const std::byte* data = nullptr;             // registered memory for the reply's data, if there was any
    Verdict verdict{Errc::ok, abi::Errno::none}; // of the reply
    Granted granted{};                           // nothing, unless the reply was good
};

} // namespace vfsproto::client
