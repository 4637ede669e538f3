// SPDX-License-Identifier: BSD-2-Clause
// Sessions that follow the rules, as inputs of the rings' fuzz targets: where mutation starts from.
#pragma once

#include "ring_input.hpp"

namespace vfsproto::fuzz {

inline constexpr std::uint64_t kSeeds = 256; // of each target

// Returns a script made from a number; the same script for the same number.
[[nodiscard]] inline std::vector<std::byte> ring_seed(std::uint64_t number) {
    test::Random random(number);
    const auto options = static_cast<std::uint8_t>(number % 16);
    ScriptWriter script(options, static_cast<std::uint8_t>(number / 16 % 12),
                        static_cast<std::uint8_t>(random.below(64)));
    const auto some = [&](std::uint32_t most) { return random.below(most + 1); };
    for (std::uint32_t rounds = random.between(2, 5); rounds-- != 0;) {
        for (std::uint32_t chains = random.between(1, 4); chains-- != 0;) {
            const std::uint32_t readable = some(2);
            if (random.one_in(3)) {
                script.step(Step::submit_prepared, random.between(1, 40));
            } else {
                script.step(Step::submit, readable << 4 | (readable == 0 ? random.between(1, 3) : some(2)), some(200));
            }
        }
        if (random.one_in(2)) script.step(Step::arm_device);
        script.step(Step::kick);
        if (random.one_in(2)) script.step(Step::arm_driver, some(5));
        if (random.one_in(3)) script.step(Step::ambush, some(20), 4, Step::pop, Step::push, some(3), some(40));
        for (std::uint32_t chains = random.between(1, 4); chains-- != 0;) script.step(Step::pop);
        if (random.one_in(4)) script.step(Step::disarm_device);
        for (std::uint32_t chains = random.between(1, 4); chains-- != 0;) script.step(Step::push, some(3), some(40));
        script.step(random.one_in(2) ? Step::publish : Step::notify);
        if (random.one_in(4)) script.step(Step::disarm_driver);
        if (random.one_in(3)) script.step(Step::ambush, some(20), 3, Step::submit, some(40), Step::kick);
        script.step(Step::poll, random.between(1, 16));
        if (random.one_in(6)) script.step(Step::start_anew);
        if (random.one_in(6)) script.step(Step::push_stranger, some(8));
    }
    return script.written();
}

} // namespace vfsproto::fuzz
