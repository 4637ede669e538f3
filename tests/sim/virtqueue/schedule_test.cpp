// SPDX-License-Identifier: BSD-2-Clause
#include "support/interleave.hpp"

#include "sim/virtqueue/ring_simulation.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

namespace {

struct Totals {
    std::uint64_t completed = 0;
    std::uint64_t sleeps = 0;
};

template <class Pair> Totals run_all(UseOrder order) {
    Totals totals;
    for (const int entries : {1, 2, 3, 4, 5, 7, 8, 32, 256, 1000}) {
        const auto size = static_cast<std::uint16_t>(entries);
        if (Pair::legal(size) != size) continue;
        for (const EventIndex event_index : {EventIndex::off, EventIndex::on}) {
            for (const int tables : {0, 1, 2}) {
                for (const bool is_in_order : {false, true}) {
                    const Schedule schedule{size,
                                            event_index,
                                            tables == 0 ? IndirectTables::refused : IndirectTables::accepted,
                                            static_cast<std::uint16_t>(tables == 2 ? 2 : 1),
                                            is_in_order,
                                            order};
                    Simulation<Pair> simulation(schedule, simulation_seed(schedule));
                    simulation.run(simulation_steps());
                    INFO(described(schedule));
                    REQUIRE(simulation.problem == "");
                    totals.completed += simulation.completed;
                    totals.sleeps += simulation.sleeps;
                }
            }
        }
    }
    return totals;
}

} // namespace

// virtio 1.2 §2.7.4.1, §2.7.7.1, §2.7.10.2, §2.7.13.4.1, §2.7.14, §2.8.12, §2.8.15, §2.8.16, §2.8.17, §2.8.21.3.1,
// §2.8.22
TEMPLATE_TEST_CASE("random schedules lose no kick, no interrupt, no chain and no byte", "[virtqueue][sim]", RingPair,
                   PackedPair) {
    const Totals totals = run_all<TestType>(UseOrder::any);
    CHECK(totals.completed > 20'000); // the schedules do something
    CHECK(totals.sleeps > 2'000);
}

TEMPLATE_TEST_CASE("random schedules with IN_ORDER lose nothing either", "[virtqueue][sim]", RingPair, PackedPair) {
    const Totals totals = run_all<TestType>(UseOrder::in_order);
    CHECK(totals.completed > 10'000);
    CHECK(totals.sleeps > 2'000);
}
