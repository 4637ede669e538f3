// SPDX-License-Identifier: BSD-2-Clause
// Calls of a mount that take a path.
#include "sim/mount/calls.hpp"
#include "sim/mount/faulty_mount.hpp"

namespace vfsproto::test {

using namespace abi;
using posix::Failure;
using posix::LastLink;
using posix::Mount;

namespace {

template <class T> Failure why(const posix::Expected<T>& outcome) { return outcome.failure(); }

Failure list_in_steps(Mount& mount, Prepared&) {
    auto directory = mount.open_directory("/dir");
    if (!directory) return directory.failure();
    if (Failure failure = mount.sync_directory(*directory)) return failure;
    for (;;) {
        const auto entries = directory->read();
        if (!entries) return entries.failure();
        if (entries->empty()) return {};
    }
}

Failure set_mode(Mount& mount, Prepared&) {
    wire::SetattrIn in{};
    in.valid = wire::kSetattrMode;
    in.mode = kSIfreg | 0640;
    return why(mount.set_attributes("/dir/file", in));
}

constexpr MountCase kCalls[] = {
    {"stat", Needs::nothing, [](Mount& mount, Prepared&) { return why(mount.stat("/dir/file")); }},
    {"lstat", Needs::nothing, [](Mount& mount, Prepared&) { return why(mount.stat("/dir/symlink", LastLink::keep)); }},
    {"stat through a link", Needs::nothing, [](Mount& mount, Prepared&) { return why(mount.stat("/dir/symlink")); }},
    {"stat of the root", Needs::nothing, [](Mount& mount, Prepared&) { return why(mount.stat("/")); }},
    {"statx", Needs::nothing, [](Mount& mount, Prepared&) { return why(mount.statx("/dir/file")); }},
    {"access", Needs::nothing, [](Mount& mount, Prepared&) { return mount.access("/dir/file", 4); }},
    {"mkdir", Needs::nothing, [](Mount& mount, Prepared&) { return mount.mkdir("/dir/sub"); }},
    {"rmdir", Needs::nothing, [](Mount& mount, Prepared&) { return mount.rmdir("/dir/empty"); }},
    {"unlink", Needs::nothing, [](Mount& mount, Prepared&) { return mount.unlink("/dir/other"); }},
    {"unlink of one name of two", Needs::nothing, [](Mount& mount, Prepared&) { return mount.unlink("/dir/second"); }},
    {"rename", Needs::nothing, [](Mount& mount, Prepared&) { return mount.rename("/dir/file", "/dir/renamed"); }},
    {"rename of a directory", Needs::nothing,
     [](Mount& mount, Prepared&) { return mount.rename("/dir/empty", "/dir/renamed"); }},
    {"rename over a file", Needs::nothing,
     [](Mount& mount, Prepared&) { return mount.rename("/dir/other", "/dir/second"); }},
    {"exchange", Needs::nothing,
     [](Mount& mount, Prepared&) { return mount.rename("/dir/other", "/dir/second", kRenameExchange); }},
    {"link", Needs::nothing, [](Mount& mount, Prepared&) { return mount.link("/dir/file", "/dir/link"); }},
    {"symlink", Needs::nothing, [](Mount& mount, Prepared&) { return mount.symlink("file", "/dir/newlink"); }},
    {"mknod", Needs::nothing, [](Mount& mount, Prepared&) { return mount.mknod("/dir/fifo", kSIfifo | 0600, 0); }},
    {"readlink", Needs::nothing, [](Mount& mount, Prepared&) { return why(mount.readlink("/dir/symlink")); }},
    {"chmod", Needs::nothing, [](Mount& mount, Prepared&) { return mount.chmod("/dir/file", 0600); }},
    {"chown", Needs::nothing, [](Mount& mount, Prepared&) { return mount.chown("/dir/file", 7, 8); }},
    {"truncate", Needs::nothing, [](Mount& mount, Prepared&) { return mount.truncate("/dir/file", 10); }},
    {"set_times", Needs::nothing,
     [](Mount& mount, Prepared&) {
         const posix::SetTime then{posix::SetTime::Kind::at, 5, 6};
         return mount.set_times("/dir/file", then, then);
     }},
    {"set_attributes", Needs::nothing, &set_mode},
    {"statfs", Needs::nothing, [](Mount& mount, Prepared&) { return why(mount.statfs("/dir")); }},
    {"sync", Needs::nothing, [](Mount& mount, Prepared&) { return mount.sync(); }},
    {"get_xattr", Needs::nothing,
     [](Mount& mount, Prepared&) { return why(mount.get_xattr("/dir/file", "user.name")); }},
    {"set_xattr", Needs::nothing,
     [](Mount& mount, Prepared&) { return mount.set_xattr("/dir/file", "user.other", bytes_of("value")); }},
    {"list_xattrs", Needs::nothing, [](Mount& mount, Prepared&) { return why(mount.list_xattrs("/dir/file")); }},
    {"remove_xattr", Needs::nothing,
     [](Mount& mount, Prepared&) { return mount.remove_xattr("/dir/file", "user.name"); }},
    {"list", Needs::nothing, [](Mount& mount, Prepared&) { return why(mount.list("/dir")); }},
    {"list of names", Needs::nothing,
     [](Mount& mount, Prepared&) { return why(mount.list("/dir", client::DirectoryFormat::dirents)); }},
    {"a directory in steps", Needs::nothing, &list_in_steps},
    {"open", Needs::nothing, [](Mount& mount, Prepared&) { return why(mount.open_file("/dir/file", kORdonly)); }},
    {"open and cut", Needs::nothing,
     [](Mount& mount, Prepared&) { return why(mount.open_file("/dir/file", kOWronly | kOTrunc)); }},
    {"create", Needs::nothing,
     [](Mount& mount, Prepared&) { return why(mount.open_file("/dir/new", kOCreat | kOExcl | kOWronly)); }},
    {"create what is there", Needs::nothing,
     [](Mount& mount, Prepared&) { return why(mount.open_file("/dir/second", kOCreat | kOTrunc | kOWronly)); }},
    {"temporary", Needs::nothing, [](Mount& mount, Prepared&) { return why(mount.open_temporary("/dir", kOWronly)); }},
    {"open and close", Needs::nothing,
     [](Mount& mount, Prepared&) {
         auto file = mount.open_file("/dir/file", kORdwr);
         return file ? mount.close(*std::move(file)) : file.failure();
     }},
};

} // namespace

std::span<const MountCase> name_calls() { return kCalls; }

} // namespace vfsproto::test
