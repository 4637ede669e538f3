// SPDX-License-Identifier: BSD-2-Clause
// An asynchronous mount takes and keeps targets and listings as a Mount does, and shares them with it.
#include "unit/posix/mounted.hpp"
#include "unit/posix/request_counter.hpp"

#include "vfsproto/posix/async_mount.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace asio = boost::asio;
using namespace vfsproto;
using namespace vfsproto::wire::linux_abi;
using posix::AsyncMount;
using posix::CacheMode;
using posix::DirectoryEntry;
using posix::Failure;
using test::MountedOptions;
using test::OverMemfs;
using test::RequestCounter;
using test::succeeds;
using test::value_of;
using wire::Opcode;

TEST_CASE("asynchronous calls keep targets and listings, and take what is kept", "[async][caches]") {
    constexpr std::uint64_t kHour = 3600ull * 1'000'000'000;
    constexpr std::size_t kFiles = 1000;
    RequestCounter requests;
    MountedOptions options;
    options.mount.cache.mode = CacheMode::automatic;
    options.mount.channel.trace = requests.hook();
    options.memfs.entry_valid = kHour;
    options.memfs.attr_valid = kHour;
    OverMemfs over(options);
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
