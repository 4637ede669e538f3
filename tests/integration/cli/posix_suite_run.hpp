// SPDX-License-Identifier: BSD-2-Clause
// Runs the suite of POSIX assertions (tests/posix_suite) in a directory, as a program of its own.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace vfsproto::test {

struct PosixSuiteRun {
    int status = -1;
    std::string out;
};

// `exceptions` is the name of a file beside the suite. Cases play other users, who have to get through the directory above.
inline PosixSuiteRun run_posix_suite(const std::filesystem::path& directory, const std::string& exceptions) {
    using std::filesystem::perms;
    const std::filesystem::path above = directory.parent_path();
    std::filesystem::permissions(above, perms::group_exec | perms::others_exec, std::filesystem::perm_options::add);
    const std::filesystem::path out = above / "posix_suite.out";
    const std::string line = std::string(VFSPROTO_POSIX_SUITE) + " --except '" VFSPROTO_POSIX_SUITE_FOLDER "/" +
                             exceptions + "' '" + directory.string() + "' >'" + out.string() + "' 2>&1";
    const int status = std::system(line.c_str());
    std::ostringstream text;
    text << std::ifstream(out).rdbuf();
    return {status, text.str()};
}

} // namespace vfsproto::test
