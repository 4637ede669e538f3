// SPDX-License-Identifier: BSD-2-Clause
// Extensions behind the last name of a request that creates: security contexts (7.36) and supplementary groups (7.38).
// A client sends them only if they are negotiated.
#pragma once

#include "vfsproto/base/errc.hpp"
#include "vfsproto/base/result.hpp"
#include "vfsproto/fuse/wire/name.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <span>

namespace vfsproto::wire {

struct NamedContext {
    Name name{};                          // of the xattr, "security.selinux" for one
    std::span<const std::byte> context{}; // its value, a NUL included if it has one
};

// Builds the extensions of one request; bytes() goes into RequestTail::extensions. One owner.
class ExtensionWriter {
public:
    explicit ExtensionWriter(std::span<std::byte> room) noexcept : room_(room) {}

    // One extension each, at most once a request. An empty list of contexts says "none", which is not the same as saying
    // nothing. Errors: too_large when it does not fit; bad_argument for more than kMaxSecurityContexts.
    [[nodiscard]] Errc add_security_contexts(std::span<const NamedContext> contexts) noexcept;
    [[nodiscard]] Errc add_groups(std::span<const u32> groups) noexcept;
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return room_.first(used_); } // a multiple of 8

private:
    std::span<std::byte> room_;
    std::size_t used_ = 0;
};

enum class ExtensionKind : std::uint8_t { security_contexts, groups, unknown };

struct Extension {
    ExtensionKind kind{};
    u32 count{};                       // contexts or groups
    std::span<const std::byte> body{}; // behind the header
};

// Walks the extensions of a request in the server's own copy. The driver is hostile.
class ExtensionReader {
public:
    explicit ExtensionReader(std::span<const std::byte> extensions) noexcept : rest_(extensions) {}

    // True: extension() is the next one. False: the end, or error() is protocol_violation.
    [[nodiscard]] bool next() noexcept;
    [[nodiscard]] const Extension& extension() const noexcept { return extension_; }
    [[nodiscard]] Errc error() const noexcept { return error_; }

private:
    std::span<const std::byte> rest_;
    Extension extension_{};
    Errc error_ = Errc::ok;
};

// Walks the contexts of an extension of that kind.
class SecurityContextReader {
public:
    explicit SecurityContextReader(const Extension& extension) noexcept
        : rest_(extension.body), left_(extension.count) {}

    [[nodiscard]] bool next() noexcept;
    [[nodiscard]] const NamedContext& context() const noexcept { return context_; }
    [[nodiscard]] Errc error() const noexcept { return error_; }

private:
    std::span<const std::byte> rest_;
    u32 left_;
    NamedContext context_{};
    Errc error_ = Errc::ok;
};

// The i-th group of an extension of that kind, i < count.
[[nodiscard]] u32 group_at(const Extension& extension, std::size_t i) noexcept;

} // namespace vfsproto::wire
