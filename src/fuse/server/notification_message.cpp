// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/server/notification_message.hpp"

#include "vfsproto/base/peer_memory.hpp"

namespace vfsproto::server {

namespace {

// Writes forward, over the segments that a driver has scattered its buffer over. The caller has checked that there is room.
class Scatter {
public:
    explicit Scatter(std::span<const HostSegment> into) noexcept : into_(into) {}

    void append(const void* from, std::size_t size) noexcept {
        const auto* at = static_cast<const std::byte*>(from);
        while (size != 0 && index_ < into_.size()) {
            const HostSegment& segment = into_[index_];
            const std::size_t here = segment.len - offset_;
            const std::size_t step = size < here ? size : here;
            if (step != 0) copy_to_peer(segment.data + offset_, at, step);
            at += step;
            size -= step;
            offset_ += static_cast<std::uint32_t>(step);
            if (offset_ != segment.len) continue;
            ++index_;
            offset_ = 0;
        }
    }

private:
    std::span<const HostSegment> into_;
    std::size_t index_ = 0;
    std::uint32_t offset_ = 0; // inside into_[index_]
};

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
    Scatter scatter(writable);
    scatter.append(&header_, sizeof header_);
    scatter.append(fixed_, fixed_size_);
    if (!name_.empty()) {
        constexpr char kEnd = '\0';
        scatter.append(name_.data(), name_.size());
        scatter.append(&kEnd, 1);
    }
    return size_;
}

} // namespace vfsproto::server
