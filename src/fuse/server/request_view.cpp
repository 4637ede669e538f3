// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/server/request_view.hpp"

namespace vfsproto::server {

namespace {

// Every body may be as long as this, however small max_write is: the largest xattr value and the largest BATCH_FORGET fit.
constexpr std::uint32_t kLeastBody = 1u << 20;  // bytes
constexpr std::uint32_t kFixedParts = 4096 * 4; // headers, two names, extensions

} // namespace

bool RequestView::open(const Chain& chain) noexcept {
    cursor_ = SegmentCursor(chain.storage.first(chain.readable_count));
    if (!cursor_.read(&header_, sizeof(header_))) return false;
    op_ = wire::find_op(header_.opcode);
    return true;
}

abi::Errno RequestView::check_length(const ServerSession& session) noexcept {
    const std::uint32_t body = session.max_write() > kLeastBody ? session.max_write() : kLeastBody;
    if (header_.len < sizeof(header_) || header_.len > std::uint64_t{body} + kFixedParts) return abi::Errno::einval;
    const std::uint32_t rest = header_.len - static_cast<std::uint32_t>(sizeof(header_));
    if (rest > cursor_.remaining()) return abi::Errno::einval;
    cursor_.limit(rest);
    return abi::Errno::none;
}

abi::Errno RequestView::read_name(std::size_t which, wire::Name& out) noexcept {
    const bool may_be_longer = cursor_.remaining() >= RequestScratch::kNameRoom;
    const std::size_t size = cursor_.read_string(scratch_.names[which], RequestScratch::kNameRoom);
    if (size == 0) return may_be_longer ? abi::Errno::enametoolong : abi::Errno::einval;
    out = {scratch_.names[which], size - 1};
    return abi::Errno::none;
}

abi::Errno RequestView::read_data(std::uint64_t size, ByteView& out) noexcept {
    if (size > cursor_.remaining()) return abi::Errno::einval;
    out = cursor_.view(size);
    return abi::Errno::none;
}

abi::Errno RequestView::read_extensions(const ServerSession& session, std::span<const std::byte>& out) noexcept {
    const std::size_t size = std::size_t{header_.total_extlen} * 8;
    const bool agreed = session.has(wire::InitFlag::security_ctx) || session.has(wire::InitFlag::create_supp_group);
    if (size == 0 || !agreed) return abi::Errno::none;
    if (size > RequestScratch::kExtensionRoom) return abi::Errno::e2big;
    if (!cursor_.read(scratch_.extensions, size)) return abi::Errno::einval;
    out = {scratch_.extensions, size};
    return abi::Errno::none;
}

} // namespace vfsproto::server
