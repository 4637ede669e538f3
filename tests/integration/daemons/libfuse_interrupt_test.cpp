// SPDX-License-Identifier: BSD-2-Clause
// INTERRUPT before libfuse, from the lane and the connection themselves: one thread, nothing of posix/.
#include "support/catch.hpp"
#include "support/libfuse_server.hpp"
#include "support/watchdog.hpp"

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/backends/fuse_stream.hpp"
#include "vfsproto/fuse/client/connection.hpp"
#include "vfsproto/fuse/client/lane.hpp"
#include "vfsproto/fuse/client/late_reply.hpp"

#include <array>

using namespace vfsproto;
using abi::Errno;
using test::LibfuseServer;
using test::Watchdog;
using wire::Opcode;

namespace {

class DirectClient {
public:
    explicit DirectClient(const LibfuseServer& server) {
        backends::FuseStreamOptions options;
        options.socket_path = server.socket();
        device_ = backends::FuseStream::open(std::move(options)).device;
        REQUIRE(device_ != nullptr);
        queues_ = device_->own_queues().queues;
        REQUIRE(queues_ != nullptr);
        const auto memory = device_->allocate(client::Session::kMemoryBytes);
        const auto lane_memory = device_->allocate(client::Lane::memory_bytes(kSlots, kBounce));
        REQUIRE((memory && lane_memory));
        REQUIRE(connection.init(*memory, {device_->quirks(), WrittenLength::exact}, queues_->hiprio().queue,
                                queues_->request_queue(0).queue) == Errc::ok);
        client::LaneOptions lane_options;
        lane_options.bounce = kBounce;
        REQUIRE(lane.init(queues_->request_queue(0).queue, entries_, *lane_memory, lane_options) == Errc::ok);
        REQUIRE(connection.add_lane(lane) == Errc::ok);
        REQUIRE(connection.open({}) == Errc::ok);
        run_until([&] { return connection.is_settled(); });
        REQUIRE(connection.session().state() == client::SessionState::ready);
    }
    ~DirectClient() {
        if (connection.close() != Errc::ok) return;
        run_until([&] { return connection.is_settled(); });
    }
    DirectClient(const DirectClient&) = delete;
    DirectClient& operator=(const DirectClient&) = delete;

    [[nodiscard]] backends::FuseStream& stream() { return *device_; }

    // Moves messages both ways until the condition holds.
    template <class Condition> void run_until(Condition&& condition) {
        for (;;) {
            // Before the session is ready, the request queue is its own.
            if (connection.session().state() == client::SessionState::ready) lane.drain();
            if (const Errc why = connection.pump(); why != Errc::ok) throw std::runtime_error(to_string(why));
            lane.kick();
            if (condition()) return;
            const bool control = connection.next_wait().control;
            bool look = connection.arm() || queues_->hiprio().queue.arm(1);
            if (!control) look = lane.arm_each().next == client::ArmOutcome::Next::look_again || look;
            if (look) continue;
            pollfd waits[] = {{queues_->hiprio().wait_fd, POLLIN, 0}, {queues_->request_queue(0).wait_fd, POLLIN, 0}};
            static_cast<void>(::poll(waits, 2, -1));
            for (const pollfd& each : waits) static_cast<void>(backends::take_event(each.fd));
        }
    }
    // Runs one request to its end. The error of the server.
    template <class Call> Errno run(Call& call, std::uint64_t nodeid) {
        start(call, nodeid);
        run_until([&] { return call.owner == nullptr; });
        if (call.errc != Errc::ok) throw std::runtime_error(to_string(call.errc));
        return call.error;
    }
    template <class Call> void start(Call& call, std::uint64_t nodeid) {
        call.nodeid = nodeid;
        call.owner = this;
        call.on_done = [](client::Request& done) noexcept { done.owner = nullptr; };
        lane.enqueue(call);
        lane.kick();
    }

    client::Connection connection;
    client::Lane lane;

private:
    static constexpr std::size_t kSlots = 8;
    static constexpr std::uint32_t kBounce = 128 * 1024;

    std::array<client::Lane::Entry, kSlots> entries_{};
    std::unique_ptr<backends::FuseStream> device_;
    std::unique_ptr<backends::QueueSet> queues_;
};

constexpr std::uint64_t kRoot = 1;
constexpr std::string_view kBlocks = "blocks"; // a READ of it waits until it is interrupted

struct OpenBlocking {
    explicit OpenBlocking(DirectClient& direct) {
        create.name = kBlocks;
        create.args.mode = 0100600;
        create.args.flags = 2; // O_RDWR
        REQUIRE(direct.run(create, kRoot) == Errno::none);
    }
    void start_read(DirectClient& direct) {
        read.args.fh = create.reply.open.fh;
        read.args.size = static_cast<std::uint32_t>(bytes.size());
        read.data_out = {bytes.data(), read.args.size, {}};
        direct.start(read, create.reply.entry.nodeid);
        direct.run_until([&] { return direct.lane.unique_of(read) != 0; });
    }
    void give_back(DirectClient& direct) {
        client::Call<Opcode::release> release;
        release.args.fh = create.reply.open.fh;
        REQUIRE(direct.run(release, create.reply.entry.nodeid) == Errno::none);
        link.nodeid = create.reply.entry.nodeid;
        link.nlookup = 1;
        direct.connection.forget(link);
        direct.run_until([&] { return direct.connection.take_forgotten() != nullptr; });
    }

    client::Call<Opcode::create> create;
    client::Call<Opcode::read> read;
    client::ForgetLink link;
    std::array<std::byte, 4096> bytes{};
};

} // namespace

TEST_CASE("libfuse ends a READ that is interrupted, and says nothing to the INTERRUPT", "[integration][libfuse]") {
    if (LibfuseServer::missing()) return;
    const Watchdog watchdog("INTERRUPT");
    LibfuseServer server;
    {
        DirectClient direct(server);
        OpenBlocking file(direct);
        for (int round = 0; round < 3; ++round) {
            file.start_read(direct);
            const std::uint64_t unique = direct.lane.unique_of(file.read);
            REQUIRE(direct.connection.interrupt(unique) == Errc::ok);
            direct.run_until([&] { return file.read.owner == nullptr; });
            direct.connection.end_interrupt(unique);
            CHECK(file.read.errc == Errc::ok);
            CHECK(file.read.error == Errno::eintr);
            // The message of the INTERRUPT came back as well, without a reply.
            direct.run_until([&] { return direct.connection.session().hiprio_in_flight() == 0; });
            file.read.prepare();
        }
        file.give_back(direct);
    }
    CHECK(server.wait() == "lookups 0, over-forgets 0, destroyed 1\n");
}

TEST_CASE("a READ that was let go of is interrupted, and its late reply ends it", "[integration][libfuse]") {
    if (LibfuseServer::missing()) return;
    const Watchdog watchdog("abandoned");
    LibfuseServer server;
    {
        DirectClient direct(server);
        OpenBlocking file(direct);
        file.start_read(direct);
        const std::uint64_t unique = direct.lane.unique_of(file.read);
        client::LateReply late;
        bool ended = false;
        late.owner = &ended;
        late.on_late = [](client::LateReply& done) noexcept { *static_cast<bool*>(done.owner) = true; };
        REQUIRE(direct.lane.abandon(file.read, late, Errc::abandoned) == Errc::ok);
        CHECK(file.read.errc == Errc::abandoned); // the caller is free at once
        CHECK(direct.lane.in_flight() == 1);
        REQUIRE(direct.connection.interrupt(unique) == Errc::ok);
        direct.run_until([&] { return ended; });
        direct.connection.end_interrupt(unique);
        CHECK(late.verdict.error == Errno::eintr);
        CHECK(direct.lane.in_flight() == 0);
        file.give_back(direct);
    }
    CHECK(server.wait() == "lookups 0, over-forgets 0, destroyed 1\n");
}

TEST_CASE("an INTERRUPT that libfuse takes for one too early is answered late, and harms nothing",
          "[integration][libfuse]") {
    if (LibfuseServer::missing()) return;
    const Watchdog watchdog("late INTERRUPT");
    LibfuseServer server;
    {
        DirectClient direct(server);
        client::Call<Opcode::getattr> first;
        direct.start(first, kRoot);
        const std::uint64_t unique = direct.lane.unique_of(first);
        REQUIRE(direct.connection.interrupt(unique) == Errc::ok);
        direct.run_until([&] { return first.owner == nullptr; });
        direct.connection.end_interrupt(unique);
        CHECK(first.error == Errno::none);
        // libfuse keeps it, and tells with the next request that it knows no such target.
        client::Call<Opcode::getattr> second;
        CHECK(direct.run(second, kRoot) == Errno::none);
        test::until([&] { return direct.stream().counters().late_interruptions == 1; });
        direct.run_until([&] { return direct.connection.session().hiprio_in_flight() == 0; });
    }
    CHECK(server.wait() == "lookups 0, over-forgets 0, destroyed 1\n");
}
