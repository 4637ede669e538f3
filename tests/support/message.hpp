// SPDX-License-Identifier: BSD-2-Clause
// Requests put together by hand, byte by byte, and replies taken apart: independent of the product's codec.
#pragma once

#include "support/fake_device_queue.hpp"
#include "vfsproto/abi/caller.hpp"
#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::test {

class Message {
public:
    explicit Message(wire::Opcode op, std::uint64_t nodeid = 1) : Message(static_cast<std::uint32_t>(op), nodeid) {}
    Message(std::uint32_t opcode, std::uint64_t nodeid) {
        header_.opcode = opcode;
        header_.nodeid = nodeid;
        header_.unique = 0x1122334455667700;
        header_.pid = 77;
    }

    Message& unique(std::uint64_t value) { return header_.unique = value, *this; }
    Message& owner(std::uint32_t uid, std::uint32_t gid) { return header_.uid = uid, header_.gid = gid, *this; }
    Message& from(const abi::Caller& caller) { return header_.pid = caller.pid, owner(caller.uid, caller.gid); }
    Message& claim_length(std::uint32_t value) { return claimed_ = value, *this; }
    template <class S> Message& fixed(const S& value) {
        if constexpr (wire::kWireSize<S> != 0) append(&value, sizeof(value));
        return *this;
    }
    Message& name(std::string_view text) {
        append(text.data(), text.size());
        body_.push_back(std::byte{0});
        return *this;
    }
    Message& data(std::string_view bytes) { return append(bytes.data(), bytes.size()), *this; }
    Message& extension(std::string_view bytes) {
        header_.total_extlen = static_cast<std::uint16_t>(bytes.size() / 8);
        return data(bytes);
    }

    [[nodiscard]] Bytes bytes() const {
        wire::InHeader header = header_;
        header.len = claimed_ != 0 ? claimed_ : static_cast<std::uint32_t>(sizeof(header) + body_.size());
        Bytes all(sizeof(header) + body_.size());
        std::memcpy(all.data(), &header, sizeof(header));
        if (!body_.empty()) std::memcpy(all.data() + sizeof(header), body_.data(), body_.size());
        return all;
    }
    // Returns the bytes in segments of these sizes; the rest are in one more.
    [[nodiscard]] std::vector<Bytes> split(const std::vector<std::size_t>& sizes) const {
        const Bytes all = bytes();
        std::vector<Bytes> parts;
        std::size_t at = 0;
        for (const std::size_t size : sizes) {
            const std::size_t end = std::min(all.size(), at + size);
            parts.emplace_back(all.begin() + static_cast<std::ptrdiff_t>(at),
                               all.begin() + static_cast<std::ptrdiff_t>(end));
            at = end;
        }
        parts.emplace_back(all.begin() + static_cast<std::ptrdiff_t>(at), all.end());
        return parts;
    }

private:
    void append(const void* from, std::size_t size) {
        const auto* bytes = static_cast<const std::byte*>(from);
        body_.insert(body_.end(), bytes, bytes + size);
    }

    wire::InHeader header_{};
    Bytes body_;
    std::uint32_t claimed_ = 0;
};

// A reply whose header has been checked against the bytes.
struct Answered {
    std::uint32_t written = 0; // what the device reported
    std::uint64_t unique = 0;
    abi::Errno error = abi::Errno::none;
    Bytes body;

    [[nodiscard]] bool ok() const { return written != 0 && error == abi::Errno::none; }
    template <class S> [[nodiscard]] S as() const {
        if (body.size() < sizeof(S)) throw std::runtime_error("reply shorter than its struct");
        S value;
        std::memcpy(&value, body.data(), sizeof(S));
        return value;
    }
    [[nodiscard]] std::string text() const { return {reinterpret_cast<const char*>(body.data()), body.size()}; }
};

// Throws when used.len and OutHeader::len differ, or an error carries more than its header (protocol rules of a server).
inline Answered take_apart(const FakeDeviceQueue::Entry& entry) {
    if (!entry.written) throw std::runtime_error("the chain was not pushed");
    Answered answer;
    answer.written = *entry.written;
    if (answer.written == 0) return answer;
    const Bytes bytes = entry.reply();
    wire::OutHeader header{};
    if (bytes.size() < sizeof(header)) throw std::runtime_error("a reply shorter than a header");
    std::memcpy(&header, bytes.data(), sizeof(header));
    if (header.len != answer.written) throw std::runtime_error("header length and used length differ");
    if (header.error > 0 || header.error <= -512) throw std::runtime_error("an error number out of range");
    if (header.error != 0 && header.len != sizeof(header)) throw std::runtime_error("an error reply with a body");
    answer.unique = header.unique;
    answer.error = static_cast<abi::Errno>(-header.error);
    answer.body.assign(bytes.begin() + sizeof(header), bytes.end());
    return answer;
}

inline Bytes from_hex(std::string_view text) {
    auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    Bytes bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        bytes.push_back(static_cast<std::byte>(digit(text[i]) * 16 + digit(text[i + 1])));
    }
    return bytes;
}

} // namespace vfsproto::test
