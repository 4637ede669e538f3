// SPDX-License-Identifier: BSD-2-Clause
#include "support/interleave.hpp"

#include "sim/virtqueue/ring_simulation.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

TEST_CASE("random schedules lose no kick, no interrupt, no chain and no byte", "[virtqueue][sim]") {
    std::uint64_t completed = 0;
    std::uint64_t sleeps = 0;
    for (const int entries : {2, 4, 8, 32, 256}) {
        const auto size = static_cast<std::uint16_t>(entries);
        for (const EventIndex event_index : {EventIndex::off, EventIndex::on}) {
            for (const int tables : {0, 1, 2}) {
                for (const bool is_in_order : {false, true}) {
                    const Schedule schedule{size, event_index,
                                            tables == 0 ? IndirectTables::refused : IndirectTables::accepted,
                                            static_cast<std::uint16_t>(tables == 2 ? 2 : 1), is_in_order};
                    const std::uint64_t seed =
                        size * 100u + static_cast<unsigned>(tables) * 10u + (is_in_order ? 1 : 0);
                    Simulation<RingPair> simulation(schedule, seed);
                    simulation.run(3500);
                    INFO("size " << size << ", event index " << (event_index == EventIndex::on) << ", tables " << tables
                                 << ", in order " << is_in_order << ", seed " << seed);
                    REQUIRE(simulation.problem == "");
                    completed += simulation.completed;
                    sleeps += simulation.sleeps;
                }
            }
        }
    }
    CHECK(completed > 20'000); // the schedules do something
    CHECK(sleeps > 2'000);
}
