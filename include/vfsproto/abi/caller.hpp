// SPDX-License-Identifier: BSD-2-Clause
// Says on whose behalf requests are made, and who that is at the server.
#pragma once

#include <cstdint>

namespace vfsproto::abi {

// Says on whose behalf a request is made. A server creates files with these ids; every request carries them.
struct Caller {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t pid = 0;
};

// IdMap relates the user and group ids of a client's callers to those of the server's files, as user_namespaces(7) does. Whoever makes
// requests asks it: for the ids of a caller once, for those that are to be set, and for what replies say where they are shown. What lies
// in between, caches and verdicts on permissions included, knows the server's ids alone.

inline constexpr std::uint32_t kNoId = 0xffff'ffff;  // stands for nobody; no file has it
inline constexpr std::uint32_t kOverflowId = 65'534; // is shown for an id without an image, as Linux has it

enum class IdKind : std::uint8_t { user, group };

// Is the hook that a host fills in. Both functions return kNoId for an id without an image. No two ids have the same image, and each function undoes what the
// other does. They are called by any thread, at any time of a session, and always answer alike. Without functions every id is its own
// image.
struct IdMap {
    std::uint32_t (*to_server)(const void* context, IdKind kind, std::uint32_t id) noexcept = nullptr;
    std::uint32_t (*to_client)(const void* context, IdKind kind, std::uint32_t id) noexcept = nullptr;
    const void* context = nullptr; // outlives the session

    [[nodiscard]] constexpr std::uint32_t at_server(IdKind kind, std::uint32_t id) const noexcept {
        return to_server == nullptr ? id : to_server(context, kind, id);
    }
    [[nodiscard]] constexpr std::uint32_t at_client(IdKind kind, std::uint32_t id) const noexcept {
        return to_client == nullptr ? id : to_client(context, kind, id);
    }
    // Returns what stat(2) shows for an id of the server's.
    [[nodiscard]] constexpr std::uint32_t shown(IdKind kind, std::uint32_t id) const noexcept {
        const std::uint32_t image = at_client(kind, id);
        return image == kNoId && to_client != nullptr ? kOverflowId : image;
    }
    [[nodiscard]] constexpr Caller at_server(const Caller& who) const noexcept {
        return {at_server(IdKind::user, who.uid), at_server(IdKind::group, who.gid), who.pid};
    }
    template <class T> [[nodiscard]] constexpr T shown(T of) const noexcept {
        of.uid = shown(IdKind::user, of.uid);
        of.gid = shown(IdKind::group, of.gid);
        return of;
    }
};

// True if the server is told of this caller. One of whose ids has no image makes no request: EOVERFLOW, as Linux has it.
[[nodiscard]] constexpr bool has_image(const Caller& at_server) noexcept {
    return at_server.uid != kNoId && at_server.gid != kNoId;
}

} // namespace vfsproto::abi
