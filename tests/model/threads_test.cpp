// SPDX-License-Identifier: BSD-2-Clause
// Threads share a mount that keeps answers for a while, and change names and files through it and behind its back. Each answer was
// right at a time that the rules of expiry allow. VFSPROTO_SEED makes the operations others.
#include "support/accounting.hpp"
#include "support/devices.hpp"
#include "support/model/history.hpp"
#include "support/scale.hpp"
#include "support/scratch_directory.hpp"
#include "support/watchdog.hpp"

#include "vfsproto/posix/mount_options.hpp"
#include "vfsproto/posix/mount_stats.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace vfsproto;
using namespace std::chrono_literals;
using abi::Errno;
using model::Asked;
using model::By;
using model::History;
using model::Time;
using posix::Mount;

constexpr int kThreads = 8;
constexpr std::size_t kDirectories = 3;
constexpr std::size_t kNames = 8; // in all
constexpr std::uint64_t kAbsent = 0;
constexpr std::uint64_t kLeastSize = 8; // bytes: a file begins with its number, and is longer by it
constexpr std::uint64_t kFirstVersion = 1;

Time now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

// A name: which file it leads to, by its number.
struct Cell {
    std::string path;
    std::mutex changing; // one change of it at a time
    History file{kAbsent};
};
// A file: its version, which is its time of modification in seconds.
struct FileOf {
    History version{kFirstVersion};
};

struct Ages {
    std::chrono::nanoseconds name;
    std::chrono::nanoseconds attributes;
    bool host_changes;
    std::chrono::nanoseconds too_long{0}; // the mount keeps answers for so much longer than they are good for
};

class Share {
public:
    Share(const Ages& ages, backends::LoopbackService service, std::size_t files)
        : ages_(ages), service_(service), fs_({.root = directory_.path().string()}), files_(files) {
        for (std::size_t i = 0; i < kDirectories; ++i) host_makes_directory("/d" + std::to_string(i));
        host_makes_directory("/new");
        for (std::size_t i = 0; i < kNames; ++i) {
            cells_[i].path = "/d" + std::to_string(i % kDirectories) + "/n" + std::to_string(i);
        }
        posix::MountOptions options;
        options.cache.mode = posix::CacheMode::automatic;
        options.cache.entry_timeout = options.cache.negative_timeout = ages.name + ages.too_long;
        options.cache.attribute_timeout = ages.attributes + ages.too_long;
        options.channel.rings.withheld.add(Feature::fs_notification); // else the server tells what the host changes
        backends::LoopbackOptions device;
        device.service = service;
        auto opened = Mount::open(backends::make_loopback(fs_, device), options);
        REQUIRE(opened);
        mount_ = *std::move(opened);
        anew_ = mount_->looking_anew();
    }

    // One operation of a thread.
    void act(std::mt19937_64& random) {
        constexpr std::uint64_t kAll = 100;
        const std::uint64_t which = random() % kAll;
        Cell& cell = cells_[random() % kNames];
        if (which < 55) return look(cell, *mount_, ages_.name.count(), ages_.attributes.count());
        if (which < 60) return look(cell, *anew_, 0, 0);
        if (which < 70) return read(cell);
        const By by = ages_.host_changes && which % 2 == 0 ? By::host : By::mount;
        if (which < 80) return place(cell, by);
        if (which < 85) return remove(cell, by);
        if (which < 95) return touch(cell, by);
        move(cell, cells_[random() % kNames], by);
    }

    // Nothing is under way: the server has what the histories say, and counts what the mount holds.
    void check_end() {
        for (Cell& cell : cells_) look(cell, *anew_, 0, 0);
        if (wrong_ != 0) FAIL(wrong_ << " answers are wrong, the first: " << first_wrong_);
        if (service_ == backends::LoopbackService::inline_in_doorbell) test::check_lookups(*mount_, fs_);
        // FORGETs may still be on their way to a thread of the server's.
        test::until([&] {
            mount_->prune();
            return fs_.counters().inodes == 1; // the root
        });
        test::check_lookups(*mount_, fs_);
        CHECK(fs_.counters().handles == 0);
        CHECK(mount_->stats().violations == 0);
        anew_.reset();
        mount_.reset();
        CHECK(fs_.counters().over_forgotten == 0);
    }
    [[nodiscard]] Mount& mount() { return *mount_; }
    [[nodiscard]] std::uint64_t wrong() {
        const std::lock_guard lock(mutex_);
        return wrong_;
    }

private:
    [[nodiscard]] std::string host_path(const std::string& path) const { return directory_.path().string() + path; }
    void host_makes_directory(const std::string& path) {
        if (::mkdir(host_path(path).c_str(), 0755) != 0) throw std::runtime_error("no directory " + path);
    }

    void expect(bool is_right, const std::string& what) {
        if (is_right) return;
        const std::lock_guard lock(mutex_);
        if (wrong_++ == 0) first_wrong_ = what;
    }

    // Questions, asked while others change what they are about.
    void look(Cell& cell, Mount& mount, Time name_age, Time attributes_age) {
        Asked asked{.from = now()};
        const auto seen = mount.stat(cell.path);
        asked.until = now();
        if (!seen) return expect_absent(cell, seen.failure(), asked, name_age);
        const std::uint64_t number = seen->size - kLeastSize;
        expect(cell.file.may_be(number, asked, name_age), cell.path + " led to file " + std::to_string(number));
        if (number == kAbsent || number >= files_.size()) return expect(false, "there is no such file");
        expect(files_[number].version.may_be(seen->mtime, asked, attributes_age),
               cell.path + " was of version " + std::to_string(seen->mtime));
    }
    void read(Cell& cell) {
        Asked asked{.from = now()};
        auto file = mount_->open_file(cell.path, abi::kORdonly);
        asked.until = now();
        const Time age = ages_.name.count();
        if (!file) return expect_absent(cell, file.failure(), asked, age);
        std::uint64_t number = kAbsent;
        const auto bytes = std::as_writable_bytes(std::span(&number, 1));
        const auto count = mount_->read(*file, bytes, 0);
        expect(count && *count == bytes.size(), "READ of " + cell.path);
        expect(cell.file.may_be(number, asked, age), cell.path + " was opened as file " + std::to_string(number));
        // An open file is asked for its attributes.
        if (number == kAbsent || number >= files_.size()) return expect(false, "there is no such file");
        asked.from = now();
        const auto seen = mount_->stat(*file);
        asked.until = now();
        expect(seen && seen->size == kLeastSize + number, "an open file is another");
        if (seen) expect(files_[number].version.may_be(seen->mtime, asked, 0), "an open file is of an old version");
        expect(!mount_->close(*std::move(file)).happened(), "close");
    }
    void expect_absent(Cell& cell, const posix::Failure& failure, const Asked& asked, Time age) {
        expect(failure.errc == Errc::ok && failure.error == Errno::enoent, cell.path + ": " + failure.text());
        expect(cell.file.may_be(kAbsent, asked, age), cell.path + " was not there");
    }

    // Changes. A mount's is refused by nobody: nothing else changes these names meanwhile.
    void place(Cell& cell, By by) {
        const std::size_t number = next_file_.fetch_add(1);
        if (number >= files_.size()) return;
        const std::string fresh = "/new/" + std::to_string(number);
        make_file(fresh, number);
        const std::lock_guard lock(cell.changing);
        cell.file.begin(number, by, now());
        expect(by == By::mount ? !mount_->rename(fresh, cell.path).happened() : host_renames(fresh, cell.path),
               "a file cannot be named " + cell.path);
        cell.file.end(now());
    }
    void remove(Cell& cell, By by) {
        const std::lock_guard lock(cell.changing);
        if (cell.file.now() == kAbsent) return;
        cell.file.begin(kAbsent, by, now());
        expect(by == By::mount ? !mount_->unlink(cell.path).happened() : ::unlink(host_path(cell.path).c_str()) == 0,
               cell.path + " cannot be removed");
        cell.file.end(now());
    }
    void touch(Cell& cell, By by) {
        const std::lock_guard lock(cell.changing);
        const std::uint64_t number = cell.file.now();
        if (number == kAbsent) return;
        History& version = files_[number].version;
        const auto next = static_cast<std::int64_t>(next_version_.fetch_add(1));
        version.begin(static_cast<std::uint64_t>(next), by, now());
        // The name, as the mount keeps it, may lead to another file.
        const posix::SetTime then{posix::SetTime::Kind::at, next, 0};
        expect(by == By::mount ? !anew_->set_times(cell.path, {}, then).happened() : host_touches(cell.path, next),
               cell.path + " cannot be given a time");
        version.end(now());
    }
    void move(Cell& from, Cell& to, By by) {
        if (&from == &to) return;
        const std::scoped_lock lock(from.changing, to.changing);
        const std::uint64_t number = from.file.now();
        if (number == kAbsent) return;
        from.file.begin(kAbsent, by, now());
        to.file.begin(number, by, now());
        expect(by == By::mount ? !mount_->rename(from.path, to.path).happened() : host_renames(from.path, to.path),
               from.path + " cannot be moved");
        const Time done = now();
        from.file.end(done);
        to.file.end(done);
    }

    void make_file(const std::string& path, std::uint64_t number) {
        const int fd = ::open(host_path(path).c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
        bool is_made = fd >= 0 && ::write(fd, &number, sizeof number) == static_cast<ssize_t>(sizeof number) &&
                       ::ftruncate(fd, static_cast<off_t>(kLeastSize + number)) == 0;
        const timespec times[2] = {{0, UTIME_OMIT}, {static_cast<time_t>(kFirstVersion), 0}};
        is_made = is_made && ::futimens(fd, times) == 0;
        if (fd >= 0) ::close(fd);
        expect(is_made, "the host makes no file");
    }
    [[nodiscard]] bool host_renames(const std::string& from, const std::string& to) const {
        return ::rename(host_path(from).c_str(), host_path(to).c_str()) == 0;
    }
    [[nodiscard]] bool host_touches(const std::string& path, std::int64_t seconds) const {
        const timespec times[2] = {{0, UTIME_OMIT}, {static_cast<time_t>(seconds), 0}};
        return ::utimensat(AT_FDCWD, host_path(path).c_str(), times, 0) == 0;
    }

    const Ages ages_;
    const backends::LoopbackService service_;
    const test::ScratchDirectory directory_{test::Scratch::memory};
    backends::Passthrough fs_;
    std::unique_ptr<Mount> mount_;
    std::unique_ptr<Mount> anew_; // asks for every name
    std::array<Cell, kNames> cells_;
    std::deque<FileOf> files_; // by number
    std::atomic<std::size_t> next_file_{1};
    std::atomic<std::uint64_t> next_version_{kFirstVersion + 1};
    std::mutex mutex_; // what follows
    std::uint64_t wrong_ = 0;
    std::string first_wrong_;
};

} // namespace

TEST_CASE("what may be seen of a history: what was right since an age, and since the mount's own last change",
          "[model]") {
    History history(1);
    const auto may_be = [&](std::uint64_t value, Time from, Time until, Time age) {
        return history.may_be(value, {from, until}, age);
    };
    CHECK(may_be(1, 5, 6, 0));
    CHECK_FALSE(may_be(2, 5, 6, 0));
    history.begin(2, By::host, 10);
    CHECK(may_be(1, 100, 101, 0)); // it may not be made yet
    CHECK(may_be(2, 11, 12, 0));
    CHECK_FALSE(may_be(2, 5, 9, 0));
    history.end(20);
    CHECK(may_be(1, 19, 30, 0));
    CHECK_FALSE(may_be(1, 21, 30, 0));
    CHECK(may_be(1, 25, 30, 5));
    CHECK_FALSE(may_be(1, 26, 30, 5));
    history.begin(3, By::mount, 40);
    history.end(50);
    CHECK_FALSE(may_be(2, 51, 52, 5));
    CHECK_FALSE(may_be(2, 51, 52, 1000)); // the mount made another of it
    CHECK(may_be(2, 45, 46, 0));
    history.begin(4, By::host, 60);
    history.end(61);
    CHECK(may_be(3, 70, 71, 10));
    CHECK_FALSE(may_be(3, 72, 73, 10));
    history.begin(5, By::host, 80);
    history.undo();
    CHECK(history.now() == 4);
}

TEST_CASE("a mount that keeps answers for too long is found out", "[model]") {
    constexpr std::size_t kOperations = 1'000;
    Share share({0ns, 0ns, true, 1h}, backends::LoopbackService::inline_in_doorbell, kOperations);
    std::mt19937_64 random(test::run_seed());
    for (std::size_t i = 0; i < kOperations; ++i) share.act(random);
    CHECK(share.wrong() > 0);
}

TEST_CASE("threads that share a mount are told nothing older than the rules of expiry allow", "[model][caches]") {
    const test::Watchdog watchdog("threads of a model", std::chrono::seconds(test::is_nightly() ? 3000 : 300));
    const std::uint64_t operations = test::scaled({.least = 200, .usual = 800, .nightly = 20'000});
    const Ages ages = GENERATE(Ages{0ns, 0ns, true}, Ages{300us, 100us, true}, Ages{5ms, 2ms, true},
                               Ages{1ms, 1h, true}, Ages{1h, 1h, false});
    const auto service = GENERATE(backends::LoopbackService::inline_in_doorbell, backends::LoopbackService::threads);
    const std::uint64_t seed = test::run_seed();
    INFO("VFSPROTO_SEED=" << seed << ", names for " << ages.name.count() << " ns, attributes for "
                          << ages.attributes.count() << " ns");
    Share share(ages, service, operations * kThreads / 5);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            std::mt19937_64 random(seed * kThreads + static_cast<std::uint64_t>(t));
            for (std::uint64_t i = 0; i < operations; ++i) share.act(random);
        });
    }
    for (std::thread& thread : threads) thread.join();
    if (!ages.host_changes) CHECK(share.mount().mount_stats().caches.name_hits > 0);
    share.check_end();
}
