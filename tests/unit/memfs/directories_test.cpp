// SPDX-License-Identifier: BSD-2-Clause
#include "direct_calls.hpp"

#include <set>

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

struct Listed {
    std::string name;
    u64 next;
    u64 nodeid;
};

wire::ReadIn read_of(u64 fh, u64 offset, u32 size) {
    wire::ReadIn in{};
    in.fh = fh, in.offset = offset, in.size = size;
    return in;
}

std::string name_of(wire::Name name) { return {name.data(), name.size()}; }

std::vector<Listed> list(Client& client, u64 node, u64 fh, u64 offset, u32 size) {
    const auto answer = client.call<Opcode::readdir>(node, read_of(fh, offset, size));
    REQUIRE(answer.error == Errno::none);
    std::vector<Listed> all;
    wire::DirentReader reader(answer.data);
    while (reader.next()) all.push_back({name_of(reader.entry().name), reader.entry().next, 0});
    REQUIRE(reader.error() == Errc::ok);
    return all;
}

std::vector<Listed> list_plus(Client& client, u64 node, u64 fh, u64 offset, u32 size) {
    const auto answer = client.call<Opcode::readdirplus>(node, read_of(fh, offset, size));
    REQUIRE(answer.error == Errno::none);
    std::vector<Listed> all;
    wire::DirentplusReader reader(answer.data);
    while (reader.next()) {
        all.push_back({name_of(reader.entry().dirent.name), reader.entry().dirent.next, reader.entry().entry.nodeid});
    }
    REQUIRE(reader.error() == Errc::ok);
    return all;
}

u64 open_directory(Client& client, u64 node) {
    const auto answer = client.call<Opcode::opendir>(node, {});
    REQUIRE(answer.error == Errno::none);
    return answer.out.fh;
}

} // namespace

TEST_CASE("a listing continues where it stopped, whatever the size of the buffer") {
    Memfs fs;
    Client client(fs);
    std::set<std::string> expected{".", ".."};
    for (int i = 0; i < 50; ++i) {
        const std::string name = "entry-" + std::string(static_cast<std::size_t>(i), 'x');
        client.mkdir(1, name);
        expected.insert(name);
    }
    const u64 fh = open_directory(client, 1);
    for (const u32 size : {88u, 200u, 1000u, 100000u}) {
        std::vector<std::string> names;
        u64 offset = 0;
        for (;;) {
            const auto part = list(client, 1, fh, offset, size);
            if (part.empty()) break;
            for (const Listed& entry : part) names.push_back(entry.name);
            offset = part.back().next;
        }
        CHECK(names.size() == expected.size());
        CHECK(std::set<std::string>(names.begin(), names.end()) == expected);
    }
    CHECK(client.call<Opcode::releasedir>(1, {fh, 0, 0, 0}).error == Errno::none);
    CHECK(fs.open_handles() == 0);
}

TEST_CASE("names that last are listed exactly once while others come and go") {
    Memfs fs;
    Client client(fs);
    for (int i = 0; i < 100; ++i) client.mkdir(1, "d" + std::to_string(i));
    const u64 fh = open_directory(client, 1);
    std::multiset<std::string> seen;
    u64 offset = 0;
    int step = 0;
    for (;;) {
        const auto part = list(client, 1, fh, offset, 200);
        if (part.empty()) break;
        for (const Listed& entry : part) seen.insert(entry.name);
        offset = part.back().next;
        // Entries that were just listed go, the continuation's own among them; odd ones ahead go; new ones come.
        for (const Listed& entry : part) {
            if (entry.name[0] == 'd') client.call<Opcode::rmdir>(1, {}, {.name = entry.name});
        }
        client.call<Opcode::rmdir>(1, {}, {.name = "d" + std::to_string(99 - 2 * step)});
        if (++step < 20) client.mkdir(1, "new" + std::to_string(step));
    }
    for (int i = 0; i < 100; i += 2) CHECK(seen.count("d" + std::to_string(i)) == 1);
    for (const std::string& name : seen) CHECK(seen.count(name) == 1);
}

TEST_CASE("READDIRPLUS counts a lookup for each record that was sent, and for no dots") {
    Memfs fs;
    Client client(fs);
    for (int i = 0; i < 10; ++i) client.forget(client.mkdir(1, "d" + std::to_string(i)), 1);
    CHECK(fs.lookups() == 0);
    const u64 fh = open_directory(client, 1);
    const auto some = list_plus(client, 1, fh, 0, 800);
    REQUIRE(some.size() == 5); // of 160 bytes each
    CHECK(some[0].nodeid == 0);
    CHECK(some[1].nodeid == 0);
    CHECK(some[2].nodeid != 0);
    CHECK(fs.lookups() == 3);
    list_plus(client, 1, fh, some.back().next, 10000);
    CHECK(fs.lookups() == 10);
}

TEST_CASE("a buffer too small for one entry is an error, not the end") {
    Memfs fs;
    Client client(fs);
    client.mkdir(1, "a");
    const u64 fh = open_directory(client, 1);
    CHECK(client.call<Opcode::readdir>(1, read_of(fh, 0, 31)).error == Errno::einval);
    CHECK(client.call<Opcode::readdirplus>(1, read_of(fh, 0, 159)).error == Errno::einval);
    CHECK(client.call<Opcode::readdirplus>(1, read_of(fh, 0, 160), {.room = 100}).error == Errno::einval);
    CHECK(fs.lookups() == 1);
    const u64 end = list(client, 1, fh, 0, 4096).back().next;
    CHECK(list(client, 1, fh, end, 16).empty());
}

TEST_CASE("directories are opened as such and removed ones list nothing") {
    Memfs fs;
    Client client(fs);
    const auto file = client.create(1, "f");
    CHECK(client.call<Opcode::opendir>(file.entry.nodeid, {}).error == Errno::enotdir);
    const u64 d = client.mkdir(1, "d");
    const u64 fh = open_directory(client, d);
    CHECK(client.call<Opcode::fsyncdir>(d, {fh, 0, 0}).error == Errno::none);
    CHECK(client.call<Opcode::rmdir>(1, {}, {.name = "d"}).error == Errno::none);
    CHECK(client.call<Opcode::readdir>(d, read_of(fh, 0, 4096)).error == Errno::enoent);
    CHECK(client.call<Opcode::readdir>(1, read_of(fh, 0, 4096)).error == Errno::ebadf);
}
