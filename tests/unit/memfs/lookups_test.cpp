// SPDX-License-Identifier: BSD-2-Clause
// References to nodes: what a client has to give back, and what it may not.
#include "direct_calls.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

TEST_CASE("every reply with an entry counts one lookup, and FORGET takes them back") {
    Memfs fs;
    Client client(fs);
    const u64 node = client.create(1, "f").entry.nodeid;
    client.lookup(1, "f");
    client.lookup(1, "f");
    CHECK(fs.lookups_of(node) == 3);
    CHECK(fs.lookups() == 3);
    client.forget(node, 2);
    CHECK(fs.lookups_of(node) == 1);
    client.forget(node, 1);
    CHECK(fs.lookups() == 0);
    CHECK(fs.misuse().over_forgets == 0);
    CHECK(client.call<Opcode::getattr>(node).error == Errno::estale);
    CHECK(client.lookup(1, "f").nodeid == node);
}

TEST_CASE("forgetting too much is counted and does no harm") {
    Memfs fs;
    Client client(fs);
    const u64 node = client.create(1, "f").entry.nodeid;
    client.forget(node, 2);
    CHECK(fs.misuse().over_forgets == 1);
    CHECK(fs.lookups_of(node) == 0);
    client.forget(12345, 1);
    CHECK(fs.misuse().over_forgets == 2);
    CHECK(client.lookup(1, "f").nodeid == node);
}

TEST_CASE("BATCH_FORGET forgets each of its nodes") {
    Memfs fs;
    Client client(fs);
    const wire::ForgetOne list[] = {{client.mkdir(1, "a"), 1}, {client.mkdir(1, "b"), 1}};
    const auto bytes = std::as_bytes(std::span(list));
    client.call<Opcode::batch_forget>(0, {2, 0}, {.data = Bytes(bytes.begin(), bytes.end())});
    CHECK(fs.lookups() == 0);
    CHECK(fs.misuse().over_forgets == 0);
}

TEST_CASE("a negative entry is offered only when it may be kept") {
    backends::MemfsOptions options;
    options.negative_valid = 1500000000;
    options.entry_valid = 2000000001;
    options.attr_valid = 3000000000;
    Memfs fs(options);
    Client client(fs);
    const auto absent = client.lookup(1, "absent");
    CHECK(absent.nodeid == 0);
    CHECK(absent.entry_valid == 1);
    CHECK(absent.entry_valid_nsec == 500000000);
    CHECK(fs.lookups() == 0);
    const auto made = client.create(1, "f").entry;
    CHECK(made.entry_valid == 2);
    CHECK(made.entry_valid_nsec == 1);
    CHECK(made.attr_valid == 3);
}

TEST_CASE("the end of a session voids lookups, handles and locks, and files without a name go") {
    Memfs fs;
    Client client(fs);
    const auto made = client.create(1, "gone");
    client.create(1, "stays");
    wire::LkIn lock{};
    lock.fh = made.open.fh;
    lock.lk.type = abi::kLockWrite;
    CHECK(client.call<Opcode::setlk>(made.entry.nodeid, lock).error == Errno::none);
    CHECK(client.call<Opcode::unlink>(1, {}, {.name = "gone"}).error == Errno::none);
    fs.on_destroy();
    CHECK(fs.lookups() == 0);
    CHECK(fs.open_handles() == 0);
    CHECK(fs.nodes() == 2);
    CHECK(client.lookup(1, "stays").attr.nlink == 1);
    CHECK(fs.misuse().over_forgets == 0);
}
