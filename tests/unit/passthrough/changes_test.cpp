// SPDX-License-Identifier: BSD-2-Clause
// A client is told what the host's processes change of the files that it holds, and nothing that it has changed itself.
#include "passthrough_fixture.hpp"
#include "support/catch.hpp"
#include "support/skip.hpp"
#include "support/watchdog.hpp"

#include <sys/xattr.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::test;
using server::Change;
using wire::Opcode;

namespace {

constexpr std::uint64_t kRoot = 1;

// Remembers what it was told: "name 1 file", "file 2", "anything".
class Sink final : public server::ChangeSink {
public:
    void tell(const Change& change) noexcept override {
        const std::lock_guard gate(gate_);
        const std::lock_guard lock(mutex_);
        using What = Change::What;
        const std::string node = std::to_string(change.nodeid);
        if (change.what == What::anything) told_.emplace_back("anything");
        if (change.what == What::file) told_.push_back("file " + node);
        if (change.what == What::name) {
            told_.push_back("name " + node + ' ' + std::string(change.name.data(), change.name.size()));
        }
    }
    [[nodiscard]] std::vector<std::string> told() const {
        const std::lock_guard lock(mutex_);
        return told_;
    }
    [[nodiscard]] bool has(const std::string& what) const {
        const std::lock_guard lock(mutex_);
        return std::find(told_.begin(), told_.end(), what) != told_.end();
    }
    void forget() {
        const std::lock_guard lock(mutex_);
        told_.clear();
    }
    // Makes whoever tells wait while it is locked.
    [[nodiscard]] std::mutex& gate() { return gate_; }

private:
    std::mutex gate_;
    mutable std::mutex mutex_;
    std::vector<std::string> told_;
};

struct Fixture : PassthroughFixture {
    Fixture() {
        fs::create_directory(host("markers"));
        served.tell_changes_to(&sink);
        client.init(wire::InitFlags::of(wire::InitFlag::setxattr_ext));
        markers_ = node(kRoot, "markers");
    }
    // Begins to hear once more. What the host did before is known to the client, if it is looked up after that.
    void hear_anew() {
        served.tell_changes_to(nullptr);
        sink.forget();
        served.tell_changes_to(&sink);
        markers_ = node(kRoot, "markers");
    }
    ~Fixture() { served.tell_changes_to(nullptr); }

    void await(const std::string& what) const {
        until([&] { return sink.has(what); });
    }
    // Waits until all that was changed so far was looked at. The marker lies in a directory of its own, because a change of others
    // has what the client does to names beside it looked at twice.
    void settle() {
        const std::string marker = "marker" + std::to_string(++marker_);
        write_host("markers/" + marker, "");
        await(name(markers_, marker));
    }
    // Returns what was told beside the markers.
    [[nodiscard]] std::vector<std::string> told() {
        settle();
        std::vector<std::string> all = sink.told();
        std::erase_if(all, [&](const std::string& what) { return what.starts_with(name(markers_, "marker")); });
        return all;
    }
    [[nodiscard]] static std::string file(std::uint64_t nodeid) { return "file " + std::to_string(nodeid); }
    [[nodiscard]] static std::string name(std::uint64_t directory, const std::string& name) {
        return "name " + std::to_string(directory) + ' ' + name;
    }

    const Watchdog watchdog{"changes that the host makes"};
    Sink sink;

private:
    std::uint64_t markers_ = 0;
    int marker_ = 0;
};

using Told = std::vector<std::string>;

} // namespace

TEST_CASE("names that the host changes in a directory that the client holds are told", "[passthrough][changes]") {
    Fixture f;
    fs::create_directory(f.host("dir"));
    const std::uint64_t dir = f.node(kRoot, "dir");
    const bool is_root = GENERATE(true, false);
    const std::uint64_t parent = is_root ? kRoot : dir;
    const fs::path place = is_root ? f.directory.root() : f.host("dir");
    static_cast<void>(f.told());
    f.sink.forget();
    SECTION("made and removed") {
        std::ofstream(place / "new") << "x";
        f.await(f.name(parent, "new"));
        f.sink.forget();
        fs::remove(place / "new");
        f.await(f.name(parent, "new"));
    }
    SECTION("moved") {
        fs::create_directory(place / "old");
        f.await(f.name(parent, "old"));
        f.sink.forget();
        fs::rename(place / "old", place / "new");
        f.await(f.name(parent, "old"));
        f.await(f.name(parent, "new"));
    }
    SECTION("linked") {
        fs::create_symlink("nowhere", place / "link");
        f.await(f.name(parent, "link"));
    }
}

TEST_CASE("the listing of a directory may be kept by a client that is told of its changes", "[passthrough][changes]") {
    constexpr std::uint32_t kKept = wire::kFopenCacheDir | wire::kFopenKeepCache;
    Fixture f;
    fs::create_directory(f.host("dir"));
    const std::uint64_t dir = f.node(kRoot, "dir");
    const auto flags_of = [&](std::uint64_t directory) {
        const Answered opened = f.client.call<Opcode::opendir>(directory);
        REQUIRE(opened.ok());
        return opened.as<wire::OpenOut>().open_flags;
    };
    CHECK(flags_of(kRoot) == kKept);
    CHECK(flags_of(dir) == kKept);
    f.served.tell_changes_to(nullptr);
    CHECK(flags_of(kRoot) == 0);
    CHECK(flags_of(dir) == 0);
    f.served.tell_changes_to(&f.sink);
    CHECK(flags_of(kRoot) == kKept);
    CHECK(flags_of(dir) == 0); // nobody has looked at it since
    CHECK(f.node(kRoot, "dir") == dir);
    CHECK(flags_of(dir) == kKept);
}

TEST_CASE("what the host changes of a file that the client holds is told", "[passthrough][changes]") {
    Fixture f;
    f.write_host("file", "content");
    const std::uint64_t file = f.node(kRoot, "file");
    static_cast<void>(f.told());
    f.sink.forget();
    SECTION("its contents") { std::ofstream(f.host("file"), std::ios::app) << "more"; }
    SECTION("its size") { fs::resize_file(f.host("file"), 3); }
    SECTION("its mode") { REQUIRE(::chmod(f.host("file").c_str(), 0600) == 0); }
    SECTION("the number of its names") { fs::create_hard_link(f.host("file"), f.host("other")); }
    SECTION("its last name") { fs::remove(f.host("file")); }
    f.await(f.file(file));
}

TEST_CASE("extended attributes that the host sets on a file that the client holds are told", "[passthrough][changes]") {
    Fixture f;
    f.write_host("file", "content");
    const std::uint64_t file = f.node(kRoot, "file");
    if (::setxattr(f.host("file").c_str(), "user.key", "v", 1, 0) != 0) return skip("no user attributes here");
    // They show in the time of change alone, which may be the same within a tick of the host's clock.
    int value = 0;
    until([&] {
        const std::string text = std::to_string(++value);
        ::setxattr(f.host("file").c_str(), "user.key", text.data(), text.size(), 0);
        return f.sink.has(f.file(file));
    });
}

TEST_CASE("the attributes of a directory are told, and what changes below a file that is not held is not",
          "[passthrough][changes]") {
    Fixture f;
    fs::create_directory(f.host("dir"));
    f.write_host("dir/unknown", "x");
    const std::uint64_t dir = f.node(kRoot, "dir");
    static_cast<void>(f.told());
    f.sink.forget();
    std::ofstream(f.host("dir/unknown"), std::ios::app) << "more";
    CHECK(f.told().empty());
    REQUIRE(::chmod(f.host("dir").c_str(), 0700) == 0);
    f.await(f.file(dir));
}

TEST_CASE("what the client changes itself is not told", "[passthrough][changes]") {
    // A watch on a slow host that finds a write under way each time it looks tells of it, so there are not more of them in a row.
    constexpr std::uint64_t kWrites = 8;
    Fixture f;
    f.write_host("file", "content");
    f.write_host("other", "other");
    fs::create_directory(f.host("dir"));
    f.hear_anew();
    const std::uint64_t file = f.node(kRoot, "file");
    const std::uint64_t other = f.node(kRoot, "other");
    const std::uint64_t dir = f.node(kRoot, "dir");
    const auto must = [](const Answered& answer) { REQUIRE(answer.ok()); };
    SECTION("names that are made") {
        must(f.client.call<Opcode::mkdir>(dir, {0755, 0}, "made"));
        must(f.client.call<Opcode::mknod>(dir, {S_IFIFO | 0644, 0, 0, 0}, "fifo"));
        must(f.client.call<Opcode::symlink>(dir, {}, "link", "target"));
        must(f.client.call<Opcode::link>(dir, {file}, "linked"));
        must(f.create(dir, "created"));
        must(f.create(kRoot, "file", abi::kORdwr | abi::kOTrunc));
    }
    SECTION("names that are removed and moved") {
        must(f.client.call<Opcode::mkdir>(dir, {0755, 0}, "made"));
        must(f.client.call<Opcode::rename>(kRoot, {dir}, "other", "moved"));
        must(f.client.call<Opcode::rename>(dir, {kRoot}, "moved", "file"));
        must(f.client.call<Opcode::rmdir>(dir, {}, "made"));
        must(f.client.call<Opcode::unlink>(kRoot, {}, "file"));
    }
    SECTION("files that are moved, and written to after that") {
        must(f.client.call<Opcode::rename>(kRoot, {dir}, "file", "moved"));
        const std::uint64_t fh = f.handle(file, abi::kORdwr);
        must(f.write(fh, 0, "12345"));
        f.release(fh);
    }
    SECTION("names that are exchanged") {
        const wire::Rename2In exchange{kRoot, abi::kRenameExchange, 0};
        const Answered answer = f.client.call<Opcode::rename2>(kRoot, exchange, "file", "other");
        if (!answer.ok()) return skip("this file system exchanges no names");
    }
    SECTION("contents") {
        const std::uint64_t fh = f.handle(file, abi::kORdwr);
        for (std::uint64_t i = 0; i < kWrites; ++i) must(f.write(fh, i * 5, "12345"));
        f.release(fh);
        f.release(f.handle(other, abi::kORdwr | abi::kOTrunc));
    }
    SECTION("attributes") {
        wire::SetattrIn in{};
        in.valid = wire::kSetattrMode | wire::kSetattrSize | wire::kSetattrMtime;
        in.mode = 0600;
        in.size = 2;
        in.mtime = 1'000'000'000;
        must(f.client.call<Opcode::setattr>(file, in));
        in.valid = wire::kSetattrMode;
        in.mode = 0700;
        must(f.client.call<Opcode::setattr>(dir, in));
    }
    CHECK(f.told() == Told());
}

TEST_CASE("what the host does to a name after the client is told", "[passthrough][changes]") {
    Fixture f;
    f.client.call<Opcode::mkdir>(kRoot, {0755, 0}, "dir");
    CHECK(f.told() == Told());
    fs::remove(f.host("dir"));
    f.await(f.name(kRoot, "dir"));
    static_cast<void>(f.told()); // no event is left that says the same of that name
    f.sink.forget();
    fs::create_directory(f.host("dir"));
    f.await(f.name(kRoot, "dir"));
}

TEST_CASE("an event that the kernel merges with one of the client's is told", "[passthrough][changes]") {
    Fixture f;
    f.write_host("source", "of the client");
    static_cast<void>(f.told());
    f.sink.forget();
    const auto time_of_root = [&] { return f.stat_host(".").st_ctim; };
    {
        // The thread stands at the first event, or before it, while those come that are alike.
        const std::lock_guard gate(f.sink.gate());
        f.write_host("first", "x");
        REQUIRE(f.client.call<Opcode::rename>(kRoot, {kRoot}, "source", "target").ok());
        const struct timespec before = time_of_root();
        until([&] { // the host's clock has to tick
            std::ofstream(f.directory.outside() / "other") << "of another";
            fs::rename(f.directory.outside() / "other", f.host("target"));
            const struct timespec now = time_of_root();
            return now.tv_sec != before.tv_sec || now.tv_nsec != before.tv_nsec;
        });
    }
    f.await(f.name(kRoot, "target"));
}

TEST_CASE("requests that change nothing hide nothing that the host does later", "[passthrough][changes]") {
    Fixture f;
    f.write_host("file", "x");
    fs::create_hard_link(f.host("file"), f.host("second"));
    static_cast<void>(f.node(kRoot, "file"));
    static_cast<void>(f.told());
    f.sink.forget();
    SECTION("a rename of a file to itself") {
        CHECK(f.client.call<Opcode::rename>(kRoot, {kRoot}, "file", "file").ok());
    }
    SECTION("a rename of a file to another name of its own") {
        CHECK(f.client.call<Opcode::rename>(kRoot, {kRoot}, "file", "second").ok());
    }
    SECTION("making what is there") {
        CHECK(f.client.call<Opcode::mkdir>(kRoot, {0755, 0}, "file").error == abi::Errno::eexist);
    }
    SECTION("removing what is no directory") {
        CHECK(f.client.call<Opcode::rmdir>(kRoot, {}, "file").error == abi::Errno::enotdir);
    }
    CHECK(f.told() == Told());
    fs::remove(f.host("file"));
    f.await(f.name(kRoot, "file"));
}

TEST_CASE("a file is watched as long as the client holds it", "[passthrough][changes]") {
    Fixture f;
    f.write_host("file", "x");
    CHECK(f.served.counters().watched == 2); // the root, and the directory of the markers
    const std::uint64_t file = f.node(kRoot, "file");
    CHECK(f.node(kRoot, "file") == file);
    CHECK(f.served.counters().watched == 3);
    f.forget(file, 2);
    CHECK(f.served.counters().watched == 2);
    static_cast<void>(f.told());
    f.sink.forget();
    std::ofstream(f.host("file"), std::ios::app) << "more";
    CHECK(f.told() == Told());
    static_cast<void>(f.node(kRoot, "file"));
    f.client.call<Opcode::destroy>(0);
    CHECK(f.served.counters().watched == 1);
    CHECK(f.served.counters().unwatched == 0);
}

TEST_CASE("a file that has lost its last name is watched on", "[passthrough][changes]") {
    Fixture f;
    f.write_host("file", "x");
    fs::create_hard_link(f.host("file"), f.host("second"));
    const std::uint64_t file = f.node(kRoot, "file");
    std::ofstream open(f.host("file"), std::ios::app);
    fs::remove(f.host("file"));
    fs::remove(f.host("second")); // the kernel ends its watch with this name
    static_cast<void>(f.told());
    f.sink.forget();
    open << "more" << std::flush;
    f.await(f.file(file));
    CHECK(f.served.counters().watched == 3);
    CHECK(f.served.counters().unwatched == 0);
}

TEST_CASE("a client that does not want to hear costs no watch, and one that comes later is told",
          "[passthrough][changes]") {
    PassthroughFixture f;
    Sink sink;
    const Watchdog watchdog("a client that comes later");
    f.write_host("file", "x");
    static_cast<void>(f.node(1, "file"));
    CHECK(f.served.counters().watched == 0);
    // Another server of the same directory shows when the host has told of a change.
    backends::Passthrough witness(f.options(backends::PassthroughAccess::read_write));
    Sink seen;
    witness.tell_changes_to(&seen);
    for (int i = 0; i < 3; ++i) {
        const std::string heard = "new" + std::to_string(i), unheard = "unheard" + std::to_string(i);
        f.served.tell_changes_to(&sink);
        f.client.init({});
        CHECK(f.served.counters().watched == 1);
        f.write_host(heard, "x");
        until([&] { return sink.has("name 1 " + heard); });
        f.served.tell_changes_to(nullptr);
        f.write_host(unheard, "x");
        until([&] { return seen.has("name 1 " + unheard); });
        CHECK_FALSE(sink.has("name 1 " + unheard));
        CHECK(f.served.counters().watched == 0);
    }
    witness.tell_changes_to(nullptr);
}

TEST_CASE("what cannot be watched is told to be in doubt, and why is said once", "[passthrough][changes]") {
    const Watchdog watchdog("a file that is not watched");
    const TemporaryDirectory directory;
    std::atomic<int> said{0};
    std::string reason;
    backends::PassthroughOptions options;
    options.root = directory.root().string();
    options.max_watches = 1; // the root
    options.log = [&](const std::string& line) {
        reason = line;
        ++said;
    };
    Sink sink;
    backends::Passthrough served(options);
    Served<backends::Passthrough> client(served);
    CHECK(served.can_tell_changes());
    served.tell_changes_to(&sink);
    client.init({});
    std::ofstream(directory.root() / "a") << "x";
    std::ofstream(directory.root() / "b") << "x";
    CHECK(client.call<Opcode::lookup>(1, {}, "a").ok());
    const Answered b = client.call<Opcode::lookup>(1, {}, "b");
    CHECK(served.counters().watched == 1);
    CHECK(served.counters().unwatched == 2);
    until([&] { return sink.has("anything"); });
    CHECK(said == 1);
    CHECK(reason.find("max_watches") != std::string::npos);
    client.call<Opcode::forget>(b.as<wire::EntryOut>().nodeid, {1});
    CHECK(served.counters().unwatched == 1);
    served.tell_changes_to(nullptr);
}

TEST_CASE("a passthrough without watches tells of nothing", "[passthrough][changes]") {
    const TemporaryDirectory directory;
    backends::PassthroughOptions options;
    options.root = directory.root().string();
    options.max_watches = 0;
    backends::Passthrough served(options);
    Sink sink;
    CHECK_FALSE(served.can_tell_changes());
    served.tell_changes_to(&sink);
    CHECK(served.counters().watched + served.counters().unwatched == 0);
    served.tell_changes_to(nullptr);
}

TEST_CASE("events that the kernel loses are told as any change, and what is told goes on", "[passthrough][changes]") {
    constexpr std::size_t kMost = 50'000; // events that a test may cause
    std::size_t kept = 0;
    std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> kept;
    if (kept == 0 || kept > kMost) return skip("this kernel keeps too many events for a test");
    Fixture f;
    f.write_host("file", "x");
    fs::create_hard_link(f.host("file"), f.host("second"));
    const std::uint64_t file = f.node(kRoot, "file");
    std::ofstream open(f.host("file"), std::ios::app);
    {
        const std::lock_guard gate(f.sink.gate());
        // Two names in turn, since events that are alike are one.
        for (std::size_t i = 0; i < kept; ++i) {
            const fs::path path = f.host(i % 2 == 0 ? "even" : "odd");
            std::ofstream(path) << "";
            fs::remove(path);
        }
        fs::remove(f.host("file"));
        fs::remove(f.host("second")); // that the watch has ended is lost as well
    }
    f.await("anything");
    until([&] {
        open << "more" << std::flush;
        return f.sink.has(f.file(file));
    });
}

TEST_CASE("threads that change and a host that changes hurt nobody, and the last word is told",
          "[passthrough][changes]") {
    Fixture f;
    constexpr int kRounds = 300;
    std::thread host([&] {
        for (int i = 0; i < kRounds; ++i) {
            const std::string name = "host" + std::to_string(i % 7);
            f.write_host(name, std::to_string(i));
            fs::remove(f.host(name));
        }
    });
    for (int i = 0; i < kRounds; ++i) {
        const std::string name = "host" + std::to_string(i % 7);
        const Answered found = f.lookup(kRoot, name);
        if (found.ok()) f.forget(found.as<wire::EntryOut>().nodeid);
        const Answered made = f.client.call<Opcode::mkdir>(kRoot, {0755, 0}, name);
        if (!made.ok()) continue;
        f.client.call<Opcode::rmdir>(kRoot, {}, name);
        f.forget(made.as<wire::EntryOut>().nodeid);
    }
    host.join();
    f.sink.forget();
    f.write_host("host0", "last");
    f.await(f.name(kRoot, "host0"));
}
