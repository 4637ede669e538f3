// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/wire/notifications.hpp"

#include "vfsproto/fuse/wire/detail/struct_bytes.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"
#include "vfsproto/fuse/wire/message_size.hpp"

namespace vfsproto::wire {
namespace {

// clang-format off
constexpr NotifyInfo kList[] = {
    {NotifyCode::poll,         "POLL",         11, sizeof(NotifyPollWakeupOut), NotifyTail::none},
    {NotifyCode::inval_inode,  "INVAL_INODE",  12, sizeof(NotifyInvalInodeOut), NotifyTail::none},
    {NotifyCode::inval_entry,  "INVAL_ENTRY",  12, sizeof(NotifyInvalEntryOut), NotifyTail::name},
    {NotifyCode::store,        "STORE",        15, sizeof(NotifyStoreOut),      NotifyTail::data},
    {NotifyCode::retrieve,     "RETRIEVE",     15, sizeof(NotifyRetrieveOut),   NotifyTail::none},
    {NotifyCode::delete_entry, "DELETE",       18, sizeof(NotifyDeleteOut),     NotifyTail::name},
    {NotifyCode::resend,       "RESEND",       40, 0,                           NotifyTail::none},
    {NotifyCode::inc_epoch,    "INC_EPOCH",    44, 0,                           NotifyTail::none},
    {NotifyCode::prune,        "PRUNE",        45, sizeof(NotifyPruneOut),      NotifyTail::node_ids},
};
// clang-format on

// The bytes that follow the fixed struct, as the struct itself says.
u64 declared_tail(const NotifyInfo& info, const Notification& from) noexcept {
    switch (info.tail) {
    case NotifyTail::none: return 0;
    case NotifyTail::name:
        return u64{info.code == NotifyCode::delete_entry ? from.delete_entry.namelen : from.inval_entry.namelen} + 1;
    case NotifyTail::data: return from.store.size;
    case NotifyTail::node_ids: return u64{from.prune.count} * sizeof(u64);
    }
    return 0;
}

void read_fixed(Notification& to, const NotifyInfo& info, const std::byte* from) noexcept {
    if (info.size != 0) __builtin_memcpy(to.fixed, from, info.size);
}

} // namespace

const NotifyInfo* find_notification(i32 code) noexcept {
    for (const NotifyInfo& info : kList) {
        if (static_cast<i32>(info.code) == code) return &info;
    }
    return nullptr;
}

u64 Notification::node_id(std::size_t i) const noexcept { return get_struct<u64>(data.data() + i * sizeof(u64)); }

Result<Notification> decode_notification(std::span<const std::byte> bytes) noexcept {
    if (bytes.size() < sizeof(OutHeader)) return Errc::protocol_violation;
    const auto header = get_struct<OutHeader>(bytes.data());
    if (header.unique != 0 || header.error <= 0 || header.len != bytes.size()) return Errc::protocol_violation;

    Notification to;
    to.code = header.error;
    to.info = find_notification(header.error);
    if (to.info == nullptr) return to;
    const std::span<const std::byte> body = bytes.subspan(sizeof(OutHeader));
    if (body.size() < to.info->size) return Errc::protocol_violation;
    read_fixed(to, *to.info, body.data());
    const std::span<const std::byte> tail = body.subspan(to.info->size);
    if (tail.size() != declared_tail(*to.info, to)) return Errc::protocol_violation;
    if (to.info->tail == NotifyTail::name) {
        to.name = Name::of_bytes(tail.first(tail.size() - 1));
        const bool legal = !to.name.empty() && to.name.size() <= kDirentNameMax && tail.back() == std::byte{0} &&
                           !to.name.contains('\0') && !to.name.contains('/');
        if (!legal) return Errc::protocol_violation;
    } else {
        to.data = tail;
    }
    return to;
}

Result<u32> encode_notification(std::span<std::byte> into, NotifyCode code, std::span<const std::byte> fixed, Name name,
                                std::span<const std::byte> data) noexcept {
    const NotifyInfo* info = find_notification(static_cast<i32>(code));
    if (info == nullptr || fixed.size() != info->size) return Errc::bad_argument;
    const bool named = info->tail == NotifyTail::name;
    if (named ? !data.empty() || name.empty() || name.contains('\0') : !name.empty()) return Errc::bad_argument;

    Notification notification;
    read_fixed(notification, *info, fixed.data());
    const std::size_t tail = named ? name_size(name) : data.size();
    if (tail != declared_tail(*info, notification)) return Errc::bad_argument;
    const std::size_t size = sizeof(OutHeader) + fixed.size() + tail;
    if (size > into.size() || size > ~u32{0}) return Errc::too_large;

    put_struct(into.data(), OutHeader{static_cast<u32>(size), static_cast<i32>(code), 0});
    std::byte* at = into.data() + sizeof(OutHeader);
    if (!fixed.empty()) __builtin_memcpy(at, fixed.data(), fixed.size());
    at += fixed.size();
    if (named) {
        __builtin_memcpy(at, name.data(), name.size());
        at[name.size()] = std::byte{0};
    } else if (!data.empty()) {
        __builtin_memcpy(at, data.data(), data.size());
    }
    return static_cast<u32>(size);
}

} // namespace vfsproto::wire
