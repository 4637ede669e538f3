// SPDX-License-Identifier: BSD-2-Clause
// The suite of POSIX assertions (tests/posix_suite) in directories that the program mounts.
#include "integration/cli/mounted_share.hpp"
#include "support/watchdog.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace vfsproto::test;

namespace {

struct SuiteRun {
    int status = -1;
    std::string out;
};

SuiteRun run_suite(const std::filesystem::path& directory, const std::filesystem::path& out,
                   const std::string& exceptions) {
    const std::string line = std::string(VFSPROTO_POSIX_SUITE) + " --except '" + exceptions + "' '" +
                             directory.string() + "' >'" + out.string() + "' 2>&1";
    const int status = std::system(line.c_str());
    std::ostringstream text;
    text << std::ifstream(out).rdbuf();
    return {status, text.str()};
}

} // namespace

TEST_CASE("the suite of POSIX assertions passes in a mount of the kernel", "[cli]") {
    const Server server = GENERATE(as<Server>{}, Server::embedded, Server::virtiofsd);
    if (is_missing(server)) return;
    if (sanitized_program() != nullptr) {
        skip("the suite is about the program, not about what a sanitizer sees of it");
        return;
    }
    const Watchdog watchdog("the POSIX suite");
    MountedShare mounted(server, {"-o", "allow_other"}); // cases play other users
    using std::filesystem::perms;
    std::filesystem::permissions(mounted.point().parent_path(), perms::group_exec | perms::others_exec,
                                 std::filesystem::perm_options::add); // they go through it
    const char* const exceptions = server == Server::embedded ? "/mounted_directory" : "/mounted_virtiofsd";
    const SuiteRun ran = run_suite(mounted.point(), mounted.share().beside("out"),
                                   VFSPROTO_POSIX_SUITE_FOLDER + std::string(exceptions));
    INFO(ran.out);
    CHECK(ran.status == 0);
    CHECK(ran.out.find("All tests passed (") != std::string::npos);
    mounted.unmount();
}
