// SPDX-License-Identifier: BSD-2-Clause
// ContentCache keeps what is read of a file as one piece, with its node: the target of a symbolic link, the listing of a directory
// (reference: Linux fs/fuse/dir.c, fuse_get_link(), and fs/fuse/readdir.c, fuse_readdir_cached()). The rules are here. The
// bytes are the host's: it allocates a Content with them, and frees it when it is handed back.
//
// Whatever makes AttributeCache drop the attributes of a node makes its content void too: changes of our own, notifications, another
// file under the same nodeid. A change that nobody told of shows in the attributes that the server gives next: a content counts
// only while they are what they were before it was read.
#pragma once

#include "vfsproto/fuse/client/attribute_cache.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::client {

// The part of a file's attributes that changes with its content, however the file is changed.
struct ContentVersion {
    std::uint64_t size = 0;
    std::uint64_t mtime = 0;
    std::uint64_t ctime = 0;
    std::uint32_t mtimensec = 0;
    std::uint32_t ctimensec = 0;

    friend bool operator==(const ContentVersion&, const ContentVersion&) noexcept = default;
};
[[nodiscard]] constexpr ContentVersion version_of(const abi::Attributes& of) noexcept {
    return {of.size, of.mtime, of.ctime, of.mtimensec, of.ctimensec};
}

// Tells what was known of a file before the first of the requests that read its content was sent. A version that is older than the
// content makes it count for less long, and never for longer.
struct ContentRead {
    std::uint64_t incarnation = 0; // Node::incarnation
    ContentVersion version{};
    ChangeCount::Moment before = 0;
};

enum class ContentKind : std::uint8_t { target, listing };

// Belongs to one node while it is kept, and stays in place. The host sets `bytes` and `kind`, ContentCache the rest.
struct Content {
    std::size_t bytes = 0; // of the host's memory that it takes, itself included
    ContentKind kind{};
    CachedNode* node = nullptr;
    ContentRead read{};
    Content* older = nullptr;
    Content* newer = nullptr;
};

// Tells if a content was found, and of use to whoever looked for it, or if the server has to be asked.
enum class Looked : std::uint8_t { hit, miss };

// Counts what became of contents of one kind since the cache was made.
struct ContentCounters {
    std::uintptr_t hits = 0;
    std::uintptr_t misses = 0;
    std::uintptr_t kept = 0; // later ones of the same node among them
    std::uintptr_t evicted = 0;
    std::uintptr_t held = 0; // now; those that are void among them
};

// True if the target of a link may be kept: it has 1 to 4095 bytes, no NUL among them, and as many as the link's size says. A link
// whose target changes by itself, such as those of Linux' /proc, has another size.
[[nodiscard]] bool may_keep_target(std::span<const char> target, std::uint64_t size) noexcept;

// It has one owner at a time, that of the attributes.
class ContentCache {
public:
    // `most_bytes` bounds what all contents take together.
    ContentCache(const ChangeCount& changes, const AttributeCache& attributes, std::size_t most_bytes) noexcept
        : changes_(&changes), attributes_(&attributes), most_bytes_(most_bytes) {}

    // Returns how many bytes one content may take: an eighth of all, so that a large directory does not push everything else out.
    [[nodiscard]] std::size_t most_bytes_of_one() const noexcept { return most_bytes_ / 8; }
    // Returns what put() is to be told, before the content is read. `version`: what the server said of the file last.
    [[nodiscard]] ContentRead begin_read(const CachedNode& node, const ContentVersion& version) const noexcept {
        return {node.incarnation, version, changes_->now()};
    }

    // Returns the node's content if it is of this kind and what the server would answer now, and makes it the latest used. `now`: the
    // version that the server says the file has, nullptr if nobody knows. The result is valid until the next call that changes
    // anything here. The host may find it to be of no use, and so calls count() when it knows.
    [[nodiscard]] Content* find(const CachedNode& node, ContentKind kind, const ContentVersion* now) noexcept;
    void count(ContentKind kind, Looked looked) noexcept {
        ++(looked == Looked::hit ? counters_of(kind).hits : counters_of(kind).misses);
    }
    // Takes the content that was read of a node. Returns what the host is to free, or nullptr: what was kept before, or `fresh` itself
    // if the node was changed since, or if it is too large. Then evict() is to be asked.
    [[nodiscard]] Content* put(CachedNode& node, Content& fresh, const ContentRead& read) noexcept;
    // Takes the node's content out, for the host to free; nullptr if there is none. It is to be called for each node that leaves its
    // table, and for a directory that a server wants to be read anew (OPENDIR without KEEP_CACHE).
    [[nodiscard]] Content* take_out(CachedNode& node) noexcept;
    // Takes out the least recently used content, for the host to free, while there are too many bytes; nullptr when there are not.
    [[nodiscard]] Content* evict() noexcept;
    // Takes out any content, for the host to free; nullptr when there is none. It is called until then before the nodes go.
    [[nodiscard]] Content* take_out_any() noexcept { return oldest_ == nullptr ? nullptr : take_out(*oldest_->node); }

    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] const ContentCounters& counters(ContentKind kind) const noexcept {
        return counters_[static_cast<std::size_t>(kind)];
    }

private:
    [[nodiscard]] ContentCounters& counters_of(ContentKind kind) noexcept {
        return counters_[static_cast<std::size_t>(kind)];
    }
    [[nodiscard]] bool is_void(const CachedNode& node, const ContentRead& read) const noexcept;
    void make_newest(Content& content) noexcept;
    void leave_order(const Content& content) noexcept;

    const ChangeCount* changes_;
    const AttributeCache* attributes_;
    std::size_t most_bytes_;
    std::size_t bytes_ = 0;
    Content* oldest_ = nullptr;
    Content* newest_ = nullptr;
    ContentCounters counters_[2]{};
};

} // namespace vfsproto::client
