// SPDX-License-Identifier: BSD-2-Clause
// The caches of a mount: storage for the client's, and how long an answer is kept.
#pragma once

#include "vfsproto/fuse/client/own_changes.hpp"
#include "vfsproto/fuse/wire/structs.hpp"
#include "vfsproto/posix/detail/asked_at.hpp"
#include "vfsproto/posix/detail/kept_content.hpp"
#include "vfsproto/posix/mount_options.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace vfsproto::posix {

// One owner at a time: NodeCache has it under its lock.
class CachedReplies {
public:
    explicit CachedReplies(const CacheOptions& options);

    // Return until when what was answered is valid.
    [[nodiscard]] client::CacheTime name_expiry(const wire::EntryOut& entry, const AskedAt& asked) const noexcept;
    [[nodiscard]] client::FreshAttributes fresh(const wire::EntryOut& entry, const AskedAt& asked) const noexcept;
    [[nodiscard]] client::FreshAttributes fresh(const wire::AttrOut& answer, const AskedAt& asked) const noexcept;
    [[nodiscard]] client::OwnChanges own() noexcept { return {names, attributes}; }
    // True if what was answered is valid until it changes, whatever the server allows.
    [[nodiscard]] bool keeps_always() const noexcept { return options_.mode == CacheMode::always; }

    // Returns the node's target or listing that is kept, or nullptr, as ContentCache::find() does, and counts nothing.
    [[nodiscard]] std::shared_ptr<const std::string>
    find_content(const client::CachedNode& node, client::ContentKind kind, const client::ContentVersion* now) noexcept;
    void keep_content(client::CachedNode& node, std::unique_ptr<KeptContent> fresh,
                      const client::ContentRead& read) noexcept;
    void drop_content(client::CachedNode& node) noexcept { discard(contents.take_out(node)); }
    // Is called before the nodes go.
    void drop_contents() noexcept;

private:
    using Timeout = std::optional<std::chrono::nanoseconds>;
    struct Allowed {
        std::uint64_t seconds;
        std::uint32_t nanoseconds;
    };
    [[nodiscard]] client::CacheTime expiry(const Timeout& timeout, const Allowed& allowed,
                                           const AskedAt& asked) const noexcept;
    static void discard(client::Content* content) noexcept { delete static_cast<KeptContent*>(content); }

    CacheOptions options_;
    std::unique_ptr<client::CachedName[]> entries_;
    std::unique_ptr<client::NameChunk[]> chunks_;
    std::unique_ptr<std::uint32_t[]> buckets_;

public:
    client::ChangeCount changes;
    client::LookupCache names;
    client::AttributeCache attributes{changes};
    client::ContentCache contents;
};

} // namespace vfsproto::posix
