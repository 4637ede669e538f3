// SPDX-License-Identifier: BSD-2-Clause
// Reads one request of a driver nobody trusts: copies the header once, checks every length, copies names to bounded
// storage, leaves data where it is.
#pragma once

#include "vfsproto/fuse/server/detail/segment_cursor.hpp"
#include "vfsproto/fuse/server/server_session.hpp"
#include "vfsproto/fuse/wire/message_size.hpp"
#include "vfsproto/fuse/wire/name.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"
#include "vfsproto/virtqueue/device_queue.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace vfsproto::server {

// Storage for what is copied out of one request; a lane uses one at a time.
struct RequestScratch {
    static constexpr std::size_t kNameRoom = abi::kPathMax + 1; // bytes, with the NUL
    static constexpr std::size_t kExtensionRoom = 8192;         // bytes
    char names[2][kNameRoom];
    alignas(8) std::byte extensions[kExtensionRoom];
};

// Holds a typed request, handed to the file system's overload for its row. Valid until the handler returns.
template <class Row_> struct Request {
    using Row = Row_;
    const wire::InHeader& header; // unique, nodeid, uid, gid, pid
    const ServerSession& session;
    std::uint16_t lane;    // which lane it came from
    typename Row::In in{}; // zero beyond what an older client sends
    // Copies in the lane's RequestScratch: a NUL follows the last byte, so that data() is a C string.
    wire::Name name{};        // InTail::name, name_pair, name_data
    wire::Name second_name{}; // InTail::name_pair; for SYMLINK the target
    ByteView data{};          // InTail::data and name_data: as many bytes as the size field says; array: the records
    std::span<const std::byte> extensions{}; // wire::ExtHeader records; empty unless one of their flags was agreed on
};
template <wire::Opcode Op> using RequestOf = Request<wire::RowOf<Op>>;

// Return the records of a row with InTail::array.
[[nodiscard]] inline RecordReader<wire::ForgetOne>
records(const RequestOf<wire::Opcode::batch_forget>& request) noexcept {
    return RecordReader<wire::ForgetOne>(request.data);
}
[[nodiscard]] inline RecordReader<wire::RemovemappingOne>
records(const RequestOf<wire::Opcode::removemapping>& request) noexcept {
    return RecordReader<wire::RemovemappingOne>(request.data);
}

// Takes a request apart: open(), then decode() for its row. Nothing in the chain is trusted.
class RequestView {
public:
    explicit RequestView(RequestScratch& scratch) noexcept : scratch_(scratch) {}

    // Copies the header. Returns false when the chain is shorter than one: then there is no `unique` to answer to.
    [[nodiscard]] bool open(const Chain& chain) noexcept;

    [[nodiscard]] const wire::InHeader& header() const noexcept { return header_; }
    // Returns the row of the opcode, or nullptr for an unknown one.
    [[nodiscard]] const wire::OpInfo* op() const noexcept { return op_; }
    // Returns EINVAL if header.len does not fit the bytes that are there, or exceeds what this session allows.
    [[nodiscard]] abi::Errno check_length(const ServerSession& session) noexcept;

    // Reads the fixed struct, then the tail, as the row says. Errors: EINVAL, ENAMETOOLONG, E2BIG.
    template <class Row> [[nodiscard]] abi::Errno decode(Request<Row>& out) noexcept;

private:
    [[nodiscard]] abi::Errno read_name(std::size_t which, wire::Name& out) noexcept;
    [[nodiscard]] abi::Errno read_data(std::uint64_t size, ByteView& out) noexcept;
    [[nodiscard]] abi::Errno read_extensions(const ServerSession& session, std::span<const std::byte>& out) noexcept;
    template <class Row> [[nodiscard]] abi::Errno read_fixed(Request<Row>& out) noexcept;
    template <class Row> [[nodiscard]] abi::Errno read_tail(Request<Row>& out) noexcept;

    RequestScratch& scratch_;
    SegmentCursor cursor_{};
    wire::InHeader header_{};
    const wire::OpInfo* op_ = nullptr;
};

namespace detail {

// Returns how many bytes follow the fixed struct, by the field that announces them.
template <class Row> [[nodiscard]] inline std::uint64_t announced_bytes(const typename Row::In& in) noexcept {
    constexpr wire::TailField field = wire::op_info(Row::opcode).tail_field;
    static_assert(field.unit != 0);
    std::uint32_t value = 0;
    std::byte bytes[sizeof(in)];
    __builtin_memcpy(bytes, &in, sizeof(in));
    __builtin_memcpy(&value, bytes + field.offset, sizeof(value));
    return std::uint64_t{value} * field.unit;
}

} // namespace detail

template <class Row> abi::Errno RequestView::read_fixed(Request<Row>& out) noexcept {
    constexpr const wire::OpInfo& op = wire::op_info(Row::opcode);
    const wire::InitFlags agreed = out.session.flags();
    std::size_t size = wire::fixed_in_size(op, agreed);
    if (cursor_.remaining() < size) size = wire::least_in_size(op, agreed);
    return cursor_.read(&out.in, size) ? abi::Errno::none : abi::Errno::einval;
}

template <class Row> abi::Errno RequestView::read_tail(Request<Row>& out) noexcept {
    if constexpr (Row::in_tail == wire::InTail::name) {
        return read_name(0, out.name);
    } else if constexpr (Row::in_tail == wire::InTail::name_pair) {
        if (const abi::Errno error = read_name(0, out.name); error != abi::Errno::none) return error;
        return read_name(1, out.second_name);
    } else if constexpr (Row::in_tail == wire::InTail::name_data) {
        if (const abi::Errno error = read_name(0, out.name); error != abi::Errno::none) return error;
        return read_data(detail::announced_bytes<Row>(out.in), out.data);
    } else if constexpr (Row::in_tail == wire::InTail::data || Row::in_tail == wire::InTail::array) {
        return read_data(detail::announced_bytes<Row>(out.in), out.data);
    } else {
        return abi::Errno::none;
    }
}

template <class Row> abi::Errno RequestView::decode(Request<Row>& out) noexcept {
    if constexpr (!std::is_same_v<typename Row::In, wire::None>) {
        if (const abi::Errno error = read_fixed(out); error != abi::Errno::none) return error;
    }
    if (const abi::Errno error = read_tail(out); error != abi::Errno::none) return error;
    if constexpr (Row::traits.extensions == wire::Extensions::allowed) {
        return read_extensions(out.session, out.extensions);
    }
    return abi::Errno::none;
}

} // namespace vfsproto::server
