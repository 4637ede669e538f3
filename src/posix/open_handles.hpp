// SPDX-License-Identifier: BSD-2-Clause
// Turns an operation that opened something into the handle that keeps it, and back.
#pragma once

#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/file.hpp"

#include <cstdint>
#include <memory>
#include <utility>

namespace vfsproto::posix {

template <class Op> [[nodiscard]] std::unique_ptr<OpenHandle>
handle_of(Channel& channel, NodeRef node, const Op& opened, std::uint32_t flags, OpenHandle::Kind kind) {
    auto handle = std::make_unique<OpenHandle>(channel, std::move(node), kind);
    handle->fh = opened.result().fh;
    handle->open_flags = opened.result().open_flags;
    handle->flags = flags;
    handle->owes_release = opened.owes_release();
    return handle;
}

// `Op`: client::Release or client::ReleaseDirectory.
template <class Op> void prepare(Op& release, const OpenHandle& handle) {
    release.call.args.fh = handle.fh;
    release.call.args.flags = handle.flags;
}

} // namespace vfsproto::posix
