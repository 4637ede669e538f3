// SPDX-License-Identifier: BSD-2-Clause
// Writes requests: header, fixed struct, names, data or records, extensions. Every request of the client passes here: the
// lane's, INIT and DESTROY of the session, and FORGET. The one exception is a READ or WRITE on the lane's fast path: it
// rewrites fields of a header and a struct that put_header() and MessageWriter::fixed() wrote into the same slot before.
//
// The server's direction, reading what is written here, is server::RequestView.
#pragma once

#include "vfsproto/abi/caller.hpp"
#include "vfsproto/fuse/wire/message_size.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::wire {

using abi::Caller;

// The fields of a request's header, except its lengths.
struct RequestHead {
    Opcode opcode{};
    u64 unique = 0;
    u64 nodeid = 0;
    Caller caller{};
};

namespace detail {

template <class T> [[gnu::always_inline]] inline void put_field(std::byte* to, const T& value) noexcept {
    __builtin_memcpy(to, &value, sizeof(value));
}

// Structs of FUSE are whole 4-byte words. Copies them in line: a call of memcpy would cost more than the copy.
[[gnu::always_inline]] inline void copy_words(std::byte* to, const void* from, std::uint32_t bytes) noexcept {
    const auto* source = static_cast<const std::byte*>(from);
    std::uint32_t at = 0;
    for (; at + 8 <= bytes; at += 8) __builtin_memcpy(to + at, source + at, 8);
    if (at < bytes) __builtin_memcpy(to + at, source + at, bytes - at);
}

// Does the same for structs that may be long, as an entry's is (128 bytes).
[[gnu::always_inline]] inline void copy_long(std::byte* to, const std::byte* from, std::uint32_t bytes) noexcept {
    constexpr std::uint32_t kBlock = 32;
    std::uint32_t at = 0;
    for (; at + kBlock <= bytes; at += kBlock) __builtin_memcpy(to + at, from + at, kBlock);
    copy_words(to + at, from + at, bytes - at);
}

} // namespace detail

// Writes the header of a request of `len` bytes in all, of which `extension_bytes` (a multiple of 8) are extensions. Field
// by field: a struct put together first would be copied afterwards.
[[gnu::always_inline]] inline void put_header(std::byte* to, const RequestHead& head, u32 len,
                                              std::size_t extension_bytes = 0) noexcept {
    detail::put_field(to + offsetof(InHeader, len), len);
    detail::put_field(to + offsetof(InHeader, opcode), head.opcode);
    detail::put_field(to + offsetof(InHeader, unique), head.unique);
    detail::put_field(to + offsetof(InHeader, nodeid), head.nodeid);
    detail::put_field(to + offsetof(InHeader, uid), head.caller.uid);
    detail::put_field(to + offsetof(InHeader, gid), head.caller.gid);
    detail::put_field(to + offsetof(InHeader, pid), head.caller.pid);
    detail::put_field(to + offsetof(InHeader, total_extlen), static_cast<u16>(extension_bytes / 8));
    detail::put_field(to + offsetof(InHeader, padding), u16{0});
}

// Writes one request into memory that is large enough for it; whoever calls has measured it. The parts come in the order
// of the message, finish() last.
//
//   MessageWriter writer(at);
//   writer.fixed(&in, sizeof(in));
//   writer.name(name);
//   const u32 written = writer.finish({Opcode::mkdir, unique, parent, caller});
class MessageWriter {
public:
    [[gnu::always_inline]] explicit MessageWriter(std::byte* at) noexcept : at_(at), end_(at + sizeof(InHeader)) {}

    // Adds the fixed struct, or as much of it as the server is to see. `size` is a multiple of 4.
    [[gnu::always_inline]] void fixed(const void* from, u32 size) noexcept {
        detail::copy_words(end_, from, size);
        end_ += size;
    }
    // Adds a name and its NUL. The name itself holds none.
    void name(std::span<const char> name) noexcept {
        if (!name.empty()) __builtin_memcpy(end_, name.data(), name.size());
        end_[name.size()] = std::byte{0};
        end_ += name.size() + 1;
    }
    // Adds data, or records.
    void bytes(std::span<const std::byte> bytes) noexcept {
        if (!bytes.empty()) __builtin_memcpy(end_, bytes.data(), bytes.size());
        end_ += bytes.size();
    }
    // Adds extensions as ExtensionWriter made them, behind everything else.
    void extensions(std::span<const std::byte> extensions) noexcept {
        bytes(extensions);
        extension_bytes_ = extensions.size();
    }
    // Writes the header. `elsewhere` bytes of data follow in segments of their own: the header counts them. Returns the
    // bytes written here.
    [[gnu::always_inline]] u32 finish(const RequestHead& head, u32 elsewhere = 0) noexcept {
        const auto written = static_cast<u32>(end_ - at_);
        put_header(at_, head, written + elsewhere, extension_bytes_);
        return written;
    }

private:
    std::byte* at_;
    std::byte* end_;
    std::size_t extension_bytes_ = 0;
};

} // namespace vfsproto::wire
