// SPDX-License-Identifier: BSD-2-Clause
// Threads that write through files they keep open, and make directories, while the server behind their mount ends and comes back.
// Each knows what its file must hold.
#pragma once

#include "support/catch.hpp"

#include "vfsproto/posix/reconnecting_mount.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace vfsproto::test {

class CrashWriters {
public:
    static constexpr unsigned kThreads = 8;

    // Opens a file for each thread. The mount outlives the writers.
    explicit CrashWriters(posix::ReconnectingMount& mount) : mount_(mount) {
        for (unsigned i = 0; i < kThreads; ++i) {
            Writer& writer = writers_.emplace_back();
            writer.number = i;
            writer.path = "/file-" + std::to_string(i);
            using namespace abi;
            auto file = mount_.open_file(writer.path, kOCreat | kORdwr, 0600);
            if (!file) FAIL("cannot open: " << file.failure().text());
            writer.file = *std::move(file);
        }
        for (Writer& writer : writers_) threads_.emplace_back([this, &writer] { run(writer); });
    }
    ~CrashWriters() { stop(); }
    CrashWriters(const CrashWriters&) = delete;
    CrashWriters& operator=(const CrashWriters&) = delete;

    // Returns how many calls have ended.
    [[nodiscard]] std::uint64_t calls() const { return calls_.load(std::memory_order_relaxed); }
    void stop() {
        stops_ = true;
        for (std::thread& thread : threads_) {
            if (thread.joinable()) thread.join();
        }
    }
    // Ends the threads, and compares what they know with what is there.
    void check() {
        stop();
        for (Writer& writer : writers_) {
            INFO(writer.path);
            for (unsigned block = 0; block < kBlocks; ++block) {
                const std::uint64_t found = read(writer, block);
                CHECK((found == writer.certain[block] || writer.possible[block].contains(found)));
            }
            for (const std::string& path : writer.made) {
                INFO(path);
                CHECK(mount_.call(wire::Opcode::getattr, [&](posix::Mount& on) { return on.stat(path); }));
            }
            CHECK_FALSE(mount_.close(writer.file).happened());
        }
        for (const std::string& complaint : complaints_) CHECK(complaint == "");
        INFO("calls that nobody knows the end of: " << undecided_);
        CHECK(written_ != 0);
    }

private:
    static constexpr unsigned kBlocks = 16;
    static constexpr std::size_t kBlockBytes = 4096;
    static constexpr std::uint64_t kWritesADirectory = 8;
    static constexpr std::uint64_t kTorn = ~std::uint64_t{0};
    using Words = std::array<std::uint64_t, kBlockBytes / sizeof(std::uint64_t)>;

    struct Writer {
        unsigned number = 0;
        std::string path;
        posix::ReconnectingFile file;
        std::array<std::uint64_t, kBlocks> certain{};            // what was written last, and answered
        std::array<std::set<std::uint64_t>, kBlocks> possible{}; // what was written since, and not answered
        std::vector<std::string> made;
    };

    void run(Writer& writer) {
        for (std::uint64_t sequence = 1; !stops_; ++sequence) {
            write(writer, static_cast<unsigned>(sequence * 7 % kBlocks), sequence);
            if (sequence % kWritesADirectory == 0) make_directory(writer, sequence);
        }
    }

    void write(Writer& writer, unsigned block, std::uint64_t sequence) {
        Words words;
        words.fill(sequence);
        const auto bytes = std::as_bytes(std::span(words));
        const auto taken = mount_.write(writer.file, bytes, block * kBlockBytes);
        ++calls_;
        if (taken && *taken == bytes.size()) {
            writer.certain[block] = sequence;
            writer.possible[block].clear();
            ++written_;
        } else {
            writer.possible[block].insert(sequence);
            note_failure(writer, "write", taken.failure());
        }
        const std::uint64_t found = read(writer, block);
        if (found != writer.certain[block] && !writer.possible[block].contains(found)) {
            complain(writer.path + ": block " + std::to_string(block) + " holds " + std::to_string(found) + " after " +
                     std::to_string(sequence));
        }
    }

    // Returns the number a block is full of. A call that may be repeated comes to its end.
    [[nodiscard]] std::uint64_t read(Writer& writer, unsigned block) {
        Words words{};
        const auto taken = mount_.read(writer.file, std::as_writable_bytes(std::span(words)), block * kBlockBytes);
        ++calls_;
        if (!taken) {
            note_failure(writer, "read", taken.failure());
            return writer.certain[block];
        }
        for (const std::uint64_t word : words) {
            if (word != words.front()) return kTorn;
        }
        return words.front();
    }

    // One that is there already was made by a request that had been sent before.
    void make_directory(Writer& writer, std::uint64_t sequence) {
        const std::string path = "/dir-" + std::to_string(writer.number) + "-" + std::to_string(sequence);
        const posix::Failure why = mount_.call(wire::Opcode::mkdir, [&](posix::Mount& on) { return on.mkdir(path); });
        ++calls_;
        if (why.happened()) return note_failure(writer, "mkdir", why);
        writer.made.push_back(path);
    }

    void note_failure(const Writer& writer, const char* call, const posix::Failure& why) {
        if (why.errc == Errc::reply_lost) {
            ++undecided_;
        } else {
            complain(writer.path + ": " + call + ": " + why.text());
        }
    }
    void complain(const std::string& what) {
        const std::lock_guard lock(mutex_);
        complaints_.push_back(what);
    }

    posix::ReconnectingMount& mount_;
    std::deque<Writer> writers_; // never moved
    std::vector<std::thread> threads_;
    std::atomic<bool> stops_{false};
    std::atomic<std::uint64_t> calls_{0};
    std::atomic<std::uint64_t> written_{0};
    std::atomic<std::uint64_t> undecided_{0};
    std::mutex mutex_;
    std::vector<std::string> complaints_;
};

} // namespace vfsproto::test
