// SPDX-License-Identifier: BSD-2-Clause
// The file of a trace keeps lines whole and its memory bounded, also when nobody reads.
#include "../../../src/cli/trace_file.hpp"
#include "support/catch.hpp"
#include "support/narrow_pipe.hpp"
#include "support/watchdog.hpp"

#include "vfsproto/backends/file_descriptor.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>

using namespace vfsproto;
using cli::TraceFile;
using test::NarrowPipe;
using test::Watchdog;

namespace {

constexpr std::size_t kBound = 64 * 1024; // of the text that is kept
const std::string kLine = std::string(99, 'x') + '\n';

} // namespace

TEST_CASE("what a pipe has no room for is kept until it has some", "[cli]") {
    const Watchdog watchdog("a trace to a pipe");
    const NarrowPipe pipe;
    TraceFile file(pipe.path());
    std::string text;
    while (text.size() < 3 * pipe.room()) text += static_cast<char>('a' + text.size() % 26);
    file.text() = text;
    std::string read;
    while (!file.text().empty()) {
        const std::size_t before = file.text().size();
        file.flush_without_waiting();
        REQUIRE(file.text().size() < before);
        read += pipe.drain();
    }
    CHECK(read == text);
    CHECK(file.error() == 0);
}

TEST_CASE("a trace that nobody reads ends once it waits no more, and does not go on behind half a line", "[cli]") {
    const Watchdog watchdog("a trace to a full pipe");
    const NarrowPipe pipe;
    TraceFile file(pipe.path());
    file.stop_waiting();
    std::size_t most = 0;
    while (file.error() == 0) {
        file.text() += kLine;
        file.settle();
        most = std::max(most, file.text().size());
    }
    CHECK(file.error() == EINTR);
    CHECK(most <= kBound + kLine.size());
    CHECK_FALSE(pipe.drain().empty());
    file.text() += kLine;
    file.flush();
    CHECK(pipe.drain().empty());
    CHECK(file.text().empty());
}

TEST_CASE("a terminal that shows nothing holds nobody up who does not wait", "[cli]") {
    const Watchdog watchdog("a trace to a terminal");
    const backends::FileDescriptor screen(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE(screen);
    REQUIRE(::grantpt(screen.get()) == 0);
    REQUIRE(::unlockpt(screen.get()) == 0);
    TraceFile file(::ptsname(screen.get()));
    constexpr std::size_t kMuch = std::size_t{1} << 20;
    while (file.text().size() < kMuch) file.text() += kLine;
    file.flush_without_waiting();
    CHECK(!file.text().empty());
    CHECK(file.text().size() < kMuch);
    CHECK(file.error() == 0);
}
