// SPDX-License-Identifier: BSD-2-Clause
// A whole client against a whole server, in one thread and without a clock: session, lane and operations over two split
// rings, whose device sides are server lanes with memfs behind them. Every step is chosen by a seed.
#pragma once

#include "abandoning_lane.hpp"
#include "support/catch.hpp"
#include "support/ring_pair.hpp"
#include "vfsproto/backends/loopback/detail/faulty_queue.hpp"
#include "vfsproto/backends/memfs.hpp"
#include "vfsproto/fuse/client/connection.hpp"
#include "vfsproto/fuse/client/lane.hpp"
#include "vfsproto/fuse/client/node_table.hpp"
#include "vfsproto/fuse/client/operations/operation.hpp"
#include "vfsproto/fuse/server/server_lane.hpp"

#include <array>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace vfsproto::test {

struct SimOptions {
    std::uint64_t seed = 1;
    RingPairOptions ring{.size = 16, .max_segments = 4};
    std::uint16_t slots = 4;
    std::uint16_t hold_back = 3; // completions the device keeps back and shuffles
    std::vector<backends::loopback::Fault> faults{};
    std::uint32_t bounce = 8192;
    std::uint32_t max_data_in_flight = 24 * 1024;
};

class SimulatedMount {
public:
    using Faulty = backends::loopback::FaultyQueue<SplitDevice>;
    using ServerLane = server::ServerLane<Faulty, backends::Memfs>;

    SimulatedMount(const SimOptions& options, backends::MemfsOptions memfs)
        : random(options.seed),
          fs(std::move(memfs)),
          requests_(options.ring),
          hiprio_({.size = 4, .event_index = options.ring.event_index, .max_segments = 1}),
          faulty_requests_(requests_.device, plan(options), options.ring.size),
          faulty_hiprio_(hiprio_.device, {}, 4),
          request_server_(faulty_requests_, fs, server_session_, {request_segments_, *scratch_},
                          {wire::QueueKind::request, 1}),
          hiprio_server_(faulty_hiprio_, fs, server_session_, {hiprio_segments_, *scratch_},
                         {wire::QueueKind::hiprio, 0}),
          buckets_(16, nullptr),
          nodes(buckets_) {
        // Both rings reach the memory of the first.
        REQUIRE(hiprio_.table.remove(RingPair::kDataAddr));
        REQUIRE(hiprio_.table.add(requests_.data) == Errc::ok);
        const std::size_t lane_bytes = client::Lane::memory_bytes(options.slots, options.bounce);
        lane_memory_ = requests_.data.part(client::Session::kMemoryBytes, lane_bytes);
        client::SessionOptions session_options;
        session_options.quirks.interrupts = client::InterruptUse::allowed;
        REQUIRE(connection.init(requests_.data.part(0, client::Session::kMemoryBytes), session_options,
                                make_queue_ref(hiprio_.driver), make_queue_ref(requests_.driver)) == Errc::ok);
        entries_.resize(options.slots);
        lane_options_.bounce = options.bounce;
        lane_options_.max_data_in_flight = options.max_data_in_flight;
        REQUIRE(lane.init(make_queue_ref(requests_.driver), entries_, lane_memory_, lane_options_) == Errc::ok);
        registered = requests_.data.part(client::Session::kMemoryBytes + lane_bytes,
                                         requests_.data.size() - client::Session::kMemoryBytes - lane_bytes);
        REQUIRE(connection.add_lane(lane) == Errc::ok);
        abandoning.start(options.bounce, make_queue_ref(requests_.driver).limits().max_segments);
        client = {&abandoning, &connection.params(), &connection.sticky()};
    }
    SimulatedMount(const SimulatedMount&) = delete;
    SimulatedMount& operator=(const SimulatedMount&) = delete;
    ~SimulatedMount() {
        for (auto& [nodeid, node] : by_number_) delete node;
    }

    // Sends INIT. False when the server or the device refused.
    bool mount(const client::InitOptions& wanted = {}) {
        REQUIRE(connection.open(wanted) == Errc::ok);
        run_session();
        return session().state() == client::SessionState::ready;
    }
    // Sends DESTROY, after everything else is over.
    bool unmount() {
        REQUIRE(lane.idle());
        REQUIRE(connection.close() == Errc::ok);
        run_session();
        return session().state() == client::SessionState::closed;
    }
    [[nodiscard]] const client::Session& session() const { return connection.session(); }

    // One turn of everything, some of it left out at random. False when nothing moved at all.
    bool turn() {
        bool moved = false;
        if (gone()) return false;
        abandoning.turn();
        if (!random.one_in(4)) moved |= pump();
        lane.kick();
        if (!random.one_in(3)) moved |= serve(request_server_, faulty_requests_, 1 + random.below(4));
        if (!random.one_in(3)) moved |= serve(hiprio_server_, faulty_hiprio_, 1 + random.below(2));
        if (!random.one_in(3)) moved |= drain();
        free_links();
        return moved;
    }
    // Turns until nothing moves and the device has let go of all it can.
    void settle() {
        for (int idle = 0; idle < 12 && !gone();) {
            if (turn()) {
                idle = 0;
            } else {
                // Asked to sleep, the device lets its held completions go.
                static_cast<void>(faulty_requests_.arm());
                static_cast<void>(faulty_requests_.wants_notification());
                static_cast<void>(faulty_hiprio_.arm());
                ++idle;
            }
        }
    }
    // The device is gone, or has to be reset.
    void fail(Errc why) {
        connection.fail(why);
        free_links();
    }
    [[nodiscard]] bool gone() const { return connection.failure() != Errc::ok; }
    // Suspends the connection, whatever is under way, and stops the device. Nothing that the server gave is known to it any more.
    void suspend() {
        REQUIRE(connection.suspend() == Errc::ok);
        settle();
        run_session();
        REQUIRE(connection.is_suspended());
        CHECK(session_is_over());
    }
    // Sends INIT anew, after reset(). False when the server or the device refused.
    bool resume() {
        REQUIRE(connection.resume({}) == Errc::ok);
        run_session();
        return session().state() == client::SessionState::ready;
    }
    // Resets a device that is gone or that nobody asks anything, so that it can be mounted again. No node is known any more.
    void reset() {
        REQUIRE((gone() || connection.is_suspended()));
        REQUIRE(by_number_.empty());
        request_server_.abandon();
        hiprio_server_.abandon();
        faulty_requests_.forget();
        faulty_hiprio_.forget();
        server_session_.end();
        fs.on_destroy();
        for (RingPair* ring : {&requests_, &hiprio_}) {
            REQUIRE(ring->driver.restart() == Errc::ok);
            ring->start_device(0);
        }
        REQUIRE(lane.init(make_queue_ref(requests_.driver), entries_, lane_memory_, lane_options_) == Errc::ok);
    }

    // Node bookkeeping as a host does it.
    client::Node& count(const wire::EntryOut& entry) {
        auto* fresh = new client::Node;
        client::Node& node =
            nodes.count_lookup(entry.nodeid, entry.generation, abi::file_type(entry.attr.mode), *fresh);
        if (&node == fresh) {
            by_number_[entry.nodeid] = fresh;
        } else {
            delete fresh;
        }
        return node;
    }
    void drop(client::Node* node, client::Linked linked = client::Linked::yes) {
        if (node == nullptr) return; // the root
        if (client::Node* out = nodes.drop(*node, linked); out != nullptr) give_back(*out);
    }
    void evict(std::size_t keep) {
        while (client::Node* node = nodes.evict(keep)) give_back(*node);
    }
    void forget_surplus(std::uint64_t nodeid) {
        if (nodeid == 0) return;
        auto* node = new client::Node;
        node->forget = {nodeid, 1, nullptr};
        ++links_out;
        connection.forget(node->forget);
    }
    // The nodes that are known stay known until as many late replies have come: one may be named by a request on its way.
    void keep_nodes() {
        for (auto& [nodeid, node] : by_number_) {
            nodes.use(*node);
            kept_.push_back(node);
        }
    }
    void let_go_of_nodes() {
        for (client::Node* node : std::exchange(kept_, {})) drop(node);
    }
    void free_links() {
        while (client::ForgetLink* link = connection.take_forgotten()) {
            --links_out;
            delete reinterpret_cast<client::Node*>(link); // its first member
        }
    }
    [[nodiscard]] const std::map<std::uint64_t, client::Node*>& known() const { return by_number_; }
    // True if the server has nothing of the session left.
    [[nodiscard]] bool session_is_over() const { return fs.lookups() == 0 && fs.open_handles() == 0; }

    // Checks at rest that we count what the server counts, node by node and in all.
    void check_counts() {
        std::uint64_t sum = 0;
        for (const auto& [nodeid, node] : by_number_) {
            CHECK(node->forget.nlookup == fs.lookups_of(nodeid));
            sum += node->forget.nlookup;
        }
        CHECK(fs.lookups() == sum);
        CHECK(nodes.size() == by_number_.size());
    }

    Random random;
    backends::Memfs fs;
    client::Connection connection;
    client::Lane lane;
    AbandoningLane abandoning{lane, *this};
    client::Client client{};
    Region registered; // what is left of the memory both sides reach
    std::size_t links_out = 0;

private:
    static backends::loopback::FaultPlan plan(const SimOptions& options) {
        backends::loopback::FaultPlan plan;
        plan.seed = options.seed;
        plan.faults = options.faults;
        plan.hold_back = options.hold_back;
        return plan;
    }
    void give_back(client::Node& node) {
        by_number_.erase(node.nodeid());
        ++links_out;
        connection.forget(node.forget);
    }
    // True if anything moved on the session's queues.
    bool pump() {
        const auto before = connection.counters();
        if (const Errc why = connection.pump(); why != Errc::ok) fail(why);
        const auto& now = connection.counters();
        return now.sent != before.sent || now.hiprio_used != before.hiprio_used;
    }
    bool drain() {
        // DESTROY and its answer go by the lane's queue, once that is idle.
        if (session().state() != client::SessionState::ready && lane.idle()) return false;
        const bool moved = lane.drain() != 0;
        if (const Errc why = connection.drained(); why != Errc::ok) fail(why);
        return moved;
    }
    static bool serve(ServerLane& lane, Faulty& queue, std::size_t budget) {
        const bool moved = lane.serve(budget) != 0;
        static_cast<void>(queue.wants_notification());
        return moved;
    }
    // INIT and DESTROY ride on the request ring while no lane uses it.
    void run_session() {
        for (int round = 0; round < 50; ++round) {
            pump();
            serve(hiprio_server_, faulty_hiprio_, 4);
            serve(request_server_, faulty_requests_, 4);
            static_cast<void>(faulty_requests_.arm());
            static_cast<void>(faulty_requests_.wants_notification());
            free_links();
        }
    }

    server::ServerSession server_session_;
    RingPair requests_;
    RingPair hiprio_;
    Faulty faulty_requests_;
    Faulty faulty_hiprio_;
    std::array<HostSegment, 64> request_segments_{};
    std::array<HostSegment, 64> hiprio_segments_{};
    std::unique_ptr<server::RequestScratch> scratch_ = std::make_unique<server::RequestScratch>();
    ServerLane request_server_;
    ServerLane hiprio_server_;
    std::vector<client::Lane::Entry> entries_;
    Region lane_memory_{};
    client::LaneOptions lane_options_{};
    std::vector<client::Node*> buckets_;

public:
    client::NodeTable nodes;

private:
    std::map<std::uint64_t, client::Node*> by_number_;
    std::vector<client::Node*> kept_;
};

} // namespace vfsproto::test
