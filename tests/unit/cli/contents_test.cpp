// SPDX-License-Identifier: BSD-2-Clause
// A copy ends when a side fails, and says which one.
#include "../../../src/cli/contents.hpp"
#include "support/catch.hpp"

#include <vector>

using namespace vfsproto;
using cli::CopyResult;
using posix::Expected;
using posix::Failure;

namespace {

// A file of holes alone, as it says. Its reads fail.
class Silent final : public cli::Contents {
public:
    Expected<std::uint64_t> read(std::span<std::byte>, std::uint64_t) override {
        ++reads;
        return Failure(Errc::timed_out);
    }
    Failure write(std::span<const std::byte>, std::uint64_t) override { return {}; }
    Expected<std::uint64_t> seek(std::uint64_t, std::uint32_t) override { return abi::Errno::enxio; }
    Failure truncate(std::uint64_t) override { return {}; }
    cli::Kind kind() const noexcept override { return cli::Kind::regular; }

    int reads = 0;
};

} // namespace

TEST_CASE("a read that gets no answer while holes are checked ends the copy, and is not made again", "[cli]") {
    Silent from;
    Silent to;
    std::vector<std::byte> buffer(4096);
    const cli::ContentsSize size{.bytes = 1 << 20, .blocks = 0};
    const CopyResult result = cli::copy_contents(from, to, size, buffer, [](std::uint64_t) { return true; });
    CHECK(result.side == CopyResult::Side::from);
    CHECK(result.failure.errc == Errc::timed_out);
    CHECK(from.reads == 1);
}
