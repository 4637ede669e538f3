// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/wire/request_codec.hpp"

namespace vfsproto::wire {
namespace {

constexpr bool has_name(InTail tail) noexcept {
    return tail == InTail::name || tail == InTail::name_pair || tail == InTail::name_data;
}
constexpr bool has_bytes(InTail tail) noexcept {
    return tail == InTail::data || tail == InTail::name_data || tail == InTail::array;
}

// What the fixed struct says of the bytes that follow it; `fixed` starts with the fixed struct.
u64 declared_bytes(const OpInfo& op, const std::byte* fixed) noexcept {
    return u64{get_struct<u32>(fixed + op.tail_field.offset)} * op.tail_field.unit;
}

Errc check_tail(const OpInfo& op, std::span<const std::byte> fixed, const RequestTail& tail) noexcept {
    const std::size_t data = tail.data.size() + tail.data_elsewhere;
    if (!has_name(op.in_tail) && !tail.first.empty()) return Errc::bad_argument;
    if (op.in_tail != InTail::name_pair && !tail.second.empty()) return Errc::bad_argument;
    if (tail.first.contains('\0') || tail.second.contains('\0')) return Errc::bad_argument;
    if (has_bytes(op.in_tail) ? data != declared_bytes(op, fixed.data()) : data != 0) return Errc::bad_argument;
    if (tail.extensions.empty()) return Errc::ok;
    const bool legal = op.traits.extensions == Extensions::allowed && tail.extensions.size() % 8 == 0;
    return legal ? Errc::ok : Errc::bad_argument;
}

// Appends to a span that was measured before.
class Cursor {
public:
    explicit Cursor(std::byte* at) noexcept : at_(at) {}
    void put(std::span<const std::byte> bytes) noexcept {
        if (!bytes.empty()) __builtin_memcpy(at_, bytes.data(), bytes.size());
        at_ += bytes.size();
    }
    void put(Name name) noexcept {
        if (!name.empty()) __builtin_memcpy(at_, name.data(), name.size());
        at_[name.size()] = std::byte{0};
        at_ += name.size() + 1;
    }

private:
    std::byte* at_;
};

// Takes one NUL-terminated name off the front of [*at, end).
Errc take_name(std::span<const std::byte> bytes, std::size_t& at, std::size_t end, Name& name) noexcept {
    const std::size_t from = at;
    const std::size_t readable = end < bytes.size() ? end : bytes.size();
    while (at < readable) {
        if (bytes[at++] != std::byte{0}) continue;
        name = Name::of_bytes(bytes.subspan(from, at - 1 - from));
        return Errc::ok;
    }
    return readable == end ? Errc::protocol_violation : Errc::too_large;
}

} // namespace

Result<u32> encode_request(std::span<std::byte> into, const OpInfo& op, const InHeader& head,
                           std::span<const std::byte> fixed, const RequestTail& tail, InitFlags negotiated) noexcept {
    const std::size_t fixed_size = fixed_in_size(op, negotiated);
    if (fixed.size() < fixed_size) return Errc::bad_argument;
    if (const Errc errc = check_tail(op, fixed, tail); errc != Errc::ok) return errc;

    std::size_t size = sizeof(InHeader) + fixed_size + tail.data.size() + tail.extensions.size();
    if (has_name(op.in_tail)) size += name_size(tail.first);
    if (op.in_tail == InTail::name_pair) size += name_size(tail.second);
    const std::size_t whole = size + tail.data_elsewhere;
    if (size > into.size() || whole > ~u32{0} || tail.extensions.size() / 8 > 0xffff) return Errc::too_large;

    InHeader header = head;
    header.len = static_cast<u32>(whole);
    header.opcode = static_cast<u32>(op.opcode);
    header.total_extlen = static_cast<u16>(tail.extensions.size() / 8);
    put_struct(into.data(), header);
    Cursor cursor(into.data() + sizeof(InHeader));
    cursor.put(fixed.first(fixed_size));
    if (has_name(op.in_tail)) cursor.put(tail.first);
    if (op.in_tail == InTail::name_pair) cursor.put(tail.second);
    cursor.put(tail.data);
    cursor.put(tail.extensions);
    return static_cast<u32>(size);
}

Result<InHeader> decode_in_header(std::span<const std::byte> bytes, std::size_t message_size) noexcept {
    if (bytes.size() < sizeof(InHeader) || message_size < bytes.size()) return Errc::protocol_violation;
    const auto header = get_struct<InHeader>(bytes.data());
    if (header.len != message_size) return Errc::protocol_violation;
    return header;
}

Result<RequestParts> decode_request(const OpInfo& op, const InHeader& header, std::span<const std::byte> bytes,
                                    std::size_t message_size, InitFlags negotiated) noexcept {
    const std::size_t extensions = std::size_t{header.total_extlen} * 8;
    if (message_size < sizeof(InHeader) + extensions) return Errc::protocol_violation;
    if (extensions != 0 && op.traits.extensions == Extensions::none) return Errc::protocol_violation;
    const std::size_t end = message_size - extensions; // of everything before the extensions

    RequestParts parts;
    const std::size_t least = least_in_size(op, negotiated);
    const std::size_t present = end - sizeof(InHeader);
    if (present < least) return Errc::protocol_violation;
    const bool shorter = op.traits.compat == Compat::short_reply && present < op.in_size;
    parts.fixed_size = static_cast<u32>(shorter ? present : fixed_in_size(op, negotiated));
    std::size_t at = sizeof(InHeader) + parts.fixed_size;
    if (at > bytes.size()) return Errc::too_large;

    if (has_name(op.in_tail)) {
        if (const Errc errc = take_name(bytes, at, end, parts.first); errc != Errc::ok) return errc;
    }
    if (op.in_tail == InTail::name_pair) {
        if (const Errc errc = take_name(bytes, at, end, parts.second); errc != Errc::ok) return errc;
    }
    const std::size_t rest = end - at;
    const bool exact = has_bytes(op.in_tail) ? rest == declared_bytes(op, bytes.data() + sizeof(InHeader)) : rest == 0;
    if (!exact) return Errc::protocol_violation;
    if (extensions != 0 && bytes.size() < message_size) return Errc::too_large;
    parts.data_at = static_cast<u32>(at);
    parts.data_size = static_cast<u32>(rest);
    parts.extensions_at = static_cast<u32>(end);
    parts.extensions_size = static_cast<u32>(extensions);
    return parts;
}

} // namespace vfsproto::wire
