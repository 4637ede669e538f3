// SPDX-License-Identifier: BSD-2-Clause
// Access control lists.
#include "vfsproto/fuse/client/permissions.hpp"

namespace vfsproto::client {

using abi::Errno;
using abi::IdKind;
using abi::kNoId;

namespace {

constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kHeaderBytes = 4; // the version
constexpr std::size_t kEntryBytes = 8;  // tag, bits, id; little-endian

// Kinds of entries, in the order in which they stand.
constexpr std::uint32_t kOwner = 0x01;
constexpr std::uint32_t kNamedUser = 0x02;
constexpr std::uint32_t kGroup = 0x04;
constexpr std::uint32_t kNamedGroup = 0x08;
constexpr std::uint32_t kMask = 0x10;
constexpr std::uint32_t kOther = 0x20;

std::uint32_t number_at(const std::byte* from, unsigned bytes) noexcept {
    std::uint32_t number = 0;
    for (unsigned i = bytes; i-- > 0;) number = number << 8 | static_cast<std::uint32_t>(from[i]);
    return number;
}

struct ListEntry {
    std::uint32_t tag;
    std::uint32_t bits;
    std::uint32_t id; // of a named user or group

    [[nodiscard]] static ListEntry at(std::span<const std::byte> entries, std::size_t place) noexcept {
        const std::byte* const from = entries.data() + place;
        return {number_at(from, 2), number_at(from + 2, 2), number_at(from + 4, 4)};
    }
    [[nodiscard]] bool has_id() const noexcept { return tag == kNamedUser || tag == kNamedGroup; }
};

// Follows the entries of a list: one owner, named users, one group, named groups, a mask where somebody is named, one other.
class ListOrder {
public:
    [[nodiscard]] bool takes(const ListEntry& entry) noexcept {
        if ((entry.bits & ~std::uint32_t{abi::kSIrwxo}) != 0) return false;
        if (entry.has_id() && entry.id == kNoId) return false;
        if ((entry.tag & may_follow_) == 0 || (entry.tag & (entry.tag - 1)) != 0) return false;
        needs_mask_ = needs_mask_ || entry.has_id();
        may_follow_ = following(entry.tag);
        return true;
    }
    [[nodiscard]] bool is_complete() const noexcept { return may_follow_ == 0; }

private:
    [[nodiscard]] std::uint32_t following(std::uint32_t tag) const noexcept {
        const std::uint32_t behind_groups = kNamedGroup | kMask | (needs_mask_ ? 0 : kOther);
        switch (tag) {
        case kOwner:
        case kNamedUser: return kNamedUser | kGroup;
        case kGroup:
        case kNamedGroup: return behind_groups;
        case kMask: return kOther;
        default: return 0;
        }
    }

    std::uint32_t may_follow_ = kOwner;
    bool needs_mask_ = false;
};

} // namespace

Errno AccessList::take(std::span<const std::byte> value) noexcept {
    entries_ = {};
    if (value.empty()) return Errno::none;
    if (value.size() < kHeaderBytes || value.size() > kMostBytes) return Errno::eio;
    if (number_at(value.data(), kHeaderBytes) != kVersion) return Errno::eio;
    const std::span<const std::byte> entries = value.subspan(kHeaderBytes);
    if (entries.size() % kEntryBytes != 0) return Errno::eio;
    if (entries.empty()) return Errno::none;
    ListOrder order;
    for (std::size_t place = 0; place < entries.size(); place += kEntryBytes) {
        if (!order.takes(ListEntry::at(entries, place))) return Errno::eio;
    }
    if (!order.is_complete()) return Errno::eio;
    entries_ = entries;
    return Errno::none;
}

// The first entry that names the caller decides; of those that name a group of his, the first that grants all of it. The mask bounds
// all but those of the owner and of others.
bool AccessList::grants(const Subject& who, const FileOwner& file, std::uint32_t wanted) const noexcept {
    std::uint32_t mask = abi::kSIrwxo;
    for (std::size_t place = 0; place < entries_.size(); place += kEntryBytes) {
        const ListEntry entry = ListEntry::at(entries_, place);
        if (entry.tag == kMask) mask = entry.bits;
    }
    bool is_member = false;
    for (std::size_t place = 0; place < entries_.size(); place += kEntryBytes) {
        const ListEntry entry = ListEntry::at(entries_, place);
        const bool has_all = (~entry.bits & wanted) == 0;
        if (entry.tag == kOwner && who.caller.uid == file.uid) return has_all;
        if (entry.tag == kNamedUser && who.caller.uid == entry.id) return has_all && (~mask & wanted) == 0;
        const bool names_group = (entry.tag == kGroup && who.is_in_group(file.gid)) ||
                                 (entry.tag == kNamedGroup && who.is_in_group(entry.id));
        if (names_group && has_all) return (~mask & wanted) == 0;
        is_member = is_member || names_group;
        if (entry.tag == kOther) return !is_member && has_all;
    }
    return false;
}

Errno translate_list(std::span<std::byte> value, const abi::IdMap& ids, IdsOf to) noexcept {
    const Errno broken = to == IdsOf::server ? Errno::einval : Errno::eio;
    AccessList list;
    if (list.take(value) != Errno::none) return broken;
    if (list.is_empty()) return Errno::none;
    for (std::size_t place = kHeaderBytes; place < value.size(); place += kEntryBytes) {
        const ListEntry entry = ListEntry::at(value, place);
        if (!entry.has_id()) continue;
        const IdKind kind = entry.tag == kNamedUser ? IdKind::user : IdKind::group;
        const std::uint32_t image = to == IdsOf::server ? ids.at_server(kind, entry.id) : ids.at_client(kind, entry.id);
        if (to == IdsOf::server && image == kNoId) return Errno::einval;
        for (unsigned i = 0; i < 4; ++i) value[place + 4 + i] = static_cast<std::byte>(image >> (8 * i));
    }
    return Errno::none;
}

} // namespace vfsproto::client
