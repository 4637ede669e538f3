// SPDX-License-Identifier: BSD-2-Clause
#include "passthrough_fixture.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <cstdlib>
#include <set>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::test;
using abi::Errno;
using wire::Opcode;

TEST_CASE("an inode is held as long as its lookups are", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "x");
    CHECK(f.served.counters().inodes == 1);
    const std::uint64_t node = f.node(1, "file");
    CHECK(f.node(1, "file") == node);
    CHECK(f.node(1, "file") == node);
    CHECK(f.served.counters().inodes == 2);
    f.forget(node, 2);
    CHECK(f.client.call<Opcode::getattr>(node).ok());
    f.forget(node, 1);
    CHECK(f.served.counters().inodes == 1);
    CHECK(f.client.call<Opcode::getattr>(node).error == Errno::estale);
}

TEST_CASE("a nodeid is never used twice", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "x");
    const std::uint64_t first = f.node(1, "file");
    f.forget(first);
    const std::uint64_t second = f.node(1, "file");
    CHECK(second != first);
    CHECK(f.client.call<Opcode::getattr>(first).error == Errno::estale);
    CHECK(f.client.call<Opcode::getattr>(second).ok());
    CHECK(f.lookup(1, "file").as<wire::EntryOut>().generation == second >> 32);
}

TEST_CASE("every row that gives an entry counts it once", "[passthrough]") {
    PassthroughFixture f;
    const Answered created = f.create(1, "file");
    const std::uint64_t file = created.as<wire::CreateOut>().entry.nodeid;
    const std::uint64_t made[] = {
        file,
        f.client.call<Opcode::mkdir>(1, {0755, 0}, "dir").as<wire::EntryOut>().nodeid,
        f.client.call<Opcode::mknod>(1, {S_IFIFO | 0644, 0, 0, 0}, "fifo").as<wire::EntryOut>().nodeid,
        f.client.call<Opcode::symlink>(1, {}, "link", "target").as<wire::EntryOut>().nodeid,
        f.client.call<Opcode::link>(1, {file}, "other").as<wire::EntryOut>().nodeid,
    };
    CHECK(made[4] == file);
    CHECK(f.served.counters().inodes == 5);
    for (const std::uint64_t nodeid : made) f.forget(nodeid);
    CHECK(f.served.counters().inodes == 1);
    CHECK(f.served.counters().over_forgotten == 0);
}

TEST_CASE("a FORGET of too much is clamped and counted, the root is immortal", "[passthrough][hostile]") {
    PassthroughFixture f;
    f.write_host("file", "x");
    const std::uint64_t node = f.node(1, "file");
    f.forget(node, 1000000);
    CHECK(f.served.counters().inodes == 1);
    CHECK(f.served.counters().over_forgotten == 1);
    f.forget(node);
    f.forget(0);
    f.forget(~std::uint64_t{0});
    CHECK(f.served.counters().over_forgotten == 4);
    f.forget(1, 1000000);
    CHECK(f.client.call<Opcode::getattr>(1).ok());
}

TEST_CASE("BATCH_FORGET forgets each", "[passthrough]") {
    PassthroughFixture f;
    Message message(Opcode::batch_forget);
    message.fixed(wire::BatchForgetIn{20, 0});
    for (int i = 0; i < 20; ++i) {
        const std::string name = "file" + std::to_string(i);
        f.write_host(name, "x");
        f.node(1, name);
        message.fixed(wire::ForgetOne{f.node(1, name), 2});
    }
    CHECK(f.served.counters().inodes == 21);
    CHECK(f.client.send(message).written == 0);
    CHECK(f.served.counters().inodes == 1);
}

TEST_CASE("READDIRPLUS counts what it wrote and nothing else", "[passthrough]") {
    PassthroughFixture f;
    for (int i = 0; i < 50; ++i) f.write_host("file" + std::to_string(i), "x");
    fs::create_symlink("nowhere", f.host("link"));
    const std::uint64_t fh = f.directory_handle(1);
    std::map<std::uint64_t, int> counted;
    std::set<std::string> names;
    std::uint64_t offset = 0;
    for (;;) {
        const Answered answer = f.read_directory<Opcode::readdirplus>(fh, offset, 700); // four records
        REQUIRE(answer.ok());
        const auto records = records_of(answer.body, true);
        if (records.empty()) break;
        for (const Listed& one : records) {
            CHECK(names.insert(one.name).second);
            offset = one.dirent.off;
            if (one.name == "." || one.name == "..") {
                CHECK(one.entry.nodeid == 0);
            } else {
                CHECK(one.entry.nodeid > 1);
                ++counted[one.entry.nodeid];
                CHECK(one.dirent.ino == one.entry.attr.ino);
                CHECK(one.dirent.type == one.entry.attr.mode >> 12);
            }
        }
    }
    CHECK(names.size() == 53);
    CHECK(f.served.counters().inodes == 52);
    for (const auto& [nodeid, count] : counted) f.forget(nodeid, static_cast<std::uint64_t>(count));
    CHECK(f.served.counters().inodes == 1);
    CHECK(f.served.counters().over_forgotten == 0);
}

TEST_CASE("an inode that is gone from the tree stays until it is forgotten", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "content");
    const std::uint64_t node = f.node(1, "file");
    REQUIRE(f.client.call<Opcode::unlink>(1, {}, "file").ok());
    CHECK(f.attributes(node).nlink == 0);
    CHECK(f.read(f.handle(node, O_RDONLY), 0, 100).text() == "content");
    CHECK(f.client.call<Opcode::link>(1, {node}, "again").error == Errno::enoent);
    // A new file of that name is another one.
    f.write_host("file", "new");
    CHECK(f.node(1, "file") != node);
}

TEST_CASE("a FORGET on hiprio racing lookups loses no count", "[passthrough][race]") {
    PassthroughFixture f;
    f.write_host("file", "x");
    constexpr int kRounds = 1000;
    auto work = [&](std::uint16_t lane) {
        Served<backends::Passthrough> queue(f.served, f.client.session(), wire::QueueKind::request, lane);
        for (int i = 0; i < kRounds; ++i) {
            const Answered found = queue.call<Opcode::lookup>(1, {}, "file");
            if (!found.ok()) std::abort();
            const std::uint64_t nodeid = found.as<wire::EntryOut>().nodeid;
            // Counted for us, so it cannot be gone, whatever the other thread forgets.
            if (!queue.call<Opcode::getattr>(nodeid).ok()) std::abort();
            queue.call<Opcode::forget>(nodeid, {1});
        }
    };
    std::thread other(work, std::uint16_t{2});
    work(3);
    other.join();
    CHECK(f.served.counters().inodes == 1);
    CHECK(f.served.counters().over_forgotten == 0);
}

TEST_CASE("DESTROY and another INIT make nodeids and handles void", "[passthrough]") {
    PassthroughFixture f;
    f.write_host("file", "x");
    const std::uint64_t node = f.node(1, "file");
    const std::uint64_t fh = f.handle(node, O_RDONLY);
    SECTION("DESTROY") {
        CHECK(f.client.call<Opcode::destroy>(1).ok());
        CHECK(f.served.counters().inodes == 1);
        CHECK(f.served.counters().handles == 0);
        f.client.init({});
    }
    SECTION("INIT") { f.client.init({}); }
    CHECK(f.client.call<Opcode::getattr>(node).error == Errno::estale);
    CHECK(f.read(fh, 0, 1).error == Errno::ebadf);
    CHECK(f.client.call<Opcode::getattr>(1).ok());
    CHECK(f.node(1, "file") != node);
}

TEST_CASE("a handle released while another thread reads through it stays whole until that is done",
          "[passthrough][race]") {
    PassthroughFixture f;
    f.write_host("file", "content");
    f.write_host("other", "other!!");
    const std::uint64_t node = f.node(1, "file");
    const std::uint64_t other = f.node(1, "other");
    std::uint64_t current = f.handle(node, O_RDONLY);
    std::atomic<std::uint64_t> shared{current};
    std::atomic<bool> stop{false};
    std::thread reader([&] {
        Served<backends::Passthrough> queue(f.served, f.client.session(), wire::QueueKind::request, 2);
        while (!stop) {
            wire::ReadIn in{};
            in.fh = shared;
            in.size = 7;
            const Answered answer = queue.send(Message(Opcode::read).fixed(in), {16, 7});
            // The answer is never another file's bytes, although descriptor numbers are reused all the time.
            if (answer.ok() ? answer.text() != "content" : answer.error != Errno::ebadf) std::abort();
        }
    });
    for (int i = 0; i < 500; ++i) {
        f.release(current);
        const std::uint64_t decoy = f.handle(other, O_RDONLY);
        current = f.handle(node, O_RDONLY);
        shared = current;
        f.release(decoy);
    }
    stop = true;
    reader.join();
    CHECK(f.served.counters().handles == 1);
}
