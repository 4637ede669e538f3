// SPDX-License-Identifier: BSD-2-Clause
// Eight processes at work in a mount of the program (tests/hammer), while the share changes beside it.
#include "integration/cli/mounted_share.hpp"
#include "support/scale.hpp"

#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

using namespace vfsproto::test;

namespace {

constexpr Scale kSeconds{.least = 1, .usual = 3, .nightly = 600};
constexpr std::size_t kMostGrowth = 64u << 10; // KiB that a mount may take beyond what it took at its start

// Returns KiB.
std::size_t resident(pid_t process) {
    std::ifstream status("/proc/" + std::to_string(process) + "/status");
    for (std::string word; status >> word;) {
        std::size_t size = 0;
        if (word == "VmRSS:" && status >> size) return size;
    }
    return 0;
}

} // namespace

TEST_CASE("eight processes hammer a mount, and everything is as their models say", "[cli]") {
    const Server server = GENERATE(as<Server>{}, Server::embedded, Server::virtiofsd);
    const bool changes_beside = GENERATE(false, true);
    if (is_missing(server)) return;
    MountedShare mounted(server);
    const std::size_t before = resident(mounted.program().pid());
    const auto out = mounted.share().beside("out");
    const std::string line = std::string(VFSPROTO_HAMMER) + " --seconds " + std::to_string(scaled(kSeconds)) +
                             " --seed " + std::to_string(1 + run_seed()) + " '" + mounted.point().string() + "'" +
                             (changes_beside ? " '" + mounted.share().path().string() + "'" : "") + " >'" +
                             out.string() + "' 2>&1";
    const int status = std::system(line.c_str());
    std::ostringstream text;
    text << std::ifstream(out).rdbuf();
    INFO(text.str());
    CHECK(status == 0);
    const std::size_t after = resident(mounted.program().pid());
    CHECK(after != 0);
    if (sanitized_program() == nullptr) CHECK(after <= before + kMostGrowth);
    mounted.unmount();
}
