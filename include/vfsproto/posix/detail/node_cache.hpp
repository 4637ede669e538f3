// SPDX-License-Identifier: BSD-2-Clause
// The nodes a mount holds lookups of. A node nobody uses stays for a while, so that looking the same file up again does
// not cost the server an entry and us a FORGET; how many may is bounded, because each costs the server a descriptor.
//
// Unlinked nodes go back in batches. A lone one is sent at once, so that the server frees the file's space. Those that follow
// it closely are gathered, and sent when there are 64, or when none has followed for 10 ms.
//
// With CacheMode other than none it also keeps what answers said of names, attributes, targets of links and listings of directories,
// and is told of every change.
#pragma once

#include "vfsproto/fuse/client/node_table.hpp"
#include "vfsproto/posix/detail/cached_replies.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/futex.hpp"
#include "vfsproto/posix/detail/kept_content.hpp"
#include "vfsproto/posix/detail/node_ref.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vfsproto::wire {
struct Notification;
} // namespace vfsproto::wire

namespace vfsproto::posix {

struct DirectoryEntry;
struct MountStats;

// Any thread.
class NodeCache : public std::enable_shared_from_this<NodeCache> {
public:
    NodeCache(Channel& channel, std::size_t max_idle, const CacheOptions& options = {},
              Permissions permissions = Permissions::judged_by_server);
    // Every NodeRef must be gone. The lookups still counted end with the session's DESTROY.
    ~NodeCache();
    NodeCache(const NodeCache&) = delete;
    NodeCache& operator=(const NodeCache&) = delete;

    // Returns who judges what a caller of any mount of the session may do.
    [[nodiscard]] Permissions permissions() const noexcept { return permissions_; }
    // Returns how ids relate to the server's, which are the ones in everything that is kept here.
    [[nodiscard]] const abi::IdMap& ids() const noexcept { return channel_.ids(); }
    [[nodiscard]] NodeRef root() noexcept { return NodeRef(*this, root_); }
    // A reply carried this entry: counts the lookup. Without a taker the node is idle at once.
    NodeRef count(const wire::EntryOut& entry);
    // Counts a lookup of each of these; none of them is used further (READDIRPLUS).
    struct Listed {
        wire::EntryOut entry;
        std::string_view name;
    };
    void count_idle(const std::vector<Listed>& entries, const NodeRef& directory, const AskedAt& asked);

    // Is called before each request whose answer is kept, which brings the result.
    [[nodiscard]] AskedAt about_to_ask() const noexcept;
    // A name in a directory, and when the request was sent that is about it.
    struct Asked {
        const NodeRef& directory;
        std::string_view name;
        AskedAt at{};
    };
    struct Known {
        enum class What : std::uint8_t { nothing, absent, file } what = What::nothing;
        NodeRef node{};
        wire::Attr attributes{}; // for Need::type the type is in `mode`, and no more
    };
    enum class Need : std::uint8_t { type, attributes };
    // Return what is known without asking the server.
    [[nodiscard]] Known find(const NodeRef& directory, std::string_view name, Need need);
    [[nodiscard]] std::optional<wire::Attr> find_attributes(const NodeRef& node);
    // These take answers. The first two count the lookup as count() does: of LOOKUP, and of what made a name.
    NodeRef count_found(const Asked& asked, const wire::EntryOut& entry);
    NodeRef count_made(const Asked& asked, const wire::EntryOut& entry);
    void note_absent(const Asked& asked, const wire::EntryOut& entry);
    // These are called before a request for a file's content is sent. What they return goes with the answer. `known` is what a walk
    // said of the file.
    [[nodiscard]] client::ContentRead about_to_read(const NodeRef& node) const noexcept;
    [[nodiscard]] client::ContentRead about_to_read(const NodeRef& node, const wire::Attr& known) const noexcept;
    // True if whoever judges callers has to know the access control lists of files: POSIX_ACL was agreed on.
    [[nodiscard]] bool evaluates_lists() const noexcept;
    // Returns the list of a file, nullptr if it is to be asked for. `read` was noted before it was.
    [[nodiscard]] AccessListBytes find_access_list(const NodeRef& node);
    void note_access_list(const NodeRef& node, AccessListBytes bytes, const client::ContentRead& read);
    // Returns the target of a link, nullptr if it is to be asked for.
    [[nodiscard]] std::shared_ptr<const std::string> find_target(const NodeRef& link);
    void note_target(const NodeRef& link, std::string_view target, const client::ContentRead& read); // READLINK
    // Takes the FOPEN_… that OPENDIR answered. True if the listing may be kept, and one that is kept may be taken. `opened` was noted
    // before OPENDIR was sent, and is made good for the reading that begins now.
    [[nodiscard]] bool keeps_listing(const NodeRef& directory, std::uint32_t open_flags,
                                     client::ContentRead& opened) noexcept;
    // Returns the records of READDIR that were kept; nullptr if they are to be asked for. `walked` is the version of the directory that
    // the walk to it has found, while it is just opened; nullptr later.
    [[nodiscard]] std::shared_ptr<const std::string> find_listing(const NodeRef& directory,
                                                                  const client::ContentVersion* walked) noexcept;
    void count_listing(client::Looked looked) noexcept; // what find_listing() returned was of use or not
    void note_listing(const NodeRef& directory, std::string records, const client::ContentRead& read);
    [[nodiscard]] std::size_t most_bytes_of_listing() const noexcept;
    // True if the attributes of all files that these records name are known, and each file is of the type that its record says.
    [[nodiscard]] bool knows_attributes(const NodeRef& directory, std::span<const std::byte> records) const noexcept;
    // Adds the attributes that are known, with the owners that are shown.
    void add_attributes(const NodeRef& directory, std::vector<DirectoryEntry>& entries) const noexcept;
    void note_attributes(const NodeRef& node, const wire::AttrOut& answer, const AskedAt& asked); // GETATTR
    void note_changed(const NodeRef& node, const wire::AttrOut& answer, const AskedAt& asked);    // SETATTR
    // These take changes of this mount. Where a file is not known, its NodeRef is empty.
    void note_removed(const Asked& asked, const NodeRef& file);
    void note_renamed(const Asked& from, const Asked& to, const NodeRef& moved, const NodeRef& other);
    void note_failed(const Asked& asked, const Failure& why, const NodeRef& file = {});
    void invalidate(const NodeRef& node);
    // Drops everything that is kept, because anything may have changed. It may be called with the channel's lock held.
    void invalidate_all() noexcept;
    void begin_writing(const NodeRef& node);
    void end_writing(const NodeRef& node) noexcept;
    void note_read(const NodeRef& node) noexcept;

    // Takes what the server told unasked: drops what may be wrong now, and gives back what it wants back and nobody uses. Never
    // sleeps.
    void take(const wire::Notification& told);
    // Keeps this cache for a request that its caller goes on without. The cache is shared.
    [[nodiscard]] Held hold();

    // Gives back all that is idle, and returns when what was gathered before has been sent as well.
    void prune();
    // True if the server has no descriptors left.
    [[nodiscard]] static bool is_exhausted(const Failure& why) noexcept {
        return why.error == abi::Errno::emfile || why.error == abi::Errno::enfile;
    }
    // Gives back all that is idle if is_exhausted(why). True if the request is to be made once more, even with nothing to give
    // back: another thread may have done that just before. `tries` counts from 0, for one request.
    [[nodiscard]] bool make_room(const Failure& why, unsigned& tries);
    [[nodiscard]] std::size_t idle() const;
    [[nodiscard]] std::size_t size() const;
    // Sets what of the counts is known here.
    void add_to(MountStats& stats) const;
    // Returns every node with its lookups that were counted and not given back yet, in no order. For tests.
    struct HeldLookups {
        std::uint64_t nodeid = 0;
        std::uint64_t lookups = 0;
    };
    [[nodiscard]] std::vector<HeldLookups> held_lookups() const;

private:
    friend class NodeRef;
    [[nodiscard]] bool keeps_targets() const noexcept;
    [[nodiscard]] std::shared_ptr<const std::string> find_locked(const client::CachedNode& node,
                                                                 client::ContentKind kind, std::uint64_t now) noexcept
        VFSPROTO_REQUIRES(mutex_);
    [[nodiscard]] const wire::Attr* attributes_of_locked(const client::CachedNode& directory, std::string_view name,
                                                         std::uint64_t now) const noexcept VFSPROTO_REQUIRES(mutex_);
    [[nodiscard]] client::Node& count_locked(const wire::EntryOut& entry) VFSPROTO_REQUIRES(mutex_);
    void learn_locked(const Asked& asked, client::Node& node, const wire::EntryOut& entry) VFSPROTO_REQUIRES(mutex_);
    // Returns the node that the name is known to lead to, or nullptr.
    [[nodiscard]] client::CachedNode* named_locked(const Asked& asked, client::CacheTime now) noexcept
        VFSPROTO_REQUIRES(mutex_);
    void leave_table_locked(client::Node& node) VFSPROTO_REQUIRES(mutex_);
    void give_back_locked(std::uint64_t nodeid, client::Linked linked) VFSPROTO_REQUIRES(mutex_);
    [[nodiscard]] static client::CachedNode* cached_or_null(const NodeRef& node) noexcept;
    void drop(client::Node& node, client::Linked linked) noexcept;
    void grow_locked() VFSPROTO_REQUIRES(mutex_);
    void evict_locked(std::size_t keep) VFSPROTO_REQUIRES(mutex_);
    [[nodiscard]] bool may_gather_locked() noexcept VFSPROTO_REQUIRES(mutex_);
    [[nodiscard]] std::vector<client::Node*> take_evicted() noexcept VFSPROTO_EXCLUDES(mutex_);
    void send_evicted() VFSPROTO_EXCLUDES(mutex_);
    [[nodiscard]] LateCall late_sending() noexcept;
    [[nodiscard]] LateCall::Next send_late() noexcept VFSPROTO_EXCLUDES(mutex_);

    Channel& channel_;
    std::size_t max_idle_;
    const Permissions permissions_;
    std::mutex making_room_; // taken before the other
    mutable Mutex mutex_;
    std::vector<client::Node*> buckets_;
    client::NodeTable table_ VFSPROTO_GUARDED_BY(mutex_);
    client::CachedNode root_;
    std::unique_ptr<CachedReplies> replies_;            // nullptr: nothing is kept. Its contents are under mutex_
    KeptAccessLists lists_ VFSPROTO_GUARDED_BY(mutex_); // empty where nothing is kept
    client::Node* spare_ VFSPROTO_GUARDED_BY(mutex_) = nullptr;      // for the next new node
    std::vector<client::Node*> evicted_ VFSPROTO_GUARDED_BY(mutex_); // out of the table, not sent yet
    std::chrono::steady_clock::time_point last_unlinked_ VFSPROTO_GUARDED_BY(mutex_){};
    unsigned late_looks_ = 0; // at a server that is behind; the late call's
};

} // namespace vfsproto::posix
