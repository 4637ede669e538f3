// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"

#include "vfsproto/posix/detail/silence_watch.hpp"

#include <atomic>
#include <future>

using vfsproto::posix::SilenceWatch;
using namespace std::chrono_literals;

namespace {

// A watch over numbers that the test gives, look by look.
struct Watched {
    std::atomic<int> looks{0};
    std::promise<void> silence;
    std::atomic<int> told{0};
};

} // namespace

TEST_CASE("a device that owes an answer and gives none is told of once") {
    Watched watched;
    const SilenceWatch watch(
        20ms, [&] { return ++watched.looks, std::optional<std::uint64_t>(7); },
        [&] {
            ++watched.told;
            watched.silence.set_value();
        });
    REQUIRE(watched.silence.get_future().wait_for(5s) == std::future_status::ready);
    CHECK(watched.looks > 1);
    CHECK(watched.told == 1);
}

TEST_CASE("who answers, or owes nothing, is not silent") {
    const bool answers = GENERATE(true, false);
    Watched watched;
    std::promise<void> enough;
    {
        const SilenceWatch watch(
            8ms,
            [&]() -> std::optional<std::uint64_t> {
                const int look = ++watched.looks;
                if (look == 50) enough.set_value(); // several times the limit
                if (answers) return static_cast<std::uint64_t>(look);
                return std::nullopt;
            },
            [&] { ++watched.told; });
        REQUIRE(enough.get_future().wait_for(5s) == std::future_status::ready);
    }
    CHECK(watched.told == 0);
}
