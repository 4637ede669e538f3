// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/wire/reply_codec.hpp"

namespace vfsproto::wire {
namespace {

constexpr bool has_reply(const OpInfo& op, std::size_t fixed, std::size_t data) noexcept {
    if (op.traits.reply != ReplyOwed::always) return false;
    if (op.out_tail == OutTail::none) return data == 0 && fixed >= least_out_size(op) && fixed <= op.out_size;
    if (op.out_tail == OutTail::size_or_data) return fixed == 0 || (fixed == op.out_size && data == 0);
    return fixed == op.out_size;
}

} // namespace

Result<u32> encode_reply(std::span<std::byte> into, const OpInfo& op, u64 unique, std::span<const std::byte> fixed,
                         std::span<const std::byte> data, std::size_t data_elsewhere) noexcept {
    if (!has_reply(op, fixed.size(), data.size() + data_elsewhere)) return Errc::bad_argument;
    const std::size_t size = sizeof(OutHeader) + fixed.size() + data.size();
    const std::size_t whole = size + data_elsewhere;
    if (size > into.size() || whole > ~u32{0}) return Errc::too_large;
    put_struct(into.data(), OutHeader{static_cast<u32>(whole), 0, unique});
    std::byte* const at = into.data() + sizeof(OutHeader);
    if (!fixed.empty()) __builtin_memcpy(at, fixed.data(), fixed.size());
    if (!data.empty()) __builtin_memcpy(at + fixed.size(), data.data(), data.size());
    return static_cast<u32>(size);
}

Result<u32> encode_error(std::span<std::byte> into, u64 unique, Errno error) noexcept {
    const auto number = static_cast<i32>(error);
    if (number <= 0 || number >= kErrnoLimit) return Errc::bad_argument;
    if (into.size() < sizeof(OutHeader)) return Errc::too_large;
    put_struct(into.data(), OutHeader{sizeof(OutHeader), -number, unique});
    return u32{sizeof(OutHeader)};
}

} // namespace vfsproto::wire
