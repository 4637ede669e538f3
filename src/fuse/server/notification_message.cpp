// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/server/detail/notification_message.hpp"

#include "vfsproto/fuse/server/detail/segment_cursor.hpp"

namespace vfsproto::server {

namespace {

bool can_be_told(wire::Name name) noexcept {
    return !name.empty() && name.size() <= wire::kDirentNameMax && !name.contains('/') && !name.contains('\0');
}

} // namespace

template <class Struct>
void NotificationMessage::set(wire::NotifyCode code, const Struct& fixed, wire::Name name) noexcept {
    static_assert(sizeof fixed <= sizeof fixed_);
    __builtin_memcpy(fixed_, &fixed, sizeof fixed);
    fixed_size_ = sizeof fixed;
    name_ = name;
    const std::size_t tail = name.empty() ? 0 : name.size() + 1;
    size_ = static_cast<std::uint32_t>(sizeof header_ + sizeof fixed + tail);
    header_ = {size_, static_cast<wire::i32>(code), 0};
}

NotificationMessage::NotificationMessage(const Change& change) noexcept {
    using wire::NotifyCode;
    if (change.what == Change::What::file) {
        set(NotifyCode::inval_inode, wire::NotifyInvalInodeOut{change.nodeid, 0, 0}, {}); // all of its contents
    } else if (change.what == Change::What::name && can_be_told(change.name)) {
        const auto length = static_cast<wire::u32>(change.name.size());
        set(NotifyCode::inval_entry, wire::NotifyInvalEntryOut{change.nodeid, length, 0}, change.name);
    } else {
        size_ = sizeof header_;
        header_ = {size_, static_cast<wire::i32>(NotifyCode::inc_epoch), 0};
    }
}

std::uint32_t NotificationMessage::write_to(std::span<const HostSegment> writable) const noexcept {
    if (total_length(writable) < size_) return 0;
    std::size_t index = 0;
    std::uint32_t offset = 0;
    const auto append = [&](const void* from, std::size_t size) {
        detail::copy_in(writable, index, offset, from, size);
    };
    append(&header_, sizeof header_);
    append(fixed_, fixed_size_);
    if (!name_.empty()) {
        constexpr char kEnd = '\0';
        append(name_.data(), name_.size());
        append(&kEnd, 1);
    }
    return size_;
}

} // namespace vfsproto::server
