// SPDX-License-Identifier: BSD-2-Clause
// Turns an operation that opened something into the handle that keeps it, and back.
#pragma once

#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/open_handle.hpp"
#include "vfsproto/posix/failure.hpp"

#include <cstdint>
#include <memory>
#include <utility>

namespace vfsproto::posix {

template <class Op> [[nodiscard]] std::unique_ptr<OpenHandle>
handle_of(Channel& channel, NodeRef node, const Op& opened, std::uint32_t flags, OpenHandle::Kind kind) {
    auto handle = std::make_unique<OpenHandle>(channel, std::move(node), kind);
    handle->fh = opened.result().fh;
    handle->open_flags = opened.result().open_flags;
    handle->keep_flags(flags);
    handle->owes_release = opened.owes_release();
    return handle;
}

// Releases a handle that an operation opened before it failed.
inline void release_unwanted(Channel& channel, std::uint64_t fh, std::uint64_t nodeid) {
    client::Release release;
    release.call.args.fh = fh;
    channel.run(release, channel.own_caller(), nodeid);
}
// Does that on the channel's own thread: when the request that failed is over, because it was let go of and may name the handle.
template <class Op> [[nodiscard]] AfterLate release_unwanted_later(const Op& opened, std::uint64_t nodeid) {
    if (!opened.owes_release()) return {};
    return [fh = opened.result().fh, nodeid](Channel& channel, LateOutcome) { release_unwanted(channel, fh, nodeid); };
}

// True if close(2) has a FLUSH to send.
[[nodiscard]] inline bool owes_flush(const OpenHandle& handle) noexcept {
    const bool wanted = handle.owes_release && (handle.open_flags & wire::kFopenNoflush) == 0;
    return wanted || handle.may_keep(OpenHandle::Locks::records);
}

// True if a FLUSH that came to this is still owed: no answer came, and it may not have been sent. On behalf of a caller who is nobody at
// the server it was not.
[[nodiscard]] inline bool still_owes_flush(const Failure& flush) noexcept {
    return flush.errc == Errc::abandoned || flush.errc == Errc::timed_out || flush.errc == Errc::unmapped_id;
}

// Returns the arguments of RELEASE or RELEASEDIR. RELEASE gives up the lock of the whole file.
[[nodiscard]] inline wire::ReleaseIn release_in(const OpenHandle& handle) noexcept {
    wire::ReleaseIn in{};
    in.fh = handle.fh;
    in.flags = handle.flags;
    if (!handle.may_keep(OpenHandle::Locks::whole)) return in;
    in.release_flags = wire::kReleaseFlockUnlock;
    in.lock_owner = handle.lock_owner;
    return in;
}

} // namespace vfsproto::posix
