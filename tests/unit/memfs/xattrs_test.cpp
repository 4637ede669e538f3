// SPDX-License-Identifier: BSD-2-Clause
#include "direct_calls.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

struct Attributes {
    Memfs fs;
    Client client{fs};
    u64 node = client.create(1, "f").entry.nodeid;

    Errno set(u64 on, wire::Name name, std::string_view value, u32 flags = 0) {
        const wire::SetxattrIn in{static_cast<u32>(value.size()), flags, 0, 0};
        return client.call<Opcode::setxattr>(on, in, {.name = name, .data = to_bytes(value)}).error;
    }
    Answered<Opcode::getxattr> get(u64 on, wire::Name name, u32 size) {
        return client.call<Opcode::getxattr>(on, {size, 0}, {.name = name});
    }
};

} // namespace

TEST_CASE("extended attributes are set, found by size and by value, listed and removed") {
    Attributes on;
    CHECK(on.set(on.node, "user.a", "value") == Errno::none);
    CHECK(on.set(on.node, "user.b", "") == Errno::none);
    CHECK(on.get(on.node, "user.a", 0).out.size == 5);
    CHECK(to_text(on.get(on.node, "user.a", 5).data) == "value");
    CHECK(on.get(on.node, "user.a", 4).error == Errno::erange);
    CHECK(on.get(on.node, "user.b", 4).data.empty());
    CHECK(on.client.call<Opcode::listxattr>(on.node, {0, 0}).out.size == 14);
    CHECK(to_text(on.client.call<Opcode::listxattr>(on.node, {14, 0}).data) == std::string("user.a\0user.b\0", 14));
    CHECK(on.client.call<Opcode::listxattr>(on.node, {13, 0}).error == Errno::erange);
    CHECK(on.client.call<Opcode::removexattr>(on.node, {}, {.name = "user.a"}).error == Errno::none);
    CHECK(on.client.call<Opcode::removexattr>(on.node, {}, {.name = "user.a"}).error == Errno::enodata);
    CHECK(on.get(on.node, "user.a", 0).error == Errno::enodata);
}

TEST_CASE("XATTR_CREATE and XATTR_REPLACE insist") {
    Attributes on;
    CHECK(on.set(on.node, "user.a", "1", abi::kXattrReplace) == Errno::enodata);
    CHECK(on.set(on.node, "user.a", "1", abi::kXattrCreate) == Errno::none);
    CHECK(on.set(on.node, "user.a", "2", abi::kXattrCreate) == Errno::eexist);
    CHECK(on.set(on.node, "user.a", "2", abi::kXattrReplace) == Errno::none);
    CHECK(on.set(on.node, "user.a", "2", 4) == Errno::einval);
}

TEST_CASE("names and sizes of extended attributes have limits") {
    Attributes on;
    CHECK(on.set(on.node, "", "x") == Errno::erange);
    CHECK(on.set(on.node, "user." + std::string(251, 'x'), "x") == Errno::erange);
    CHECK(on.set(on.node, "user.", "x") == Errno::einval);
    CHECK(on.set(on.node, "nonsense", "x") == Errno::eopnotsupp);
    CHECK(on.set(on.node, "user.big", std::string(65536, 'x')) == Errno::none);
    CHECK(on.set(on.node, "user.big", std::string(65537, 'x')) == Errno::e2big);
    const auto link = on.client.call<Opcode::symlink>(1, {}, {.name = "s", .second = "f"});
    CHECK(on.set(link.out.nodeid, "user.a", "x") == Errno::eperm);
    CHECK(on.set(link.out.nodeid, "trusted.a", "x") == Errno::none);
    CHECK(on.set(1, "user.a", "x") == Errno::none);
}
