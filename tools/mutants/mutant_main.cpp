// SPDX-License-Identifier: BSD-2-Clause
// The tests of the rings with one mutant chosen by MUTANT, or, with MUTANT_MAP=FILE, with none: then the file gets a line
// for each test, of its name and the mutants it comes by, with the microseconds it took.
#define CATCH_CONFIG_RUNNER
#include "support/catch.hpp"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace {

std::ofstream map_file;

struct Mapper : Catch::TestEventListenerBase {
    using TestEventListenerBase::TestEventListenerBase;
    void testCaseStarting(const Catch::TestCaseInfo&) override {
        std::memset(vmut::reached, 0, sizeof vmut::reached);
        start_ = std::chrono::steady_clock::now();
    }
    void testCaseEnded(const Catch::TestCaseStats& stats) override {
        if (!map_file.is_open()) return;
        const auto took = std::chrono::steady_clock::now() - start_;
        map_file << stats.testInfo.name << '\t' << std::chrono::duration_cast<std::chrono::microseconds>(took).count()
                 << '\t';
        for (unsigned i = 0; i < vmut::kMost; ++i) {
            if (vmut::reached[i]) map_file << i << ' ';
        }
        map_file << '\n';
    }
    std::chrono::steady_clock::time_point start_;
};
CATCH_REGISTER_LISTENER(Mapper)

} // namespace

int main(int argc, char* argv[]) {
    if (const char* path = std::getenv("MUTANT_MAP")) {
        map_file.open(path);
        vmut::is_mapping = true;
    }
    if (const char* number = std::getenv("MUTANT")) vmut::chosen = static_cast<unsigned>(std::atoi(number));
    return Catch::Session().run(argc, argv);
}
