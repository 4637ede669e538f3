// SPDX-License-Identifier: BSD-2-Clause
// An asynchronous mount takes and keeps targets and listings as a Mount does, and shares them with it.
#include "unit/posix/with_cache.hpp"

#include "vfsproto/posix/async_mount.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace asio = boost::asio;
using namespace vfsproto;
using namespace vfsproto::abi;
using posix::AsyncMount;
using posix::CacheMode;
using posix::DirectoryEntry;
using posix::Failure;
using test::MountedOptions;
using test::OverMemfs;
using test::RequestCounter;
using test::succeeds;
using test::value_of;
using test::with_cache;
using wire::Opcode;

TEST_CASE("asynchronous calls keep targets and listings, and take what is kept", "[async][caches]") {
    constexpr std::size_t kFiles = 1000;
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::automatic, requests));
    succeeds(over->mkdir("/d"));
    for (std::size_t i = 0; i < kFiles; ++i) {
        succeeds(over->mknod("/d/file" + std::to_string(i), kSIfreg | 0600, 0));
    }
    succeeds(over->symlink("d", "/link"));
    asio::io_context io;
    AsyncMount files(*over, io.get_executor());
    const auto list = [&] {
        requests.forget();
        std::size_t count = 0;
        files.list("/link", [&](const Failure& failure, const std::vector<DirectoryEntry>& entries) {
            CHECK_FALSE(failure.happened());
            count = entries.size();
        });
        io.run();
        io.restart();
        CHECK(count == kFiles);
    };
    list();
    CHECK(requests.take(Opcode::readdirplus) > 1);
    CHECK(requests.take(Opcode::readlink) == 1);
    list();
    CHECK(requests.take(Opcode::readdirplus) == 0);
    CHECK(requests.take(Opcode::readlink) == 0);
    CHECK(requests.take_all() == 2); // OPENDIR and RELEASEDIR
    requests.forget();
    CHECK(value_of(over->list("/link")).size() == kFiles);
    CHECK(requests.take(Opcode::readdirplus) == 0);
}

TEST_CASE("where a kept directory was replaced, an asynchronous list walks there anew", "[async][caches]") {
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::automatic, requests));
    succeeds(over->mkdir("/d"));
    test::put(*over, "/d/f", "content");
    CHECK(value_of(over->list("/d")).size() == 1); // so that the way there is kept, and the listing
    int asked = 0;
    over.fs.set_faults([&](const backends::MemfsQuestion& question) {
        backends::MemfsFault fault;
        if (question.opcode == Opcode::opendir && ++asked == 1) fault.error = test::Errno::estale;
        return fault;
    });
    asio::io_context io;
    AsyncMount files(*over, io.get_executor());
    std::size_t count = 0;
    requests.forget();
    files.list("/d", [&](const Failure& failure, const std::vector<DirectoryEntry>& entries) {
        CHECK_FALSE(failure.happened());
        count = entries.size();
    });
    io.run();
    CHECK(count == 1);
    CHECK(asked == 2);
    CHECK(requests.take(Opcode::lookup) == 1);
    over.fs.set_faults({});
}
