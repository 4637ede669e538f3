// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "vfsproto/fuse/client/content_cache.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

namespace vfsproto::posix {

// Holds the target of a link, or the records of a listing. Whoever reads them shares them, and goes on when they are dropped.
struct KeptContent final : client::Content {
    KeptContent(client::ContentKind what, std::string of) : text(std::make_shared<const std::string>(std::move(of))) {
        kind = what;
        constexpr std::size_t kAround = 96; // of the two blocks of memory beside the text
        bytes = sizeof *this + kAround + text->capacity();
    }

    std::shared_ptr<const std::string> text;
};

// Has the value of "system.posix_acl_access", empty where a file has none. Whoever judges by it shares it.
using AccessListBytes = std::shared_ptr<const std::string>;

// It has one owner at a time, that of the attributes.
class KeptAccessLists {
public:
    static constexpr std::size_t kMost = 1024; // of at most 4096 bytes each

    // Returns nullptr if the server has to be asked.
    [[nodiscard]] AccessListBytes find(const client::CachedNode& node, const client::AttributeCache& attributes,
                                       client::CacheTime now) {
        const auto found = kept_.find(node.incarnation);
        if (found == kept_.end()) return nullptr;
        const client::ContentRead& read = found->second.read;
        const bool is_gone = attributes.was_dropped_since(node.attributes, read.before) ||
                             read.version != client::version_of(node.attributes.value) || now >= found->second.expiry;
        if (!is_gone) return node.attributes.is_valid_but_atime(now) ? found->second.bytes : nullptr;
        kept_.erase(found);
        return nullptr;
    }
    // Takes what was asked for after `read` was noted. It expires with the attributes that are kept now: those that follow may say the
    // same of a file whose list was changed, where a server's clock has not ticked between.
    void put(const client::CachedNode& node, AccessListBytes bytes, const client::ContentRead& read) {
        if (node.incarnation != read.incarnation || read.before < last_change_) return;
        if (kept_.size() >= kMost) kept_.clear();
        kept_[node.incarnation] = {std::move(bytes), read, node.attributes.expiry};
    }
    void drop(const client::CachedNode& node) noexcept { kept_.erase(node.incarnation); }
    // Drops the list of a file whose attributes were set: its mode is part of the list. Lists that were asked for before `now` are not
    // taken.
    void drop_changed(const client::CachedNode& node, client::ChangeCount::Moment now) noexcept {
        drop(node);
        last_change_ = now;
    }

private:
    struct Kept {
        AccessListBytes bytes{};
        client::ContentRead read{};
        client::CacheTime expiry = client::kNeverValid;
    };
    std::unordered_map<std::uint64_t, Kept> kept_{}; // by incarnation
    client::ChangeCount::Moment last_change_ = 0;    // drop_changed()
};

} // namespace vfsproto::posix
