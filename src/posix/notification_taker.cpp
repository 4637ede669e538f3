// SPDX-License-Identifier: BSD-2-Clause
#include "notification_taker.hpp"

#include "vfsproto/posix/detail/node_cache.hpp"

#include <optional>

namespace vfsproto::posix {

namespace {

std::optional<ServerChange> change_of(const wire::Notification& told) {
    using wire::NotifyCode;
    using What = ServerChange::What;
    const std::string_view name{told.name.data(), told.name.size()};
    if (told.is(NotifyCode::inval_inode)) return ServerChange{What::file, told.inval_inode.ino};
    if (told.is(NotifyCode::store)) return ServerChange{What::file, told.store.nodeid};
    if (told.is(NotifyCode::inval_entry)) return ServerChange{What::name, told.inval_entry.parent, 0, name};
    if (told.is(NotifyCode::delete_entry)) {
        return ServerChange{What::removal, told.delete_entry.parent, told.delete_entry.child, name};
    }
    if (told.is(NotifyCode::inc_epoch)) return ServerChange{};
    return std::nullopt;
}

} // namespace

std::function<void(const wire::Notification&)> notification_taker(NodeCache& cache,
                                                                  std::function<void(const ServerChange&)> on_change) {
    return [&cache, hook = std::move(on_change)](const wire::Notification& told) {
        cache.take(told);
        if (!hook) return;
        if (const auto change = change_of(told)) hook(*change);
    };
}

} // namespace vfsproto::posix
