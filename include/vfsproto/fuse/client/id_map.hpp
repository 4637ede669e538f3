// SPDX-License-Identifier: BSD-2-Clause
// IdMap relates the user and group ids of a client's callers to those of the server's files, as user_namespaces(7) does. Whoever makes
// requests asks it: for the ids of a caller once, for those that SETATTR sets, and for what replies say where they are shown. What lies
// in between, caches and verdicts (permissions.hpp) included, knows the server's ids alone.
#pragma once

#include "vfsproto/abi/attributes.hpp"
#include "vfsproto/abi/caller.hpp"
#include "vfsproto/base/errc.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::client {

inline constexpr std::uint32_t kNoId = 0xffff'ffff;  // stands for nobody; no file has it
inline constexpr std::uint32_t kOverflowId = 65'534; // is shown for an id without an image, as Linux has it

enum class IdKind : std::uint8_t { user, group };

// A host gives this hook. Both functions return kNoId for an id without an image. No two ids have the same image, and each function undoes what the
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
    [[nodiscard]] constexpr abi::Caller at_server(const abi::Caller& who) const noexcept {
        return {at_server(IdKind::user, who.uid), at_server(IdKind::group, who.gid), who.pid};
    }
    template <class T> [[nodiscard]] constexpr T shown(T of) const noexcept {
        of.uid = shown(IdKind::user, of.uid);
        of.gid = shown(IdKind::group, of.gid);
        return of;
    }
};

// True if the server is told of this caller. One of whose ids has no image makes no request: EOVERFLOW, as Linux has it.
[[nodiscard]] constexpr bool has_image(const abi::Caller& at_server) noexcept {
    return at_server.uid != kNoId && at_server.gid != kNoId;
}

// Maps `count` ids from `client` on to as many from `server` on.
struct IdRange {
    std::uint32_t client = 0;
    std::uint32_t server = 0;
    std::uint32_t count = 0;
};

// Maps ids of one kind. Without a range each id is its own image; else those in no range have none.
class IdRanges {
public:
    static constexpr std::size_t kMost = 16;

    // Errors: bad_argument for an empty range, one that reaches kNoId, and one that shares an id with an earlier one on either side;
    // no_memory for more than kMost.
    [[nodiscard]] Errc add(const IdRange& range) noexcept;
    [[nodiscard]] std::uint32_t to_server(std::uint32_t id) const noexcept;
    [[nodiscard]] std::uint32_t to_client(std::uint32_t id) const noexcept;
    [[nodiscard]] std::span<const IdRange> ranges() const noexcept { return {ranges_, count_}; }

private:
    IdRange ranges_[kMost]{};
    std::size_t count_ = 0;
};

// A map by ranges for both kinds of ids.
struct IdRangeMap {
    IdRanges users{};
    IdRanges groups{};

    // Returns the hook, which reads this object as long as it is used. Without any range it is the hook without functions.
    [[nodiscard]] IdMap hook() const noexcept;
};

} // namespace vfsproto::client
