// SPDX-License-Identifier: BSD-2-Clause
// SETUPMAPPING and REMOVEMAPPING: host files in a shared memory window, and clients that ask for what they may not have.
#include "passthrough_fixture.hpp"
#include "support/bad_mappings.hpp"
#include "support/catch.hpp"
#include "support/window_bytes.hpp"
#include "vfsproto/backends/shared_window.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

using namespace vfsproto;
using namespace vfsproto::test;
using abi::Errno;
using backends::SharedWindow;
using wire::Opcode;

namespace {

struct MappingFixture {
    explicit MappingFixture(backends::PassthroughAccess access = backends::PassthroughAccess::read_write)
        : served(options(access)) {
        std::ofstream(directory.root() / "file", std::ios::binary) << std::string(kPage, 'a') << std::string(100, 'b');
        agreed = client.init(wire::InitFlags::of(wire::InitFlag::map_alignment));
        file = lookup("file");
    }
    backends::PassthroughOptions options(backends::PassthroughAccess access) const {
        backends::PassthroughOptions made;
        made.root = directory.root().string();
        made.access = access;
        made.window = window;
        return made;
    }
    std::uint64_t lookup(std::string_view name) {
        return client.call<Opcode::lookup>(1, {}, name).as<wire::EntryOut>().nodeid;
    }
    Errno map(const wire::SetupmappingIn& in) { return client.call<Opcode::setupmapping>(file, in).error; }
    Errno map(wire::u64 foffset, wire::u64 len, wire::u64 flags, wire::u64 moffset) {
        return map({~wire::u64{0}, foffset, len, flags, moffset});
    }
    Errno remove(const std::vector<wire::RemovemappingOne>& entries) {
        Message message(Opcode::removemapping, file);
        message.fixed(wire::RemovemappingIn{static_cast<wire::u32>(entries.size())});
        for (const wire::RemovemappingOne& one : entries) message.fixed(one);
        return client.send(message).error;
    }
    [[nodiscard]] char at(std::size_t offset) const { return static_cast<char>(window->bytes()[offset]); }
    [[nodiscard]] bool is_there(std::size_t offset) const { return test::is_there(*window, offset); }

    TemporaryDirectory directory;
    std::shared_ptr<SharedWindow> window = SharedWindow::create(kPages * kPage, 12);
    backends::Passthrough served;
    Served<backends::Passthrough> client{served};
    wire::InitOut agreed{};
    std::uint64_t file = 0;
};

} // namespace

TEST_CASE("passthrough maps a file where the client says, and unmaps it", "[passthrough]") {
    MappingFixture f;
    CHECK(f.agreed.map_alignment == 12);
    CHECK_FALSE(f.is_there(kPage));
    REQUIRE(f.map(0, 2 * kPage, kRead, kPage) == Errno::none);
    CHECK(f.at(kPage) == 'a');
    CHECK(f.at(2 * kPage) == 'b');
    CHECK(f.at(2 * kPage + 100) == 0); // to the end of the page
    CHECK_FALSE(f.is_there(0));
    CHECK_FALSE(f.is_there(3 * kPage));
    REQUIRE(f.remove({{kPage, kPage}}) == Errno::none);
    CHECK_FALSE(f.is_there(kPage));
    CHECK(f.at(2 * kPage) == 'b'); // a part of a mapping goes, and the rest stays
}

// virtio 1.2 §5.11.6: a mapping that overlaps another one replaces it there.
TEST_CASE("passthrough replaces what was mapped there", "[passthrough]") {
    MappingFixture f;
    REQUIRE(f.map(0, 2 * kPage, kRead, 0) == Errno::none);
    REQUIRE(f.map(kPage, kPage, kRead, 0) == Errno::none);
    CHECK(f.at(0) == 'b');
    CHECK(f.at(kPage) == 'b');
}

TEST_CASE("passthrough: what is written through a mapping is in the file, and the other way round", "[passthrough]") {
    MappingFixture f;
    REQUIRE(f.map(0, kPage, kBoth, 0) == Errno::none);
    std::memcpy(f.window->bytes().data() + 10, "mapped", 6);
    std::ifstream in(f.directory.root() / "file", std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(in), {}};
    CHECK(content.substr(9, 8) == "amappeda");
    std::ofstream(f.directory.root() / "file", std::ios::binary | std::ios::in) << "host";
    CHECK(std::memcmp(f.window->bytes().data(), "host", 4) == 0);
}

TEST_CASE("passthrough: bytes beyond the end of a file are mapped, and there once it grows", "[passthrough]") {
    MappingFixture f;
    REQUIRE(f.map(0, 4 * kPage, kRead, 0) == Errno::none);
    CHECK_FALSE(f.is_there(2 * kPage));
    std::ofstream(f.directory.root() / "file", std::ios::binary) << std::string(3 * kPage, 'c');
    CHECK(f.at(2 * kPage) == 'c');
    fs::resize_file(f.directory.root() / "file", 10);
    CHECK_FALSE(f.is_there(kPage));
}

TEST_CASE("passthrough refuses mappings that leave the window or make no sense, and changes nothing", "[passthrough]") {
    MappingFixture f;
    REQUIRE(f.map(0, kPage, kRead, 0) == Errno::none);
    const wire::SetupmappingIn bad = GENERATE(from_range(bad_mappings()));
    CHECK(f.map(bad) == Errno::einval);
    CHECK(f.at(0) == 'a');
}

TEST_CASE("passthrough refuses removals that leave the window before it removes anything", "[passthrough]") {
    MappingFixture f;
    REQUIRE(f.map(0, kPage, kRead, 0) == Errno::none);
    check_bad_removals(f);
}

TEST_CASE("passthrough maps regular files alone, that the client knows", "[passthrough]") {
    MappingFixture f;
    REQUIRE(::mkfifo((f.directory.root() / "fifo").c_str(), 0600) == 0);
    fs::create_symlink("../secret", f.directory.root() / "link");
    const wire::SetupmappingIn in{~wire::u64{0}, 0, kPage, kRead, 0};
    const auto error_of = [&](std::uint64_t nodeid) { return f.client.call<Opcode::setupmapping>(nodeid, in).error; };
    CHECK(error_of(1) == Errno::ebadf);
    CHECK(error_of(f.lookup("fifo")) == Errno::ebadf);
    CHECK(error_of(f.lookup("link")) == Errno::ebadf);
    CHECK(error_of(f.file + 1000) == Errno::estale);
    CHECK_FALSE(f.is_there(0));
}

TEST_CASE("passthrough: a read-only share is mapped to be read, and to be written never", "[passthrough]") {
    MappingFixture f(backends::PassthroughAccess::read_only);
    CHECK(f.map(0, kPage, kBoth, 0) == Errno::erofs);
    CHECK(f.map(0, kPage, wire::kSetupmappingWrite, 0) == Errno::erofs);
    REQUIRE(f.map(0, kPage, kRead, 0) == Errno::none);
    CHECK(f.at(0) == 'a');
    CHECK(::mprotect(f.window->bytes().data(), kPage, PROT_READ | PROT_WRITE) != 0); // the descriptor was one to read
}

TEST_CASE("passthrough: mappings end with the session", "[passthrough]") {
    MappingFixture f;
    REQUIRE(f.map(0, kPage, kRead, 3 * kPage) == Errno::none);
    CHECK(f.client.send(Message(Opcode::destroy, 0)).ok());
    CHECK_FALSE(f.is_there(3 * kPage));
}

TEST_CASE("passthrough without a window says nothing of alignment", "[passthrough]") {
    PassthroughFixture f;
    CHECK(f.client.init(wire::InitFlags::of(wire::InitFlag::map_alignment)).map_alignment == 0);
}

TEST_CASE("a window has the size that was asked for, and begins at a multiple of its alignment") {
    const auto window = SharedWindow::create(std::size_t{4} << 20);
    REQUIRE(window != nullptr);
    CHECK(window->bytes().size() == std::size_t{4} << 20);
    CHECK(reinterpret_cast<std::uintptr_t>(window->bytes().data()) % (std::size_t{2} << 20) == 0);
    CHECK(SharedWindow::create(0) == nullptr);
    CHECK(SharedWindow::create(std::size_t{3} << 20) == nullptr);
    CHECK(SharedWindow::create(1 << 20, 8) == nullptr);
}

TEST_CASE("a piece of a window begins and ends at multiples of its alignment") {
    constexpr std::uint64_t kUnit = std::uint64_t{2} << 20;
    const auto window = SharedWindow::create(2 * kUnit);
    REQUIRE(window != nullptr);
    CHECK(window->fits({0, kUnit}));
    CHECK(window->fits({0, 2 * kUnit}));
    CHECK(window->fits({kUnit, kUnit}));
    CHECK_FALSE(window->fits({0, kPage})); // what is left of a unit would be a mapping of its own
    CHECK_FALSE(window->fits({0, kUnit + kPage}));
    CHECK_FALSE(window->fits({kPage, kUnit}));
    CHECK_FALSE(window->fits({kUnit, 2 * kUnit}));
    CHECK_FALSE(window->fits({0, 0}));
    CHECK(window->unmap({0, kPage}) == EINVAL);
}
