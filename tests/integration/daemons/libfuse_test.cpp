// SPDX-License-Identifier: BSD-2-Clause
// posix::Mount over a stream before a server that nobody here wrote: libfuse's low-level session, FUSE 7.31.
#include "support/catch.hpp"
#include "support/libfuse_server.hpp"
#include "support/program.hpp"
#include "support/watchdog.hpp"

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/backends/fuse_stream.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/mount.hpp"
#include "vfsproto/posix/mount_options.hpp"
#include "vfsproto/posix/server_change.hpp"

#include <sys/stat.h>

#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::abi;
using abi::Errno;
using test::LibfuseServer;
using test::Watchdog;

namespace {

constexpr const char* kNothingLeft = "lookups 0, over-forgets 0, destroyed 1\n";

std::string told(posix::Mount& mount, const char* what) {
    const auto value = mount.get_xattr("/", what);
    if (!value) return value.failure().text();
    return {reinterpret_cast<const char*>(value->data()), value->size()};
}

struct OnStream {
    explicit OnStream(const LibfuseServer& server, const posix::MountOptions& options = {}) {
        backends::FuseStreamOptions transport;
        transport.socket_path = server.socket();
        auto opened = backends::FuseStream::open(std::move(transport));
        if (!opened) throw std::runtime_error(opened.message);
        stream = opened.device.get();
        auto opened_mount = posix::Mount::open(std::move(opened.device), options);
        if (!opened_mount) throw std::runtime_error(opened_mount.failure().text());
        mount = std::move(*opened_mount);
    }
    // Gives every lookup back, as the server sees it, then ends the mount: with DESTROY they would be gone without a word.
    void end() {
        test::until([&] {
            mount->prune(); // what a call that was let go of keeps becomes idle a little later
            return told(*mount, "user.lookups") == "0";
        });
        mount.reset();
    }

    backends::FuseStream* stream = nullptr;
    std::unique_ptr<posix::Mount> mount;
};

std::vector<std::byte> noise(std::size_t size) {
    std::vector<std::byte> data(size);
    for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<std::byte>(i * 31 >> 4);
    return data;
}

std::vector<std::byte> bytes_of(std::string_view text) {
    const auto* from = reinterpret_cast<const std::byte*>(text.data());
    return {from, from + text.size()};
}

} // namespace

TEST_CASE("libfuse and the client agree on FUSE 7.31 and on what both have", "[integration][libfuse]") {
    if (LibfuseServer::missing()) return;
    const Watchdog watchdog("INIT");
    LibfuseServer server;
    OnStream on(server);
    {
        const client::SessionParams& params = on.mount->channel().params();
        CHECK(params.minor == 31);
        CHECK(params.flags.has(wire::InitFlag::do_readdirplus));
        CHECK(params.flags.has(wire::InitFlag::max_pages));
        CHECK_FALSE(params.flags.has(wire::InitFlag::handle_killpriv_v2)); // came with 7.33
        CHECK(params.max_write == 1u << 20);
        CHECK(on.mount->channel().rings() == nullptr);
    }
    on.end();
    CHECK(server.wait() == kNothingLeft);
}

TEST_CASE("libfuse keeps files of every size, through copied and through registered memory", "[integration][libfuse]") {
    if (LibfuseServer::missing()) return;
    const Watchdog watchdog("sizes");
    LibfuseServer server;
    OnStream on(server);
    {
        posix::Mount& mount = *on.mount;
        auto buffer = mount.allocate(std::size_t{5} << 20);
        REQUIRE(buffer);
        for (const std::size_t size : {0, 1, 4095, 4096, 65'537, 1'048'576, 1'048'577, 5'000'000}) {
            CAPTURE(size);
            const auto data = noise(size);
            auto file = mount.open_file("/file", kOCreat | kOTrunc | kORdwr, 0640);
            REQUIRE(file);
            const auto written = mount.write(*file, data, 0);
            REQUIRE(written);
            CHECK(*written == size);
            const auto attributes = mount.stat(*file);
            REQUIRE(attributes);
            CHECK(attributes->size == size);
            CHECK(attributes->mode == (S_IFREG | 0640));
            std::vector<std::byte> copied(size + 10);
            const auto read = mount.read_all(*file, copied, 0);
            REQUIRE(read);
            CHECK(*read == size);
            CHECK(std::equal(data.begin(), data.end(), copied.begin()));
            const auto registered = mount.read_all(*file, buffer->bytes().first(size), 0);
            REQUIRE(registered);
            CHECK(std::equal(data.begin(), data.end(), buffer->bytes().begin()));
            if (size > 2) {
                const auto tail = mount.write(*file, buffer->bytes().first(size / 2), size);
                REQUIRE(tail);
                CHECK(mount.stat("/file")->size == size + size / 2);
            }
            CHECK_FALSE(mount.close(*std::move(file)).happened());
        }
        CHECK_FALSE(mount.truncate("/file", 3).happened());
        CHECK(mount.stat("/file")->size == 3);
    }
    on.end();
    CHECK(server.wait() == kNothingLeft);
}

TEST_CASE("libfuse gets every lookup back, one by one or all with the end", "[integration][libfuse]") {
    if (LibfuseServer::missing()) return;
    const Watchdog watchdog("forgets");
    LibfuseServer server;
    OnStream on(server);
    {
        posix::Mount& mount = *on.mount;
        constexpr int kFiles = 300;
        REQUIRE_FALSE(mount.mkdir("/dir").happened());
        for (int i = 0; i < kFiles; ++i) {
            auto file = mount.open_file("/dir/file" + std::to_string(i), kOCreat | kOExcl | kOWronly);
            REQUIRE(file);
            CHECK_FALSE(mount.close(*std::move(file)).happened());
        }
        const auto entries = mount.list("/dir");
        REQUIRE(entries);
        CHECK(entries->size() == kFiles);
        for (int i = 0; i < kFiles; i += 2) CHECK(mount.stat("/dir/file" + std::to_string(i)));
        CHECK(told(mount, "user.lookups") != "0");
        mount.prune();
        test::until([&] { return told(mount, "user.lookups") == "0"; });
        for (int i = 0; i < kFiles; ++i) CHECK_FALSE(mount.unlink("/dir/file" + std::to_string(i)).happened());
        CHECK(mount.stat("/dir"));
    }
    on.end();
    CHECK(server.wait() == kNothingLeft);
}

TEST_CASE("libfuse lists a directory with attributes, in as many requests as it takes", "[integration][libfuse]") {
    if (LibfuseServer::missing()) return;
    const Watchdog watchdog("READDIRPLUS");
    LibfuseServer server;
    OnStream on(server);
    {
        posix::Mount& mount = *on.mount;
        std::set<std::string> names;
        for (int i = 0; i < 1000; ++i) {
            const std::string name = "a rather long name for a file, number " + std::to_string(i);
            REQUIRE_FALSE(mount.mknod("/" + name, S_IFREG | 0600, 0).happened());
            names.insert(name);
        }
        const auto entries = mount.list("/");
        REQUIRE(entries);
        std::set<std::string> seen;
        for (const auto& entry : *entries) seen.insert(entry.name);
        CHECK(seen == names);
    }
    on.end();
    CHECK(server.wait() == kNothingLeft);
}

TEST_CASE("libfuse answers for names, links, attributes, xattrs and space, and its errors are told",
          "[integration][libfuse]") {
    if (LibfuseServer::missing()) return;
    const Watchdog watchdog("operations");
    LibfuseServer server;
    OnStream on(server);
    {
        posix::Mount& mount = *on.mount;
        CHECK(mount.stat("/absent").failure().error == Errno::enoent);
        REQUIRE_FALSE(mount.mkdir("/dir", 0750).happened());
        CHECK(mount.mkdir("/dir").error == Errno::eexist);
        CHECK(mount.stat("/dir")->mode == (S_IFDIR | 0750));
        REQUIRE_FALSE(mount.symlink("dir", "/link").happened());
        CHECK(*mount.readlink("/link") == "dir");
        CHECK(mount.stat("/link")->mode == (S_IFDIR | 0750));
        REQUIRE(mount.open_file("/dir/file", kOCreat | kOWronly, 0600));
        CHECK(mount.rmdir("/dir").error == Errno::enotempty);
        CHECK(mount.unlink("/dir").error == Errno::eisdir);
        REQUIRE_FALSE(mount.rename("/dir/file", "/moved").happened());
        CHECK(mount.stat("/dir/file").failure().error == Errno::enoent);
        REQUIRE_FALSE(mount.chmod("/moved", 0644).happened());
        CHECK(mount.stat("/moved")->mode == (S_IFREG | 0644));
        CHECK(mount.link("/moved", "/second").error == Errno::eperm); // as Linux says of a server without LINK

        REQUIRE_FALSE(mount.set_xattr("/moved", "user.one", bytes_of("first")).happened());
        REQUIRE_FALSE(mount.set_xattr("/moved", "user.two", noise(60'000)).happened());
        CHECK(*mount.get_xattr("/moved", "user.one") == bytes_of("first"));
        CHECK(*mount.get_xattr("/moved", "user.two") == noise(60'000));
        CHECK(*mount.list_xattrs("/moved") == std::vector<std::string>{"user.one", "user.two"});
        REQUIRE_FALSE(mount.remove_xattr("/moved", "user.one").happened());
        CHECK(mount.get_xattr("/moved", "user.one").failure().error == Errno::enodata);

        const auto space = mount.statfs();
        REQUIRE(space);
        CHECK(space->blocks == 1000);
        CHECK(space->bavail == 500);
        CHECK(space->namelen == 200);
    }
    on.end();
    CHECK(server.wait() == kNothingLeft);
}

TEST_CASE("several threads share a stream to libfuse", "[integration][libfuse]") {
    if (LibfuseServer::missing()) return;
    const Watchdog watchdog("threads");
    LibfuseServer server;
    posix::MountOptions options;
    options.channel.waiting = GENERATE(posix::Waiting::event, posix::Waiting::poll, posix::Waiting::adaptive);
    OnStream on(server, options);
    {
        posix::Mount& mount = *on.mount;
        std::atomic<int> failures{0};
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&, t] {
                const std::string path = "/file" + std::to_string(t);
                const auto data = noise(300'000 + static_cast<std::size_t>(t));
                for (int round = 0; round < 10; ++round) {
                    auto file = mount.open_file(path, kOCreat | kORdwr);
                    if (!file) {
                        ++failures;
                        return;
                    }
                    const auto written = mount.write(*file, data, 0);
                    failures += !written || *written != data.size();
                    std::vector<std::byte> back(data.size());
                    const auto read = mount.read_all(*file, back, 0);
                    failures += !read || back != data;
                    failures += mount.close(*std::move(file)).happened();
                }
                failures += mount.unlink(path).happened();
            });
        }
        for (std::thread& thread : threads) thread.join();
        CHECK(failures == 0);
    }
    on.end();
    CHECK(server.wait() == kNothingLeft);
}

TEST_CASE("libfuse's notifications are counted, and disturb nothing", "[integration][libfuse]") {
    if (LibfuseServer::missing()) return;
    const Watchdog watchdog("notifications");
    LibfuseServer server;
    OnStream on(server);
    {
        posix::Mount& mount = *on.mount;
        REQUIRE(mount.open_file("/file", kOCreat | kOWronly));
        CHECK_FALSE(mount.set_xattr("/file", "user.notify.inode", {}).happened());
        CHECK(on.stream->counters().notifications == 1);
        CHECK_FALSE(mount.set_xattr("/", "user.notify.entry", bytes_of("file")).happened());
        CHECK(on.stream->counters().notifications == 2);
        CHECK_FALSE(mount.set_xattr("/file", "user.notify.store", noise(60'000)).happened());
        CHECK(on.stream->counters().notifications == 3);
        CHECK(mount.stat("/file"));
    }
    on.end();
    CHECK(server.wait() == kNothingLeft);
}

TEST_CASE("what is kept is seen anew once libfuse tells that it changed", "[integration][libfuse]") {
    if (LibfuseServer::missing()) return;
    const Watchdog watchdog("invalidation");
    LibfuseServer server;
    posix::MountOptions options;
    options.cache.mode = posix::CacheMode::always;
    OnStream on(server, options);
    {
        posix::Mount& mount = *on.mount;
        REQUIRE_FALSE(mount.mkdir("/dir").happened());
        for (const char* path : {"/dir/changed", "/dir/replaced", "/dir/deleted"}) {
            REQUIRE_FALSE(mount.mknod(path, S_IFREG | 0600, 0).happened());
        }
        const std::uint64_t before = mount.stat("/dir/replaced")->ino;
        CHECK(mount.stat("/dir/changed")->size == 0);
        CHECK(mount.stat("/dir/deleted"));

        // Nobody has told yet.
        CHECK_FALSE(mount.set_xattr("/dir", "user.change.file", bytes_of("replaced")).happened());
        auto changed = mount.open_file("/dir/changed", kORdonly);
        REQUIRE(changed);
        CHECK_FALSE(mount.set_xattr("/dir", "user.change.content", bytes_of("changed")).happened());
        CHECK(mount.stat("/dir/changed")->size == 0);
        CHECK(mount.stat("/dir/replaced")->ino == before);

        CHECK_FALSE(mount.set_xattr("/dir", "user.notify.child", bytes_of("changed")).happened());
        test::until([&] { return mount.stat("/dir/changed")->size == 7; });
        CHECK(mount.stat(*changed)->size == 7);
        CHECK(mount.stat("/dir/replaced")->ino == before);

        CHECK_FALSE(mount.set_xattr("/dir", "user.notify.entry", bytes_of("replaced")).happened());
        test::until([&] { return mount.stat("/dir/replaced")->ino != before; });

        CHECK_FALSE(mount.set_xattr("/dir", "user.change.deleted", bytes_of("deleted")).happened());
        test::until([&] { return !mount.stat("/dir/deleted"); });
        CHECK(mount.stat("/dir/deleted").failure().error == Errno::enoent);
        CHECK(mount.stats().notifications == 3);
        CHECK(mount.stats().violations == 0);
        CHECK_FALSE(mount.close(*std::move(changed)).happened());
    }
    on.end();
    CHECK(server.wait() == kNothingLeft);
}

TEST_CASE("libfuse is told that nothing of what it wants back is kept", "[integration][libfuse]") {
    if (LibfuseServer::missing()) return;
    const Watchdog watchdog("retrieve");
    LibfuseServer server;
    posix::MountOptions options;
    options.cache.mode = posix::CacheMode::automatic;
    OnStream on(server, options);
    {
        posix::Mount& mount = *on.mount;
        REQUIRE_FALSE(mount.mknod("/file", S_IFREG | 0600, 0).happened());
        CHECK_FALSE(mount.set_xattr("/file", "user.notify.retrieve", {}).happened());
        CHECK_FALSE(mount.set_xattr("/file", "user.notify.retrieve", {}).happened());
        test::until([&] { return told(mount, "user.retrieved") == "2"; });
        CHECK(mount.stats().violations == 0);
    }
    on.end();
    CHECK(server.wait() == kNothingLeft);
}

TEST_CASE("a hook hears what libfuse says has changed, after the cache", "[integration][libfuse]") {
    if (LibfuseServer::missing()) return;
    const Watchdog watchdog("hook");
    LibfuseServer server;
    using What = posix::ServerChange::What;
    struct Heard {
        What what;
        std::uint64_t nodeid;
        std::string name;
    };
    std::mutex mutex;
    std::vector<Heard> heard;
    posix::MountOptions options;
    options.cache.mode = posix::CacheMode::always;
    posix::Mount* mounted = nullptr;
    std::uint64_t size_seen = 0; // by the hook
    options.on_change = [&](const posix::ServerChange& change) {
        const std::lock_guard lock(mutex);
        if (change.what == What::file) size_seen = mounted->stat("/file")->size;
        heard.push_back({change.what, change.nodeid, std::string(change.name)});
    };
    OnStream on(server, options);
    {
        posix::Mount& mount = *on.mount;
        mounted = &mount;
        REQUIRE_FALSE(mount.mknod("/file", S_IFREG | 0600, 0).happened());
        CHECK_FALSE(mount.set_xattr("/", "user.change.content", bytes_of("file")).happened());
        CHECK_FALSE(mount.set_xattr("/", "user.notify.child", bytes_of("file")).happened());
        CHECK_FALSE(mount.set_xattr("/", "user.notify.entry", bytes_of("name")).happened());
        CHECK_FALSE(mount.set_xattr("/file", "user.notify.retrieve", {}).happened()); // changes nothing
        const auto await_changes = [&](std::size_t count) {
            test::until([&] {
                const std::lock_guard lock(mutex);
                return heard.size() == count;
            });
        };
        await_changes(2); // the hook looks at the file, which goes now
        CHECK_FALSE(mount.set_xattr("/", "user.change.deleted", bytes_of("file")).happened());
        await_changes(3);
        CHECK(size_seen == 7);
        CHECK(heard[0].what == What::file);
        CHECK(heard[1].what == What::name);
        CHECK(heard[1].nodeid == wire::kRootNodeId);
        CHECK(heard[1].name == "name");
        CHECK(heard[2].what == What::removal);
        CHECK(heard[2].name == "file");
    }
    on.end();
    CHECK(server.wait() == kNothingLeft);
}

TEST_CASE("a libfuse server that dies ends what waits for it", "[integration][libfuse]") {
    if (LibfuseServer::missing()) return;
    const Watchdog watchdog("death");
    LibfuseServer server;
    OnStream on(server);
    posix::Mount& mount = *on.mount;
    auto file = mount.open_file("/blocks", kOCreat | kORdwr);
    REQUIRE(file);
    const std::uint64_t sent = on.stream->counters().sent;
    std::thread reader([&] {
        std::byte byte{};
        const auto read = mount.read(*file, {&byte, 1}, 0);
        CHECK(read.failure().errc == Errc::device_gone);
    });
    test::until([&] { return on.stream->counters().sent > sent; });
    server.kill();
    reader.join();
    CHECK(mount.stat("/blocks").failure().is_fatal());
    static_cast<void>(mount.close(*std::move(file)));
}

TEST_CASE("the program reaches a libfuse server by fuse-stream:SOCKET", "[integration][libfuse][cli]") {
    if (LibfuseServer::missing()) return;
    LibfuseServer server;
    const std::string device = "fuse-stream:" + server.socket();
    const test::Ran ran = test::run_program({"--device", device, "run", "-"}, "mkdir dir\n"
                                                                              "put - dir/file\n"
                                                                              "ls dir\n"
                                                                              "info\n");
    INFO(ran.err);
    CHECK(ran.status == 0);
    CHECK(ran.out.find("file\n") == 0);
    INFO(ran.out);
    CHECK(ran.out.find("fuse-stream") != std::string::npos);
    CHECK(ran.out.find("7.31") != std::string::npos);
    CHECK(server.wait().find("over-forgets 0, destroyed 1\n") != std::string::npos);
    const test::Ran none = test::run_program({"--device", device, "ls"});
    CHECK(none.status == 3);
    CHECK(none.err ==
          "vfsproto: ls: " + device + ": nobody listens at " + server.socket() + ": has the server ended?\n");
}

TEST_CASE("a READ that is stopped is interrupted at libfuse, and a late answer is nobody's", "[integration][libfuse]") {
    if (LibfuseServer::missing()) return;
    const Watchdog watchdog("a stopped READ");
    const bool is_let_go = GENERATE(false, true);
    LibfuseServer server;
    {
        OnStream over(server);
        posix::StopSource stop;
        const std::chrono::milliseconds grace = is_let_go ? std::chrono::milliseconds(0) : std::chrono::hours(24);
        const auto limited = over.mount->limited_by({.stop = &stop, .grace = grace});
        auto file = limited->open_file("/blocks", kOCreat | kORdwr);
        REQUIRE(file);
        const auto copies = over.mount->stats().copies; // counts a READ when it is sent
        posix::Failure failure;
        std::thread reader([&] {
            std::vector<std::byte> room(4096);
            failure = limited->read(*file, room, 0).failure();
        });
        while (over.mount->stats().copies == copies) std::this_thread::yield();
        stop.stop();
        reader.join();
        CHECK(failure.as_errno() == Errno::eintr);
        CHECK((failure.errc == Errc::abandoned) == is_let_go);
        stop.reset();
        CHECK_FALSE(limited->close(*std::move(file)).happened());
        over.end();
    }
    CHECK(server.wait() == kNothingLeft);
}
