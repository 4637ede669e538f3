// SPDX-License-Identifier: BSD-2-Clause
// Calls of an asynchronous mount.
#include "sim/mount/calls.hpp"
#include "sim/mount/faulty_mount.hpp"

#include "vfsproto/posix/async_mount.hpp"

#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <future>
#include <tuple>

namespace vfsproto::test {

using namespace abi;
using boost::asio::use_future;
using posix::AsyncMount;
using posix::Failure;
using posix::LastLink;
using posix::Mount;

namespace {

Failure why(std::future<Failure> future) { return future.get(); }
template <class T> Failure why(std::future<std::tuple<Failure, T>> future) {
    const auto answer = future.get(); // a File in it ends here
    return std::get<0>(answer);
}

// Makes a call of an asynchronous mount over this one.
template <class Call> Failure make(Mount& mount, Prepared& with, const Call& call) {
    AsyncMount files(mount, with.runner.io.get_executor());
    return call(files);
}

Failure read_in_pieces(Mount& mount, Prepared& with) {
    AsyncMount files(mount, with.runner.io.get_executor());
    std::vector<std::byte> bytes(kContentBytes);
    const auto [failure, count] = files.read(with.file, bytes, 0, use_future).get();
    if (!failure) {
        const auto end = bytes.begin() + static_cast<std::ptrdiff_t>(count);
        with.read_wrong = !std::equal(bytes.begin(), end, content().begin());
    }
    return failure;
}

constexpr MountCase kCalls[] = {
    {"async stat", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with,
                     [](AsyncMount& files) { return why(files.stat("/dir/file", LastLink::follow, use_future)); });
     }},
    {"async statx", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with,
                     [](AsyncMount& files) { return why(files.statx("/dir/file", LastLink::follow, use_future)); });
     }},
    {"async open", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with,
                     [](AsyncMount& files) { return why(files.open_file("/dir/file", kORdonly, 0, use_future)); });
     }},
    {"async create", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with, [](AsyncMount& files) {
             return why(files.open_file("/dir/second", kOCreat | kOTrunc | kOWronly, 0600, use_future));
         });
     }},
    {"async temporary", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with,
                     [](AsyncMount& files) { return why(files.open_temporary("/dir", kOWronly, 0600, use_future)); });
     }},
    {"async list", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with, [](AsyncMount& files) { return why(files.list("/dir", use_future)); });
     }},
    {"async readlink", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with, [](AsyncMount& files) { return why(files.readlink("/dir/symlink", use_future)); });
     }},
    {"async statfs", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with, [](AsyncMount& files) { return why(files.statfs("/dir", use_future)); });
     }},
    {"async mkdir", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with, [](AsyncMount& files) { return why(files.mkdir("/dir/sub", 0755, use_future)); });
     }},
    {"async unlink", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with, [](AsyncMount& files) { return why(files.unlink("/dir/second", use_future)); });
     }},
    {"async rmdir", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with, [](AsyncMount& files) { return why(files.rmdir("/dir/empty", use_future)); });
     }},
    {"async exchange", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with, [](AsyncMount& files) {
             return why(files.rename("/dir/other", "/dir/second", kRenameExchange, use_future));
         });
     }},
    {"async symlink", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with,
                     [](AsyncMount& files) { return why(files.symlink("file", "/dir/newlink", use_future)); });
     }},
    {"async link", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with,
                     [](AsyncMount& files) { return why(files.link("/dir/file", "/dir/link", use_future)); });
     }},
    {"async mknod", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with,
                     [](AsyncMount& files) { return why(files.mknod("/dir/fifo", kSIfifo | 0600, 0, use_future)); });
     }},
    {"async access", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with, [](AsyncMount& files) { return why(files.access("/dir/file", 4, use_future)); });
     }},
    {"async chmod", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with, [](AsyncMount& files) { return why(files.chmod("/dir/file", 0600, use_future)); });
     }},
    {"async truncate", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with, [](AsyncMount& files) { return why(files.truncate("/dir/file", 10, use_future)); });
     }},
    {"async sync", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with, [](AsyncMount& files) { return why(files.sync(use_future)); });
     }},
    {"async get_xattr", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with, [](AsyncMount& files) {
             return why(files.get_xattr("/dir/file", "user.name", LastLink::follow, use_future));
         });
     }},
    {"async remove_xattr", Needs::nothing,
     [](Mount& mount, Prepared& with) {
         return make(mount, with, [](AsyncMount& files) {
             return why(files.remove_xattr("/dir/file", "user.name", LastLink::follow, use_future));
         });
     }},
    {"async read", Needs::files, &read_in_pieces},
    {"async write", Needs::files,
     [](Mount& mount, Prepared& with) {
         return make(mount, with,
                     [&](AsyncMount& files) { return why(files.write(with.file, content(), 0, use_future)); });
     }},
    {"async stat of a file", Needs::files,
     [](Mount& mount, Prepared& with) {
         return make(mount, with, [&](AsyncMount& files) { return why(files.stat(with.file, use_future)); });
     }},
    {"async fsync", Needs::files,
     [](Mount& mount, Prepared& with) {
         return make(mount, with, [&](AsyncMount& files) { return why(files.fsync(with.file, 0, use_future)); });
     }},
    {"async seek", Needs::files,
     [](Mount& mount, Prepared& with) {
         return make(mount, with,
                     [&](AsyncMount& files) { return why(files.seek(with.file, 0, kSeekData, use_future)); });
     }},
    {"async close", Needs::files,
     [](Mount& mount, Prepared& with) {
         return make(mount, with,
                     [&](AsyncMount& files) { return why(files.close(std::move(with.file), use_future)); });
     }},
};

} // namespace

std::span<const MountCase> async_calls() { return kCalls; }

} // namespace vfsproto::test
