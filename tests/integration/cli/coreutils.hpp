// SPDX-License-Identifier: BSD-2-Clause
// Programs of coreutils are run on the files of a share, to be compared with.
#pragma once

#include "integration/cli/share.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace vfsproto::test {

// Runs a shell command in the C locale; returns what it prints.
inline std::string shell(const Share& share, const std::string& directory, const std::string& command) {
    const std::string out = share.beside("shell out");
    const std::string line = "cd '" + (share.path() / directory).string() + "' && export LC_ALL=C && (" + command +
                             ") > '" + out + "' 2>/dev/null";
    static_cast<void>(!std::system(line.c_str()));
    return Share::contents(out);
}

// Runs the program on the share as a user who is not root. Returns what it prints on both outputs, and its status in a line behind
// that. `arguments` are a shell's.
inline std::string run_as_user(const Share& share, const std::string& arguments) {
    for (const auto& path : {share.path().parent_path(), share.path()}) {
        std::filesystem::permissions(path, std::filesystem::perms::all);
    }
    const std::string as_user = ::geteuid() == 0 ? "setpriv --reuid 65534 --regid 65534 --clear-groups " : "";
    return shell(share, ".",
                 "{ " + as_user + program_path() + " --device dir:. " + arguments + " 2>&1; echo status $?; }");
}
// True if the program cannot be run so, which is said.
[[nodiscard]] inline bool cannot_run_as_user(const Share& share) {
    const bool cannot = run_as_user(share, "stat . >/dev/null") != "status 0\n";
    if (cannot) skip("the program cannot be run as another user");
    return cannot;
}

// Makes files of several kinds, sizes and times, names that begin with a dot, and links.
inline void fill(const Share& share, const std::string& at) {
    const std::filesystem::path top = share.path() / at;
    std::filesystem::create_directories(top / "dir/deep");
    share.write(at + "/big", std::string(70'000, 'x'));
    share.write(at + "/small", "abc");
    share.write(at + "/same", "abc");
    share.write(at + "/.dotted", "");
    share.write(at + "/!first", "12345");
    share.write(at + "/dir/deep/file", "deep");
    share.write(at + "/dir/run", "#!");
    std::filesystem::create_symlink("small", top / "link");
    std::filesystem::create_symlink("dir", top / "to dir");
    REQUIRE(::mkfifo((top / "fifo").c_str(), 0640) == 0);
    REQUIRE(::chmod((top / "dir/run").c_str(), 0755) == 0);
    REQUIRE(::chmod((top / "small").c_str(), 04711) == 0);
    const std::vector<std::pair<std::string, timespec>> times = {
        {"big", {1'000'000, 5}}, {"small", {3'000'000, 7}}, {"same", {3'000'000, 9}}, {"!first", {-5, 250'000'000}}};
    for (const auto& [name, time] : times) {
        const timespec both[2] = {time, time};
        REQUIRE(::utimensat(AT_FDCWD, (top / name).c_str(), both, 0) == 0);
    }
}

} // namespace vfsproto::test
