// SPDX-License-Identifier: BSD-2-Clause
// The suite of POSIX assertions (tests/posix_suite) in directories that the program mounts.
#include "integration/cli/mounted_share.hpp"
#include "integration/cli/posix_suite_run.hpp"
#include "support/watchdog.hpp"

using namespace vfsproto::test;

TEST_CASE("the suite of POSIX assertions passes in a mount of the kernel", "[cli]") {
    const Server server = GENERATE(as<Server>{}, Server::embedded, Server::virtiofsd);
    if (is_missing(server)) return;
    if (sanitized_program() != nullptr) {
        skip("the suite is about the program, not about what a sanitizer sees of it");
        return;
    }
    const Watchdog watchdog("the POSIX suite");
    MountedShare mounted(server, {"-o", "allow_other"});
    const PosixSuiteRun ran =
        run_posix_suite(mounted.point(), server == Server::embedded ? "mounted_directory" : "mounted_virtiofsd");
    INFO(ran.out);
    CHECK(ran.status == 0);
    CHECK(ran.out.find("All tests passed (") != std::string::npos);
    mounted.unmount();
}
