// SPDX-License-Identifier: BSD-2-Clause
// The host refuses something to the server: what the client hears of it.
#include "../../../src/backends/passthrough/open_file.hpp"
#include "passthrough_fixture.hpp"
#include "support/catch.hpp"
#include "support/no_more_descriptors.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <thread>

using namespace vfsproto;
using namespace vfsproto::test;
using abi::Errno;
using wire::Opcode;

namespace {

// Calls `body` in a thread without root's rights over files.
template <class Body> void without_privileges(Body&& body) {
    constexpr uid_t kNobody = 65534;
    std::thread([&] {
        ::syscall(SYS_setfsuid, kNobody); // does nothing for a process that is not root
        body();
    }).join();
}

} // namespace

TEST_CASE("a directory that may be read and not searched can be listed, and its file system be synced",
          "[passthrough]") {
    PassthroughFixture f;
    fs::create_directory(f.host("dir"));
    const std::uint64_t dir = f.node(1, "dir");
    REQUIRE(::chmod(f.host("dir").c_str(), 0444) == 0);
    without_privileges([&] {
        const Answered opened = f.client.call<Opcode::opendir>(dir);
        CHECK(opened.error == Errno::none);
        if (opened.ok()) {
            const std::uint64_t fh = opened.as<wire::OpenOut>().fh;
            CHECK(records_of(f.read_directory<Opcode::readdir>(fh, 0, 4096).body, false).size() == 2);
        }
        CHECK(f.client.call<Opcode::syncfs>(dir).error == Errno::none);
    });
}

TEST_CASE("FLUSH succeeds when the process has no descriptor to spare", "[passthrough]") {
    PassthroughFixture f;
    const std::uint64_t fh = f.create(1, "file").as<wire::CreateOut>().open.fh;
    REQUIRE(f.write(fh, 0, "abc").ok());
    const NoMoreDescriptors none;
    CHECK(f.client.send(Message(Opcode::flush).fixed(wire::FlushIn{fh, 0, 0, 0})).error == Errno::none);
}

TEST_CASE("what is made without a descriptor for it is not made at all", "[passthrough]") {
    PassthroughFixture f;
    struct Made {
        Errno mkdir, mknod, symlink, create;
    };
    auto make_all = [&] {
        return Made{f.client.call<Opcode::mkdir>(1, {0755, 0}, "dir").error,
                    f.client.call<Opcode::mknod>(1, {S_IFIFO | 0644, 0, 0, 0}, "fifo").error,
                    f.client.call<Opcode::symlink>(1, {}, "link", "target").error, f.create(1, "file").error};
    };
    // The server has a few descriptors laid by. Whatever it answers: what failed is not there, what succeeded is.
    int failed = 0;
    int succeeded = 0;
    for (int round = 0; round < 64; ++round) {
        Made made{};
        {
            const NoMoreDescriptors none;
            made = make_all();
        }
        for (const auto& [error, name] : {std::pair(made.mkdir, "dir"), std::pair(made.mknod, "fifo"),
                                          std::pair(made.symlink, "link"), std::pair(made.create, "file")}) {
            INFO(name);
            CHECK((error == Errno::none || error == Errno::emfile));
            CHECK(fs::exists(fs::symlink_status(f.host(name))) == (error == Errno::none));
            failed += error == Errno::emfile;
            succeeded += error == Errno::none;
            fs::remove(f.host(name));
        }
    }
    CHECK(failed > 0);
    CHECK(succeeded > 0);
    CHECK(f.client.call<Opcode::mkdir>(1, {0755, 0}, "dir").ok()); // as soon as there are descriptors again
}

TEST_CASE("a client holds no more descriptors than it may, and gets more as it gives some back", "[passthrough]") {
    constexpr std::size_t kMost = 4; // the root is one of them
    TemporaryDirectory directory;
    for (const char* name : {"a", "b", "c", "d"}) std::ofstream(directory.root() / name) << name;
    backends::PassthroughOptions options;
    options.root = directory.root().string();
    options.max_descriptors = kMost;
    backends::Passthrough served(options);
    Served<backends::Passthrough> client(served);
    client.init({});
    auto lookup = [&](const char* name) { return client.call<Opcode::lookup>(1, {}, name); };
    const std::uint64_t a = lookup("a").as<wire::EntryOut>().nodeid;
    REQUIRE(lookup("b").ok());
    const Answered opened = client.call<Opcode::open>(a, {O_RDONLY, 0});
    REQUIRE(opened.ok());
    CHECK(served.counters().inodes + served.counters().handles == kMost);

    CHECK(lookup("c").error == Errno::emfile);
    CHECK(lookup("nothing").error == Errno::enoent);
    CHECK(client.call<Opcode::open>(a, {O_RDONLY, 0}).error == Errno::emfile);
    CHECK(client.call<Opcode::opendir>(1).error == Errno::emfile);
    CHECK(client.call<Opcode::mkdir>(1, {0755, 0}, "dir").error == Errno::emfile);
    CHECK_FALSE(fs::exists(directory.root() / "dir"));
    CHECK(lookup("a").ok()); // it is known: no descriptor is taken
    client.call<Opcode::forget>(a, {1});

    wire::ReleaseIn release{};
    release.fh = opened.as<wire::OpenOut>().fh;
    REQUIRE(client.call<Opcode::release>(a, release).ok());
    CHECK(lookup("c").ok());
    CHECK(served.counters().inodes == kMost);
}

TEST_CASE("under a low limit the client leaves the process descriptors to work with", "[passthrough]") {
    enum Outcome : int { as_it_should, no_limit, client_has_few, process_has_none };
    constexpr rlim_t kLow = 64;
    TemporaryDirectory directory;
    for (rlim_t i = 0; i < kLow; ++i) std::ofstream(directory.root() / ("file" + std::to_string(i))) << "x";
    const pid_t child = ::fork(); // a hard limit is not raised again
    REQUIRE(child >= 0);
    if (child == 0) {
        const struct rlimit low{kLow, kLow};
        if (::setrlimit(RLIMIT_NOFILE, &low) != 0) ::_exit(no_limit);
        backends::PassthroughOptions options;
        options.root = directory.root().string();
        backends::Passthrough served(options);
        Served<backends::Passthrough> client(served);
        client.init({});
        rlim_t found = 0;
        while (found < kLow && client.call<Opcode::lookup>(1, {}, ("file" + std::to_string(found)).c_str()).ok())
            ++found;
        if (found < kLow / 4) ::_exit(client_has_few);
        constexpr int kForTheProcess = 16; // besides those that this program has open
        for (int i = 0; i < kForTheProcess; ++i) {
            if (::dup(STDIN_FILENO) < 0) ::_exit(process_has_none);
        }
        ::_exit(as_it_should);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == as_it_should);
}

TEST_CASE("an open directory takes memory for its entries only while it is read", "[passthrough]") {
    PassthroughFixture f;
    for (int i = 0; i < 10; ++i) f.write_host("file" + std::to_string(i), "x");
    const std::uint64_t fh = f.directory_handle(1);
    f.directory_handle(1);
    CHECK(f.served.counters().entry_buffers == 0);
    constexpr std::uint32_t kSomeEntries = 100; // bytes
    const auto some = records_of(f.read_directory<Opcode::readdir>(fh, 0, kSomeEntries).body, false);
    REQUIRE(!some.empty());
    CHECK(f.served.counters().entry_buffers == 1);
    const auto rest = records_of(f.read_directory<Opcode::readdir>(fh, some.back().dirent.off, 4096).body, false);
    CHECK(some.size() + rest.size() == 12);
    CHECK(f.read_directory<Opcode::readdir>(fh, rest.back().dirent.off, 4096).body.empty());
    CHECK(f.served.counters().entry_buffers == 0);
    // Read anew, and released in its middle.
    CHECK_FALSE(f.read_directory<Opcode::readdir>(fh, 0, kSomeEntries).body.empty());
    CHECK(f.served.counters().entry_buffers == 1);
    wire::ReleaseIn release{};
    release.fh = fh;
    REQUIRE(f.client.call<Opcode::releasedir>(1, release).ok());
    CHECK(f.served.counters().entry_buffers == 0);
}

TEST_CASE("no more than 4,096 directories are read at once", "[passthrough]") {
    backends::EntryBuffers buffers;
    std::vector<backends::EntryBuffers::Buffer> lent;
    for (std::size_t i = 0; i < backends::EntryBuffers::kMost; ++i) lent.push_back(buffers.lend());
    CHECK(lent.back() != nullptr);
    CHECK(buffers.lend() == nullptr);
    lent.pop_back();
    CHECK(buffers.lend() != nullptr);
    lent.clear();
    CHECK(buffers.lent() == 0);
}
