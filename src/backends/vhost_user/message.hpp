// SPDX-License-Identifier: BSD-2-Clause
// Messages of a vhost-user socket: request numbers, flags, payload layouts (QEMU's "Vhost-user Protocol" page). All
// numbers are in the byte order of the machine.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vfsproto::backends::vhost_user {

enum class Request : std::uint32_t {
    get_features = 1,
    set_features = 2,
    set_owner = 3,
    set_mem_table = 5,
    set_vring_num = 8,
    set_vring_addr = 9,
    set_vring_base = 10,
    get_vring_base = 11,
    set_vring_kick = 12,
    set_vring_call = 13,
    set_vring_err = 14,
    get_protocol_features = 15,
    set_protocol_features = 16,
    get_queue_num = 17,
    set_vring_enable = 18,
    get_config = 24,
    get_max_mem_slots = 36,
    add_mem_reg = 37,
    rem_mem_reg = 38,
};

// "SET_VRING_KICK" and so on. Static storage.
[[nodiscard]] constexpr const char* to_string(Request request) noexcept {
    switch (request) {
    case Request::get_features: return "GET_FEATURES";
    case Request::set_features: return "SET_FEATURES";
    case Request::set_owner: return "SET_OWNER";
    case Request::set_mem_table: return "SET_MEM_TABLE";
    case Request::set_vring_num: return "SET_VRING_NUM";
    case Request::set_vring_addr: return "SET_VRING_ADDR";
    case Request::set_vring_base: return "SET_VRING_BASE";
    case Request::get_vring_base: return "GET_VRING_BASE";
    case Request::set_vring_kick: return "SET_VRING_KICK";
    case Request::set_vring_call: return "SET_VRING_CALL";
    case Request::set_vring_err: return "SET_VRING_ERR";
    case Request::get_protocol_features: return "GET_PROTOCOL_FEATURES";
    case Request::set_protocol_features: return "SET_PROTOCOL_FEATURES";
    case Request::get_queue_num: return "GET_QUEUE_NUM";
    case Request::set_vring_enable: return "SET_VRING_ENABLE";
    case Request::get_config: return "GET_CONFIG";
    case Request::get_max_mem_slots: return "GET_MAX_MEM_SLOTS";
    case Request::add_mem_reg: return "ADD_MEM_REG";
    case Request::rem_mem_reg: return "REM_MEM_REG";
    }
    return "unknown request";
}

// Protocol feature bits.
namespace protocol {
inline constexpr std::uint64_t kMq = 1u << 0;
inline constexpr std::uint64_t kReplyAck = 1u << 3;
inline constexpr std::uint64_t kBackendReq = 1u << 5;
inline constexpr std::uint64_t kConfig = 1u << 9;
inline constexpr std::uint64_t kHostNotifier = 1u << 11;
inline constexpr std::uint64_t kConfigureMemSlots = 1u << 15;
inline constexpr std::uint64_t kDeviceState = 1u << 19;

// A bit is taken only where this front end has the logic for it.
inline constexpr std::uint64_t kSupported = kMq | kReplyAck | kConfig | kConfigureMemSlots;
} // namespace protocol

struct MessageHeader {
    static constexpr std::uint32_t kVersion = 1;
    static constexpr std::uint32_t kVersionMask = 3;
    static constexpr std::uint32_t kReply = 4;
    static constexpr std::uint32_t kNeedReply = 8;
    static constexpr std::uint32_t kKnownFlags = kVersionMask | kReply | kNeedReply;

    std::uint32_t request{};
    std::uint32_t flags{};
    std::uint32_t size{}; // of the payload, bytes
};

struct VringState {
    std::uint32_t index{};
    std::uint32_t num{};
};

struct VringAddresses {
    std::uint32_t index{};
    std::uint32_t flags{};
    std::uint64_t descriptors{}; // user addresses, as the memory table gives them
    std::uint64_t used{};
    std::uint64_t available{};
    std::uint64_t log{};
};

struct MemoryRegion {
    std::uint64_t device_address{}; // what descriptors hold
    std::uint64_t size{};
    std::uint64_t user_address{}; // what ring addresses are given in
    std::uint64_t mmap_offset{};
};

// Carries the whole table (SET_MEM_TABLE). A message takes at most eight descriptors, so the table eight regions.
struct MemoryTableMessage {
    static constexpr std::size_t kMaxRegions = 8;

    std::uint32_t count{};
    std::uint32_t padding{};
    MemoryRegion regions[kMaxRegions]{};

    [[nodiscard]] constexpr std::size_t size() const noexcept { return 8 + count * sizeof(MemoryRegion); }
};

struct SingleRegion {
    std::uint64_t padding{};
    MemoryRegion region{};
};

struct ConfigMessage {
    static constexpr std::size_t kMaxSize = 256;
    static constexpr std::size_t kHeaderSize = 12;

    std::uint32_t offset{};
    std::uint32_t size{};
    std::uint32_t flags{};
    std::byte data[kMaxSize]{};
};

static_assert(sizeof(MessageHeader) == 12);
static_assert(sizeof(VringState) == 8);
static_assert(sizeof(VringAddresses) == 40 && offsetof(VringAddresses, used) == 16);
static_assert(sizeof(MemoryRegion) == 32 && sizeof(SingleRegion) == 40);
static_assert(offsetof(MemoryTableMessage, regions) == 8);
static_assert(sizeof(ConfigMessage) == ConfigMessage::kHeaderSize + ConfigMessage::kMaxSize);

// Vrings are numbered with eight bits where a descriptor comes along.
inline constexpr std::uint16_t kMaxVrings = 256;

} // namespace vfsproto::backends::vhost_user
