// SPDX-License-Identifier: BSD-2-Clause
// A mount of a file system in memory whose device does one thing wrong when a test wants it, and what must hold afterwards.
#pragma once

#include "support/watchdog.hpp"
#include "unit/posix/mounted.hpp"

#include "vfsproto/fuse/wire/op_table.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace vfsproto::test {

using backends::loopback::FaultKind;

enum class Keeping : std::uint8_t { nothing, everything }; // of answers, by the mount

// Tells which lookups the server may still count that the mount does not hold.
enum class Surplus : std::uint8_t { none, of_the_lost_answer };

inline constexpr std::size_t kContentBytes = 20'000; // of "/dir/file": several requests
inline constexpr std::size_t kBounceBytes = 8192;    // carried by one

[[nodiscard]] inline const std::vector<std::byte>& content() {
    static const std::vector<std::byte> bytes = noise(kContentBytes);
    return bytes;
}

// The tree: /dir with "file", "second" (another name of it), "other", "symlink" (to "file") and the directory "empty".
class FaultyMount {
public:
    explicit FaultyMount(Keeping keeping, backends::loopback::FaultPlan plan = {}) : keeping_(keeping) {
        plan.trigger = &trigger;
        posix::MountOptions options;
        options.channel.bounce = kBounceBytes;
        if (keeping == Keeping::everything) options.cache.mode = posix::CacheMode::always;
        fs.set_faults([this](const backends::MemfsQuestion& question) {
            const bool has_reply = wire::op_info(question.opcode).traits.reply == wire::ReplyOwed::always;
            if (has_reply && !trigger.has_struck()) last_ = question.opcode;
            return backends::MemfsFault();
        });
        auto device = backends::make_faulty_loopback(fs, std::move(plan));
        loopback = device.get();
        mount = mount_of(std::move(device), options);
        make_tree();
    }
    FaultyMount(const FaultyMount&) = delete;
    FaultyMount& operator=(const FaultyMount&) = delete;

    // Makes the mount know all that it may keep.
    void learn() {
        if (keeping_ == Keeping::everything) static_cast<void>(look(*mount));
    }

    // True if the answer that was met grants something: a lookup, or a handle.
    [[nodiscard]] bool may_leave_surplus() const {
        const wire::Grants& grants = wire::op_info(last_).grants;
        return grants.lookups != wire::Grants::Lookups::none || grants.handle_at != wire::Grants::kNone;
    }

    // Checks that the server counts the lookups that the mount holds, and at most `surplus` more. Nothing is under way.
    void check_counts(Surplus surplus = Surplus::none) {
        if (surplus == Surplus::none) return check_lookups(*mount, fs);
        std::uint64_t all = 0;
        for (const auto& [nodeid, lookups] : held_lookups(*mount)) {
            INFO("node " << nodeid);
            CHECK(fs.lookups_of(nodeid) >= lookups);
            all += lookups;
        }
        CHECK(fs.lookups() >= all);
    }
    // Waits until late answers are undone, and checks the same.
    void await_counts() {
        until([&] {
            std::uint64_t all = 0;
            for (const auto& [nodeid, lookups] : held_lookups(*mount)) all += lookups;
            return fs.lookups() == all;
        });
        check_counts();
    }

    // Checks that the mount works, and that what it keeps is what the server says when it is asked.
    void check_kept() {
        if (keeping_ == Keeping::nothing) return succeeds(mount->access("/dir", 0));
        const auto kept = look(*mount);
        CHECK(kept == look(*mount->looking_anew()));
    }

    // Ends the mount, whose files and buffers are gone, and checks that the server holds nothing for it any more.
    void end() {
        mount.reset();
        CHECK(fs.lookups() == 0);
        CHECK(fs.open_handles() == 0);
    }
    void check_manners() {
        CHECK(fs.misuse().over_forgets == 0);
        CHECK(fs.misuse().stale_nodes == 0);
        CHECK(fs.misuse().bad_handles == 0);
    }

    backends::Memfs fs;
    backends::loopback::FaultTrigger trigger;
    backends::Loopback* loopback = nullptr;
    std::unique_ptr<posix::Mount> mount;

private:
    using Seen = std::map<std::string, std::string>;

    void make_tree() {
        using namespace abi;
        succeeds(mount->mkdir("/dir"));
        succeeds(mount->mkdir("/dir/empty"));
        posix::File file = value_of(mount->open_file("/dir/file", kOCreat | kOWronly));
        succeeds(mount->write_all(file, content(), 0));
        succeeds(mount->close(std::move(file)));
        file = posix::File();
        put(*mount, "/dir/other", "other");
        succeeds(mount->link("/dir/file", "/dir/second"));
        succeeds(mount->symlink("file", "/dir/symlink"));
        succeeds(mount->set_xattr("/dir/file", "user.name", bytes_of("value")));
    }

    // Returns what can be seen of every name a test has or makes, but for access times, which may be as old as they are.
    [[nodiscard]] static Seen look(posix::Mount& through) {
        static const char* const paths[] = {"/",          "/dir",         "/dir/empty",  "/dir/file", "/dir/second",
                                            "/dir/other", "/dir/symlink", "/dir/new",    "/dir/sub",  "/dir/fifo",
                                            "/dir/link",  "/dir/renamed", "/dir/newlink"};
        Seen seen;
        for (const char* path : paths) {
            const auto known = through.stat(path, posix::LastLink::keep);
            seen[path] = known ? text_of(*known) : known.failure().text();
        }
        for (const char* path : {"/", "/dir"}) {
            std::string& names = seen[std::string("names in ") + path];
            const auto entries = through.list(path, client::DirectoryFormat::dirents);
            if (!entries) names = entries.failure().text();
            if (!entries) continue;
            std::vector<std::string> all;
            for (const posix::DirectoryEntry& entry : *entries) all.push_back(entry.name);
            std::sort(all.begin(), all.end());
            for (const std::string& name : all) names += name + '/';
        }
        const auto target = through.readlink("/dir/symlink");
        seen["target"] = target ? *target : target.failure().text();
        return seen;
    }
    [[nodiscard]] static std::string text_of(const posix::Attributes& of) {
        std::string text;
        for (const std::uint64_t number :
             {of.ino, of.size, of.blocks, std::uint64_t{of.mode}, std::uint64_t{of.nlink}, std::uint64_t{of.uid},
              std::uint64_t{of.gid}, of.mtime, std::uint64_t{of.mtimensec}, of.ctime, std::uint64_t{of.ctimensec}}) {
            text += std::to_string(number) + ' ';
        }
        return text;
    }

    const Keeping keeping_;
    std::atomic<wire::Opcode> last_{}; // the request that was met, or the last one so far
};

} // namespace vfsproto::test
