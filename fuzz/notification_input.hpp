// SPDX-License-Identifier: BSD-2-Clause
// The lane of notifications and the caches behind it, and a device that writes any messages with any length. Shared by the
// fuzz target and the unit tests.
//
// An input is one message after the other: a byte of choices, a word (the length the device reports), a word (bytes it
// writes), then those.
//   bit 0  the device reports as many bytes as it writes    bit 1  the message's len is made right
//   bit 2  the message's unique is made 0                   bit 3  it is a buffer that the device does not have
#pragma once

#include "input_reader.hpp"
#include "support/scripted_queue.hpp"

#include "vfsproto/fuse/client/foreign_changes.hpp"
#include "vfsproto/fuse/client/notification_lane.hpp"
#include "vfsproto/fuse/wire/detail/struct_bytes.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace vfsproto::fuzz {

// The root (nodeid 1) has "a" and "b", and the directory 2 has "a"; the attributes of the nodes 1 to 3 are known.
class NotificationMessages {
public:
    explicit NotificationMessages(std::span<const std::byte> bytes) : input_(bytes) {}

    // Returns nullptr, or what the lane or the caches did that no client may see.
    [[nodiscard]] const char* run() {
        root_.forget.nodeid = 1;
        if (!open()) return "a lane that should open does not";
        for (int left = kMostMessages; left > 0 && !input_.empty(); --left) {
            fill_caches();
            send();
            if (const char* problem = take()) return problem;
            queue_.drop_answered();
        }
        return nullptr;
    }

private:
    using Bytes = std::vector<std::byte>;
    static constexpr int kMostMessages = 64;
    static constexpr std::uint32_t kBuffer = 256;
    static constexpr std::size_t kBuffers = 2;
    static constexpr std::byte kUntouched{0xcc};
    static constexpr client::CacheTime kNow = 1;
    static constexpr client::CacheTime kExpiry = 2;

    struct NamePlace {
        std::uint64_t directory; // its nodeid
        std::string_view name;
    };
    static constexpr std::array<NamePlace, 3> kNames{{{1, "a"}, {1, "b"}, {2, "a"}}};
    static constexpr std::uint64_t kNodes = 3; // 1 to 3

    [[nodiscard]] bool open() {
        const client::NotificationLane::Memory memory{buffers_, std::span(copy_).first(kBuffer), kBuffer};
        return lane_.init(make_queue_ref(queue_), memory) == Errc::ok && lane_.post() == Errc::ok;
    }

    [[nodiscard]] client::CachedNode& node(std::uint64_t nodeid) {
        if (nodeid == 1) return root_;
        client::Node* const known = table_.find(nodeid);
        return static_cast<client::CachedNode&>(
            known != nullptr ? *known : table_.count_lookup(nodeid, 0, 0100000, storage_[nodeid]));
    }
    void fill_caches() {
        for (std::uint64_t nodeid = 1; nodeid <= kNodes; ++nodeid) {
            attributes_.apply(node(nodeid).attributes, {{}, kExpiry, changes_.now()});
        }
        for (const NamePlace& each : kNames) {
            names_.put({node(each.directory).incarnation, each.name}, {0, 0}, kExpiry, changes_.now());
        }
    }
    [[nodiscard]] bool knows(const NamePlace& place) {
        const auto found = names_.find({node(place.directory).incarnation, place.name}, kNow);
        return found.what != client::LookupCache::Found::What::nothing;
    }
    [[nodiscard]] bool knows(std::uint64_t nodeid) { return attributes_.is_valid(node(nodeid).attributes, kNow); }

    void send() {
        const std::uint8_t choices = input_.byte();
        std::uint32_t written = input_.word();
        Bytes message = input_.bytes(std::min<std::size_t>(input_.word(), kBuffer));
        wire::OutHeader header{};
        if (message.size() >= sizeof header) {
            header = wire::get_struct<wire::OutHeader>(message.data());
            if ((choices & 2) != 0) header.len = static_cast<std::uint32_t>(message.size());
            if ((choices & 4) != 0) header.unique = 0;
            wire::put_struct(message.data(), header);
        }
        if ((choices & 1) != 0) written = static_cast<std::uint32_t>(message.size());
        const auto visible = queue_.visible();
        if ((choices & 8) != 0 || visible.empty()) return queue_.complete_token(Token{header_slot(header)}, written);
        if (!message.empty()) queue_.write(visible[0], message.data(), message.size());
        queue_.complete(visible[0], written);
    }
    [[nodiscard]] static std::uint16_t header_slot(const wire::OutHeader& header) noexcept {
        return static_cast<std::uint16_t>(kBuffers + (header.len & 0x7fff)); // of no buffer there is
    }

    [[nodiscard]] const char* take() {
        wire::Notification told;
        const Errc before = lane_.error();
        while (lane_.next(told)) {
            if (before != Errc::ok) return "a lane that has latched took a message";
            if (told.info == nullptr) return "a code that is unknown was told";
            static_cast<void>(foreign_.apply(told));
            if (const char* problem = problem_of(told)) return problem;
        }
        if (!queue_.blamed().empty()) return "a chain no ring would take";
        if (std::any_of(copy_.begin() + kBuffer, copy_.end(), [](std::byte b) { return b != kUntouched; })) {
            return "something behind the copy was written to";
        }
        if (before != Errc::ok && lane_.error() != before) return "a latched error changed";
        const bool is_full = queue_.visible().size() == kBuffers;
        return lane_.error() != Errc::ok || is_full ? nullptr : "a buffer was not posted again";
    }

    // Checks that the caches dropped what the message names, all of it after INC_EPOCH, and nothing else.
    [[nodiscard]] const char* problem_of(const wire::Notification& told) {
        using wire::NotifyCode;
        const bool all = told.is(NotifyCode::inc_epoch);
        const bool entry = told.is(NotifyCode::inval_entry);
        const bool deletes = told.is(NotifyCode::delete_entry);
        const std::uint64_t directory = entry ? told.inval_entry.parent : deletes ? told.delete_entry.parent : 0;
        if (entry || deletes) {
            const bool legal = !told.name.empty() && told.name.size() <= wire::kDirentNameMax &&
                               !told.name.contains('/') && !told.name.contains('\0');
            if (!legal) return "a name that no file can have was told";
        }
        for (const NamePlace& each : kNames) {
            const bool named = each.directory == directory && wire::Name(each.name) == told.name;
            if (knows(each) == (all || named)) return "a name was kept or dropped against what was told";
        }
        for (std::uint64_t nodeid = 1; nodeid <= kNodes; ++nodeid) {
            const bool named = nodeid == directory ||
                               (told.is(NotifyCode::inval_inode) && told.inval_inode.ino == nodeid) ||
                               (deletes && told.delete_entry.child == nodeid);
            if (knows(nodeid) == (all || named)) return "attributes were kept or dropped against what was told";
        }
        return nullptr;
    }

    InputReader input_;
    test::SharedMemory memory_;
    Region buffers_ = memory_.add(kBuffers * kBuffer);
    Bytes copy_ = Bytes(kBuffer + 16, kUntouched);
    test::ScriptedQueue queue_{memory_};
    client::NotificationLane lane_;

    client::ChangeCount changes_;
    std::vector<client::CachedName> entries_ = std::vector<client::CachedName>(8);
    std::vector<client::NameChunk> chunks_ = std::vector<client::NameChunk>(16);
    std::vector<std::uint32_t> buckets_ = std::vector<std::uint32_t>(8);
    std::vector<client::Node*> node_buckets_ = std::vector<client::Node*>(4);
    std::array<client::CachedNode, kNodes + 1> storage_{};
    client::CachedNode root_;
    client::NodeTable table_{node_buckets_};
    client::LookupCache names_{changes_, {entries_, chunks_, buckets_}, client::NameCase::matters};
    client::AttributeCache attributes_{changes_};
    client::ForeignChanges foreign_{table_, root_, names_, attributes_};
};

// Returns nullptr when the lane and the caches kept the rules.
[[nodiscard]] inline const char* broken_notification_rule(std::span<const std::byte> input) {
    return NotificationMessages(input).run();
}

} // namespace vfsproto::fuzz
