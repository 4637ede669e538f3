// SPDX-License-Identifier: BSD-2-Clause
// A ring's driver and device, run by a script, while one of the two sides also writes what it likes to the memory they
// share, also between two accesses of the other (support/interleave.hpp, which comes before every other header).
#pragma once

#include "ring_model.hpp"
#include "ring_peer.hpp"

#include <cstdlib>
#include <deque>

namespace vfsproto::fuzz {

enum class Side : std::uint8_t { nobody, driver, device };

template <class Areas> class RingSession {
public:
    RingSession(std::span<const std::byte> input, Side hostile) : RingSession(Script(input), hostile) {}

    // Returns what did not hold; nullptr when everything did.
    const char* run() {
        while (!script_.is_over() && problem_ == nullptr) step(script_);
        ambushes_.clear();
        if (is_honest_) drain();
        start_anew();
        if (problem_ == nullptr) fill();
        return problem_;
    }
    [[nodiscard]] bool is_honest() const { return is_honest_; }
    [[nodiscard]] std::size_t completions() const { return completions_; }

private:
    struct Choice {
        explicit Choice(Script& script)
            : bits(script.byte()), size(Areas::size_of(script.byte())), shape(script.byte()) {}
        [[nodiscard]] bool has(std::uint8_t bit) const { return (bits & bit) != 0; }
        [[nodiscard]] EventIndex event_index() const {
            return has(chosen::kEventIndex) ? EventIndex::on : EventIndex::off;
        }
        [[nodiscard]] std::uint16_t max_segments() const { return static_cast<std::uint16_t>(1 + (shape & 7)); }
        [[nodiscard]] std::size_t room() const { return (shape >> 6) == 3 ? 2 : 16; }

        std::uint8_t bits;
        std::uint16_t size;
        std::uint8_t shape;
    };
    struct Ambush {
        unsigned accesses; // until then
        Script script;
    };

    RingSession(Script script, Side hostile)
        : hostile_(hostile),
          chosen_(script),
          script_(script),
          areas_(chosen_.size, chosen_.max_segments()),
          peer_(areas_),
          shadow_(chosen_.size),
          heads_(chosen_.size),
          model_(0) {
        for (Block* block : {&areas_.data, &areas_.tables}) {
            if (block->bytes().empty()) continue;
            test::BasicRingPair<Areas>::must(table_.add(block->region()));
        }
        test::BasicRingPair<Areas>::must(driver_.init(areas_.ring, shadow_, driver_options()));
        model_ = DriverModel(driver_.limits().max_inflight);
        is_honest_ = !chosen_.has(chosen::kStrangers) && chosen_.room() >= driver_.limits().max_segments;
        if constexpr (kPreparesChains) prepared_ = driver_.reserve_prepared(driver_.limits().max_inflight);
        start_device();
    }

    static constexpr bool kPreparesChains = !Areas::kIsPacked;

    [[nodiscard]] auto driver_options() {
        typename Areas::DriverOptions result;
        result.order = chosen_.has(chosen::kInOrder) ? UseOrder::in_order : UseOrder::any;
        result.event_index = chosen_.event_index();
        result.ordering = chosen_.has(chosen::kPlatform) ? Ordering::platform : Ordering::smp;
        result.max_segments = chosen_.max_segments();
        result.direct_segments = static_cast<std::uint16_t>((chosen_.shape >> 3 & 3) + (Areas::kIsPacked ? 0 : 1));
        if (chosen_.has(chosen::kTables)) result.indirect = areas_.tables.region();
        return result;
    }
    void start_device() {
        const bool differs = chosen_.has(chosen::kStrangers);
        typename Areas::DeviceOptions result;
        result.order = chosen_.has(chosen::kInOrder) != differs ? UseOrder::in_order : UseOrder::any;
        result.event_index = chosen_.event_index();
        result.ordering = chosen_.has(chosen::kPlatform) ? Ordering::platform : Ordering::smp;
        result.indirect = chosen_.has(chosen::kTables) != differs ? IndirectTables::accepted : IndirectTables::refused;
        result.max_chain = static_cast<std::uint16_t>((chosen_.shape >> 5 & 1) * 300);
        test::BasicRingPair<Areas>::must(device_.init(areas_.ring, table_, heads_, result));
        held_.forget();
        peer_.follow_used(packed::kStart);
        peer_.follow_avail(packed::kStart);
    }

    void step(Script& script) {
        const auto what = static_cast<Step>(script.byte() % kSteps);
        switch (what) {
        case Step::scribble: is_honest_ = false, peer_.scribble(script); return;
        case Step::forge_used:
            if (hostile_ == Side::device) is_honest_ = false, peer_.forge_used(script);
            return;
        case Step::forge_chain:
            if (hostile_ == Side::driver) is_honest_ = false, peer_.forge_chain(script);
            return;
        case Step::ambush: lie_in_wait(script); return;
        case Step::start_anew:
            if (inside_ == Side::nobody) start_anew();
            return;
        case Step::pop:
        case Step::push:
        case Step::push_stranger:
        case Step::publish:
        case Step::notify:
        case Step::arm_device:
        case Step::disarm_device:
            if (inside_ == Side::device) return script.stop();
            return device_step(what, script);
        default:
            if (inside_ == Side::driver) return script.stop();
            driver_step(what, script);
        }
    }

    void driver_step(Step what, Script& script) {
        switch (what) {
        case Step::submit: submit(script); break;
        case Step::submit_prepared: submit_prepared(script); break;
        case Step::kick:
            call(Side::driver, 8, [&] { driver_.kick(); });
            if constexpr (Areas::kIsPacked) peer_.follow_avail(driver_.next_position());
            break;
        case Step::poll: poll(script.byte() % 65); break;
        case Step::arm_driver: arm_driver(static_cast<std::uint16_t>(1 + script.byte())); break;
        default: call(Side::driver, 2, [&] { driver_.disarm(); });
        }
        require(driver_.in_flight() == model_.out(), "as many are in flight as were submitted and not completed");
    }
    void device_step(Step what, Script& script) {
        switch (what) {
        case Step::pop: pop(); break;
        case Step::push: push(script); break;
        case Step::push_stranger: push_stranger(script.byte()); break;
        case Step::publish: publish(); break;
        case Step::notify:
            call(Side::device, 8, [&] { return device_.wants_notification(); });
            publish();
            break;
        case Step::arm_device: call(Side::device, 4, [&] { return device_.arm(); }); break;
        default: call(Side::device, 2, [&] { device_.disarm(); });
        }
        require(device_.outstanding() == held_.out(), "as many are out as were popped and not pushed");
    }

    void submit(Script& script) {
        const std::uint8_t counts = script.byte();
        const std::uint8_t lengths = script.byte();
        const std::uint16_t token = model_.free_token();
        const std::uint64_t at = std::uint64_t{token} * areas_.kTokenBytes;
        const std::size_t readable = counts >> 4;
        std::vector<Segment> segments;
        std::uint64_t total = 0;
        std::uint64_t writable = 0;
        bool has_empty = false;
        for (std::size_t i = 0; i < readable + (counts & 15); ++i) {
            const std::uint32_t len = length_of(lengths, i);
            const std::uint64_t half = i < readable ? 0 : areas_.kTokenBytes / 2;
            segments.push_back({areas_.data.region().device() + at + half + i % 16 * 16, len});
            (i < readable ? total : writable) += len;
            has_empty |= len == 0;
            if (len > 16) is_honest_ = false;
        }
        total += writable;
        const std::span<const Segment> all(segments);
        const Errc said = call(Side::driver, static_cast<std::uint32_t>(3 * all.size() + 4), [&] {
            return driver_.submit(all.first(readable), all.subspan(readable), Token{token});
        });
        const bool is_legal =
            !all.empty() && all.size() <= driver_.limits().max_segments && !has_empty && total < 0xffffffff;
        judge_submit(said, is_legal, token, static_cast<std::uint32_t>(writable));
    }
    // Now and then one that is empty, and one that is far too long.
    [[nodiscard]] static std::uint32_t length_of(std::uint8_t lengths, std::size_t number) {
        if (lengths == 0xff) return number == 1 ? 0 : 16;
        if (lengths == 0xfe) return 0xfffffffe - static_cast<std::uint32_t>(number);
        return static_cast<std::uint32_t>(1 + (lengths + number * 5) % 16);
    }

    void submit_prepared(Script& script) {
        const std::uint8_t length = script.byte();
        if constexpr (kPreparesChains) {
            if (driver_.limits().max_segments < 3) return;
            const std::uint16_t token = model_.free_token();
            const auto at = areas_.data.region().device() + std::uint64_t{token} * areas_.kTokenBytes;
            const Segment readable[] = {{at, 40}};
            const Segment writable[] = {{at + areas_.kTokenBytes / 2, 16}, {at + areas_.kTokenBytes / 2 + 16, length}};
            const Errc said = call(Side::driver, 16, [&] {
                return driver_.template submit_prepared<2>(readable, writable, Token{token}, prepared_ + token);
            });
            judge_submit(said, length != 0, token, 16u + length);
        }
    }
    void judge_submit(Errc said, bool is_legal, std::uint16_t token, std::uint32_t writable) {
        const Errc error = driver_.error();
        const bool has_room = token < model_.tokens();
        if (error != Errc::ok) return require(said == error, "a latched queue says why");
        if (has_room && is_legal) require(said == Errc::ok, "a legal chain within the limits is taken");
        if (said == Errc::ok) {
            require(has_room && is_legal, "nothing else is taken");
            if (problem_ == nullptr) model_.submitted(token, writable);
        } else if (said == Errc::queue_full) {
            require(!has_room, "the ring is full");
        } else {
            require(said == Errc::bad_argument && !is_legal, "the chain was not legal");
        }
    }

    void poll(std::size_t room) {
        std::vector<Completion> out(room);
        const Errc before = driver_.error();
        const std::size_t n =
            call(Side::driver, static_cast<std::uint32_t>(2 * room + 8), [&] { return driver_.poll(out); });
        require(n <= room, "no more completions than there is room for");
        require(before == Errc::ok || n == 0, "a latched queue completes nothing");
        for (std::size_t i = 0; i < n && problem_ == nullptr; ++i) take(out[i]);
    }
    void take(const Completion& completion) {
        complain(model_.completed(completion));
        if (problem_ != nullptr) return;
        ++completions_;
        if (!is_honest_) return;
        const std::uint32_t written = model_.request(completion.token.slot).written;
        const bool is_exact = driver_.limits().written == WrittenLength::exact;
        require(is_exact ? completion.written == written : completion.written >= written, "another length was written");
    }
    void arm_driver(std::uint16_t completions) {
        const bool said = call(Side::driver, 4, [&] { return driver_.arm(completions); });
        require(said || driver_.error() == Errc::ok, "nobody sleeps on a latched queue");
    }

    void pop() {
        DeviceModel::Held held{std::vector<HostSegment>(chosen_.room()), {}};
        held.chain.storage = held.storage;
        const Errc before = device_.error();
        const std::uint32_t most = chosen_.size > 300 ? chosen_.size : 300u;
        const bool is_there = call(Side::device, 64 + 16 * (most + 2), [&] { return device_.pop(held.chain); });
        if (!is_there) return;
        require(before == Errc::ok, "a latched queue gives no chain");
        complain(held_.check(held.chain, chosen_.size, table_));
        if (problem_ == nullptr) held_.popped(std::move(held));
    }
    void push(Script& script) {
        const std::uint8_t which = script.byte();
        const std::uint8_t amount = script.byte();
        if (held_.out() == 0) return;
        const std::size_t number = which % held_.out();
        const Chain& chain = held_.held(number).chain;
        const std::uint64_t room = total_length(chain.writable());
        const std::uint64_t written = amount < 0xf8 ? amount % (room + 1) : room + (amount & 7);
        if (written > room) is_honest_ = false;
        if (is_honest_) request_of(chain).written = static_cast<std::uint32_t>(written);
        const Errc said =
            call(Side::device, 4, [&] { return device_.push(chain, static_cast<std::uint32_t>(written)); });
        require(said == device_.error(), "a chain that is out can be pushed");
        if (said == Errc::ok) held_.pushed(number);
    }
    [[nodiscard]] DriverModel::Request& request_of(const Chain& chain) {
        const auto offset = static_cast<std::size_t>(chain.storage[0].data - areas_.data.bytes().data());
        return model_.request(offset / areas_.kTokenBytes % model_.tokens());
    }
    void push_stranger(std::uint16_t head) {
        if (held_.is_out(head)) return;
        const Chain chain{.head = head};
        const Errc error = device_.error();
        const Errc said = call(Side::device, 4, [&] { return device_.push(chain, 0); });
        require(said == (error != Errc::ok ? error : Errc::bad_argument), "no chain is pushed that is not out");
    }
    void publish() {
        call(Side::device, 4, [&] { device_.publish(); });
        if constexpr (Areas::kIsPacked) peer_.follow_used(device_.next_used());
    }

    // Runs one call of one side: bounded accesses, errors that stay, and nothing changed of what only the other writes.
    template <class F> auto call(Side side, std::uint32_t most, F&& run) {
        if (inside_ != Side::nobody) return run(); // at an access of the other
        const std::span<std::byte> kept = side == Side::driver ? areas_.device.bytes() : areas_.driver.bytes();
        before_.assign(kept.begin(), kept.end());
        const Errc driver_error = driver_.error();
        const Errc device_error = device_.error();
        inside_ = side;
        accesses_ = 0;
        was_disturbed_ = false;
        const Leave leave{*this, kept, most, driver_error, device_error};
        test::shared_access_hook = {[](void* self) { static_cast<RingSession*>(self)->at_access(); }, this};
        return run();
    }
    struct Leave {
        ~Leave() {
            test::shared_access_hook = {};
            self.inside_ = Side::nobody;
            self.require(self.accesses_ <= most, "a call makes so many accesses at most");
            self.require(driver_error == Errc::ok || driver_error == self.driver_.error(), "a driver's error stays");
            self.require(device_error == Errc::ok || device_error == self.device_.error(), "a device's error stays");
            if (!self.was_disturbed_) {
                self.require(std::equal(kept.begin(), kept.end(), self.before_.begin()), "each side writes its own");
            }
            if (!self.is_honest_) return;
            self.require(self.driver_.error() == Errc::ok, "an honest device breaks no rule");
            self.require(self.device_.error() == Errc::ok, "an honest driver breaks no rule");
        }
        RingSession& self;
        std::span<std::byte> kept;
        std::uint32_t most;
        Errc driver_error;
        Errc device_error;
    };
    void at_access() {
        if (++accesses_ > 10'000'000) std::abort(); // it would never end
        if (ambushes_.empty() || ambushes_.front().accesses-- != 0) return;
        Script script = ambushes_.front().script;
        ambushes_.pop_front();
        was_disturbed_ = true;
        while (!script.is_over() && problem_ == nullptr) step(script);
    }
    void lie_in_wait(Script& script) {
        const std::uint8_t accesses = script.byte();
        const Script part = script.part(script.byte() % 32);
        if (inside_ == Side::nobody && ambushes_.size() < 8) ambushes_.push_back({accesses % 64u, part});
    }

    void start_anew() {
        Completion out[7];
        for (;;) {
            const std::size_t n = driver_.evacuate(out);
            if (n == 0 || problem_ != nullptr) break;
            require(driver_.error() != Errc::ok, "who was evacuated is latched");
            for (std::size_t i = 0; i < n && problem_ == nullptr; ++i) {
                require(out[i].written == 0, "nothing was written");
                complain(model_.completed(out[i]));
            }
        }
        require(model_.out() == 0 && driver_.in_flight() == 0, "evacuate hands back all that was in flight");
        require(driver_.restart() == Errc::ok, "a queue that is empty can be restarted");
        start_device();
    }

    // An honest session comes to an end.
    void drain() {
        for (std::size_t rounds = 0; problem_ == nullptr && model_.out() != 0; ++rounds) {
            if (rounds > 2) return require(false, "all that is in flight completes");
            call(Side::driver, 8, [&] { driver_.kick(); });
            for (std::size_t before = ~std::size_t{0}; held_.out() != before;) {
                before = held_.out();
                pop();
            }
            constexpr std::byte rest[2] = {};
            while (problem_ == nullptr && held_.out() != 0) {
                Script first(rest);
                push(first);
            }
            publish();
            for (std::size_t before = ~std::size_t{0}; model_.out() != before;) {
                before = model_.out();
                poll(64);
            }
        }
    }
    // Nothing is left behind: the ring takes as much as a new one.
    void fill() {
        const std::vector<Segment> longest(driver_.limits().max_segments, {areas_.data.region().device(), 1});
        for (std::size_t i = 0; i < model_.tokens(); ++i) {
            require(driver_.submit(longest, {}, Token{}) == Errc::ok, "there is room for all again");
        }
        require(driver_.submit(longest, {}, Token{}) == Errc::queue_full, "and for no more");
    }

    void require(bool holds, const char* what) {
        if (!holds) complain(what);
    }
    void complain(const char* what) {
        if (problem_ == nullptr) problem_ = what;
    }

    const Side hostile_;
    const Choice chosen_;
    Script script_;
    RingAreas<Areas> areas_;
    RingPeer<Areas> peer_;
    RegionTable table_;
    std::vector<typename Areas::Shadow> shadow_;
    std::vector<typename Areas::Head> heads_;
    typename Areas::Driver driver_;
    typename Areas::Device device_;
    DriverModel model_;
    DeviceModel held_;
    PreparedId prepared_{}; // the first of the ids, one a token
    std::deque<Ambush> ambushes_;
    std::vector<std::byte> before_;
    Side inside_ = Side::nobody;
    std::uint32_t accesses_ = 0;
    bool was_disturbed_ = false;
    bool is_honest_ = true;
    const char* problem_ = nullptr;
    std::size_t completions_ = 0;
};

} // namespace vfsproto::fuzz
