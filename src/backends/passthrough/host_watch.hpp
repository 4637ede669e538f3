// SPDX-License-Identifier: BSD-2-Clause
// Watches what the host's own processes change of the files that a client holds, with inotify(7), and tells a sink.
//
// The client is not told of what its own requests change. A name is recognised by the events that the request is going to cause
// (OwnNames), a file by what it is like afterwards (KnownVersion). Whatever is in doubt is told.
//
// Not every change can be seen:
// - The kernel may refuse a watch: the client holds more files than it gives, or one that this process may not read. As long as
//   there is such a file, the client is told from time to time that anything may have changed, at intervals for which it may trust
//   names and attributes anyway.
// - What others change of a file between the looks that are taken of it right before and right after a system call of the client
//   counts as the client's own. Nobody can tell the two apart. What the client is answered is read after that, so that it is in
//   the answer where the answer has attributes; contents that others write at that moment are not told.
// - Two changes within one tick of the host's clock are one, if they leave size, mode, owner and number of names alike.
// - Writes to memory that is mapped, by anybody, are never told.
#pragma once

#include "changed_directories.hpp"
#include "inode_watch.hpp"
#include "own_names.hpp"
#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/fuse/server/change_sink.hpp"

#include <sys/inotify.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

namespace vfsproto::backends {

struct Inode;
class InodeTable;

class HostWatch {
public:
    struct Options {
        std::size_t most_watches = 0;
        std::chrono::nanoseconds interval{};           // of telling what cannot be seen
        std::function<void(const std::string&)> log{}; // hears once a run why not everything is seen. May be empty
    };

    // The table outlives every call but those of the watches that its inodes end.
    HostWatch(InodeTable& inodes, Options options) : inodes_(inodes), options_(std::move(options)) {}
    ~HostWatch() { stop(); }
    HostWatch(const HostWatch&) = delete;
    HostWatch& operator=(const HostWatch&) = delete;

    // Starts a run, with nothing watched yet. Without a thread or a descriptor to be had it does not run: no change is told, which
    // the log hears. One caller at a time, as stop().
    void start(server::ChangeSink& sink) noexcept;
    // When it returns, the sink is not called any more.
    void stop() noexcept;

    // All of these: any thread.
    [[nodiscard]] bool running() const noexcept { return running_.load(std::memory_order_acquire); }
    // Has an inode watched, if it is not. What was read of it before additions() has changed may be old.
    void watch(Inode& inode, std::uint64_t nodeid) noexcept;
    // True if each change that others make of the inode is told.
    [[nodiscard]] bool tells_of(const Inode& inode) const noexcept;
    [[nodiscard]] std::uint64_t additions() const noexcept { return additions_.load(std::memory_order_acquire); }

    // These go around a system call by which the client changes a name in a directory, and causes an event of each of these kinds
    // about it; 0: none. The first returns nullptr if there is nothing to end.
    [[nodiscard]] OwnNames::Change* begin_change(std::uint64_t directory, std::string_view name,
                                                 std::uint32_t events) noexcept;
    void end_change(OwnNames::Change& change, bool happened) noexcept;
    [[nodiscard]] InodeTable& inodes() noexcept { return inodes_; }

    struct Counters {
        std::size_t watched = 0;   // inodes
        std::size_t unwatched = 0; // inodes that the kernel refused to watch
    };
    [[nodiscard]] Counters counters() const noexcept;

private:
    friend class InodeWatch;
    using Clock = std::chrono::steady_clock;
    struct NameChange {
        std::uint64_t directory;
        std::string name;
    };
    // The inodes that one number of inotify stands for: several where a file system is mounted at several places.
    struct Touched {
        std::array<std::uint64_t, 8> nodeids{};
        std::size_t count = 0;
        bool are_more = false;
    };
    // An event that has come of a file, or of a name in a directory, and which the client may have caused itself.
    struct Question {
        std::uint64_t nodeid = 0;
        std::string name{};      // empty: of the file itself
        unsigned looks = 0;      // at which it could not be answered, each time because of another request
        std::uint64_t begun = 0; // requests, at the last of them
    };
    enum class Look : std::uint8_t { is_known, is_news, is_unsure };

    [[nodiscard]] bool is_watched(const Inode& inode) const noexcept;
    [[nodiscard]] bool tells_of_locked(const Inode& inode) const noexcept;
    [[nodiscard]] int add_locked(const Inode& inode, std::uint64_t nodeid, int& error) noexcept;
    void end_watch(const InodeWatch& watch) noexcept;
    void say_once(const char* what, int error) noexcept;
    void say_unwatched(int error) noexcept;
    void fail_to_start(int error) noexcept;

    // The thread.
    void run() noexcept;
    [[nodiscard]] int patience(Clock::time_point next_doubt) const noexcept;
    void read_events() noexcept;
    void take(const inotify_event& event, std::string_view name) noexcept;
    [[nodiscard]] Touched touched_by(int descriptor) noexcept;
    void take_loss() noexcept;
    void take_name(std::uint64_t directory, std::string_view name, std::uint32_t kind) noexcept;
    void ask(std::uint64_t nodeid, std::string_view name) noexcept;
    [[nodiscard]] Look look_at(Inode& inode, std::uint64_t nodeid) noexcept;
    void answer(Question question) noexcept;
    [[nodiscard]] bool defer(Question& question, std::uint64_t begun) noexcept;
    [[nodiscard]] bool is_in_question(std::uint64_t nodeid) const noexcept;
    void look_again() noexcept;
    void renew(std::uint64_t nodeid) noexcept;
    void renew_all() noexcept;
    void tell_mistaken() noexcept;

    InodeTable& inodes_;
    const Options options_;
    std::atomic<bool> running_{false};
    std::atomic<bool> said_{false};
    std::atomic<std::uint64_t> additions_{0};
    FileDescriptor inotify_; // these two stay while it runs
    FileDescriptor wake_;
    server::ChangeSink* sink_ = nullptr; // the thread's, as the next four
    std::vector<Question> deferred_;     // a request of the client is at their files
    ChangedDirectories changed_{inodes_};
    bool are_lost_ = false; // events: one of them may have said that a watch has ended
    alignas(inotify_event) std::array<std::byte, 16 * 1024> events_{};

    mutable std::mutex mutex_; // what follows
    std::uint32_t run_ = 0;
    std::unordered_multimap<int, std::uint64_t> nodeids_; // by inotify's number
    std::size_t unwatched_ = 0;
    OwnNames names_;
    std::vector<NameChange> mistaken_; // to be told by the thread
    bool in_doubt_ = false;            // there was no memory to say which
    std::thread thread_;
};

} // namespace vfsproto::backends
