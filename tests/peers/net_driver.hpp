// SPDX-License-Identifier: BSD-2-Clause
// The driver of a network device with one pair of queues, on our rings over our vhost-user front end. The device sends
// every frame back; each must return, in order, with its content.
#pragma once

#include "peers/form.hpp"
#include "peers/frames.hpp"
#include "support/catch.hpp"

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/backends/vhost_user.hpp"
#include "vfsproto/posix/detail/driver_queue.hpp"
#include "vfsproto/transport/bring_up.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>

namespace vfsproto::test {

inline void must(Errc errc) {
    if (errc != Errc::ok) FAIL("unexpected: " << to_string(errc));
}

class NetDriver {
public:
    static constexpr QueueIndex kReceive{0};
    static constexpr QueueIndex kTransmit{1};
    static constexpr std::uint16_t kMaxPieces = 4;
    static constexpr unsigned kPatience = 1000; // empty polls

    struct Counts {
        std::uint64_t frames = 0;
        std::uint64_t sleeps = 0;
        std::chrono::nanoseconds time{};
    };

    // `features` are all required of the device. `size` is the size of both rings.
    NetDriver(const std::string& socket, FeatureSet features, std::uint16_t size) {
        backends::VhostUserOptions options;
        options.socket_path = socket;
        options.config.clear();
        options.queue_size = size;
        options.queues_per_count = 2;
        options.quirks = client::Quirks{.peer = "DPDK"};
        options.server_name = "testpmd";
        options.connect_patience = std::chrono::seconds(10);
        auto opened = backends::VhostUser::open(std::move(options));
        if (!opened) FAIL(opened.message);
        device_ = std::move(opened.device);
        steps_.emplace(device_->transport());
        const auto accepted = steps_->negotiate(features, features);
        if (!accepted) FAIL(to_string(steps_->step()) << ": " << to_string(accepted.error()));
        // DPDK's vhost fills four descriptors of a packed ring at a time and takes each for a buffer of its own, whether
        // it has NEXT or not (docs/testing.md).
        const bool is_linked = !accepted->has(Feature::ring_packed) || accepted->has(Feature::indirect_desc);
        set_up(receive_, kReceive, size, is_linked ? kMaxPieces : std::uint16_t{1});
        set_up(transmit_, kTransmit, size, kMaxPieces);
        must(steps_->go_live());
    }

    [[nodiscard]] FeatureSet offered() const { return steps_->offered(); }
    [[nodiscard]] backends::VhostUser& device() { return *device_; }

    // Sends that many frames and waits until all are back. `before_sleep` is called when it has asked to be woken.
    Counts exchange(std::uint64_t frames, Waiting waiting, const BeforeSleep& before_sleep = {}) {
        const auto start = std::chrono::steady_clock::now();
        const std::uint64_t goal = received_ + frames;
        Counts counts{.frames = frames};
        receive_.ring.queue().disarm();
        transmit_.ring.queue().disarm();
        unsigned idle = 0;
        while (received_ < goal) {
            post();
            std::size_t moved = send(goal);
            moved += collect_sent();
            moved += receive();
            if (moved != 0) {
                idle = 0;
                continue;
            }
            must(receive_.ring.queue().error());
            must(transmit_.ring.queue().error());
            if (waiting == Waiting::sleeps) {
                counts.sleeps += sleep(before_sleep) ? 1 : 0;
            } else if (++idle % kPatience == 0) {
                // The peer may be waiting for this very core.
                ::usleep(20);
            }
        }
        while (transmit_.in_flight != 0) static_cast<void>(collect_sent());
        counts.time = std::chrono::steady_clock::now() - start;
        return counts;
    }

    // Stops both queues, which are idle, and starts them again where they were.
    void stop_and_go_on() {
        for (Queue* const queue : {&receive_, &transmit_}) {
            const auto base = device_->stop_queue(queue->index);
            REQUIRE(base);
        }
        for (Queue* const queue : {&receive_, &transmit_}) {
            must(device_->transport().enable_queue(queue->index, queue->ring.addresses()));
        }
    }

    // Resets the device. What it had not used comes back.
    void tear_down() {
        must(steps_->tear_down());
        std::array<Completion, 64> back;
        std::size_t left = 0;
        while (const std::size_t count = receive_.ring.queue().evacuate(back)) left += count;
        CHECK(left == receive_.in_flight);
    }

    [[nodiscard]] const posix::DriverQueue& receive_ring() const { return receive_.ring; }
    [[nodiscard]] const posix::DriverQueue& transmit_ring() const { return transmit_.ring; }

private:
    using Pieces = std::array<HostSegment, kMaxPieces>;
    static constexpr std::size_t kPieceRoom = 2048; // a piece lies apart from the others of its chain
    static constexpr std::size_t kSlotRoom = kPieceRoom * kMaxPieces;

    struct Queue {
        posix::DriverQueue ring;
        QueueIndex index{};
        std::uint16_t most_pieces = 0;
        Region buffers{};
        std::vector<std::uint16_t> free;
        std::vector<Pieces> pieces; // of each slot
        std::vector<std::uint16_t> piece_count;
        std::uint16_t in_flight = 0;
        int wait_fd = -1;
    };

    void set_up(Queue& queue, QueueIndex index, std::uint16_t size, std::uint16_t most_pieces) {
        const FeatureSet features = steps_->features();
        const posix::RingKind kind = posix::ring_kind(features);
        const auto memory = device_->allocate(posix::ring_bytes(kind, size));
        REQUIRE(memory);
        Region tables{};
        if (features.has(Feature::indirect_desc)) {
            const auto region = device_->allocate(posix::table_bytes(kind, size, kMaxPieces));
            REQUIRE(region);
            tables = *region;
        }
        queue.index = index;
        queue.most_pieces = most_pieces;
        must(queue.ring.set_up(features, *memory, tables, {.size = size, .max_segments = most_pieces}));
        const std::size_t slots = queue.ring.limits().max_inflight;
        const auto buffers = device_->allocate(slots * kSlotRoom);
        REQUIRE(buffers);
        queue.buffers = *buffers;
        queue.pieces.resize(slots);
        queue.piece_count.resize(slots);
        for (std::size_t slot = 0; slot < slots; ++slot) queue.free.push_back(static_cast<std::uint16_t>(slot));
        must(steps_->enable_queue(index, queue.ring.addresses()));
        queue.ring.set_doorbell(device_->transport().doorbell(index));
        queue.wait_fd = device_->transport().wait_handle(index).fd;
    }

    // Cuts `bytes` into pieces, at random places.
    std::span<HostSegment> cut(Queue& queue, std::uint16_t slot, std::size_t bytes) {
        const std::uint64_t random = scramble(cuts_++);
        const auto count = static_cast<std::uint16_t>(1 + random % queue.most_pieces);
        Pieces& pieces = queue.pieces[slot];
        std::byte* const room = queue.buffers.host() + slot * kSlotRoom;
        std::size_t left = bytes;
        for (std::uint16_t i = 0; i < count; ++i) {
            const std::size_t others = count - i - 1u; // each of them takes at least a byte
            std::size_t len = others == 0 ? left : 1 + (random >> (8 + 16 * i) & 0xffff) % (left - others);
            // DPDK's vhost writes beyond the second piece when the header it gives us ends in a third (docs/testing.md).
            const std::size_t header_left = kNetHeader - std::min(kNetHeader, bytes - left);
            if (queue.index == kReceive && i == 1 && others != 0) len = std::max(len, header_left);
            pieces[i] = {room + (kMaxPieces - 1u - i) * kPieceRoom, static_cast<std::uint32_t>(len)};
            left -= len;
        }
        queue.piece_count[slot] = count;
        return {pieces.data(), count};
    }

    void submit(Queue& queue, std::span<const HostSegment> pieces, std::uint16_t slot) {
        std::array<Segment, kMaxPieces> segments;
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            segments[i] = queue.buffers.segment(pieces[i].data, pieces[i].len);
        }
        const std::span<const Segment> all(segments.data(), pieces.size());
        const std::span<const Segment> none;
        posix::AnyRing& ring = queue.ring.queue();
        must(queue.index == kReceive ? ring.submit(none, all, Token{slot}) : ring.submit(all, none, Token{slot}));
        ++queue.in_flight;
    }

    // Gives the device every buffer there is to receive into.
    void post() {
        if (receive_.free.empty()) return;
        for (const std::uint16_t slot : receive_.free) {
            submit(receive_, cut(receive_, slot, kNetHeader + kMaxFrame), slot);
        }
        receive_.free.clear();
        receive_.ring.queue().kick();
    }

    // The device drops what finds no buffer, hence never more frames than buffers.
    std::size_t send(std::uint64_t goal) {
        std::size_t count = 0;
        while (sent_ < goal && sent_ - received_ < receive_.in_flight && !transmit_.free.empty()) {
            const std::uint16_t slot = transmit_.free.back();
            transmit_.free.pop_back();
            const auto pieces = cut(transmit_, slot, kNetHeader + frames_.length(sent_));
            std::size_t header = kNetHeader;
            for (const HostSegment& piece : pieces) {
                const std::size_t here = std::min<std::size_t>(header, piece.len);
                std::memset(piece.data, 0, here);
                header -= here;
            }
            frames_.write(sent_++, pieces, kNetHeader);
            submit(transmit_, pieces, slot);
            ++count;
        }
        if (count != 0) transmit_.ring.queue().kick();
        return count;
    }

    std::size_t collect_sent() {
        const std::size_t count = transmit_.ring.queue().poll(done_);
        for (std::size_t i = 0; i < count; ++i) {
            if (done_[i].written != 0) FAIL("a device wrote into a frame that was sent");
            transmit_.free.push_back(done_[i].token.slot);
        }
        transmit_.in_flight = static_cast<std::uint16_t>(transmit_.in_flight - count);
        return count;
    }

    std::size_t receive() {
        const std::size_t count = receive_.ring.queue().poll(done_);
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint16_t slot = done_[i].token.slot;
            const std::span<const HostSegment> pieces(receive_.pieces[slot].data(), receive_.piece_count[slot]);
            const std::size_t length = kNetHeader + frames_.length(received_);
            const bool exact = receive_.ring.limits().written == WrittenLength::exact;
            if (exact ? done_[i].written != length : done_[i].written < length) {
                FAIL("frame " << received_ << " of " << length << " bytes came with " << done_[i].written);
            }
            if (!frames_.matches(received_, pieces, kNetHeader)) {
                FAIL("frame " << received_ << " of " << length << " bytes came changed in pieces of "
                              << Catch::rangeToString(lengths_of(pieces)) << ", from byte "
                              << frames_.first_difference(received_, pieces, kNetHeader) << " on");
            }
            ++received_;
            receive_.free.push_back(slot);
        }
        receive_.in_flight = static_cast<std::uint16_t>(receive_.in_flight - count);
        return count;
    }

    static std::vector<std::uint32_t> lengths_of(std::span<const HostSegment> pieces) {
        std::vector<std::uint32_t> lengths;
        for (const HostSegment& piece : pieces) lengths.push_back(piece.len);
        return lengths;
    }

    // Sleeps until some of the frames under way have come. False when there was no need to sleep.
    bool sleep(const BeforeSleep& before_sleep) {
        const std::uint64_t under_way = sent_ - received_;
        const auto wanted = static_cast<std::uint16_t>(1 + scramble(cuts_++) % std::min<std::uint64_t>(under_way, 8));
        if (receive_.ring.queue().arm(wanted)) return false;
        if (before_sleep) before_sleep();
        pollfd call{receive_.wait_fd, POLLIN, 0};
        if (::poll(&call, 1, 20'000) != 1) FAIL("no interrupt with " << under_way << " frames under way");
        static_cast<void>(backends::wait_event(receive_.wait_fd));
        receive_.ring.queue().disarm();
        return true;
    }

    std::unique_ptr<backends::VhostUser> device_;
    std::optional<BringUp> steps_;
    Queue receive_;
    Queue transmit_;
    Frames frames_;
    std::array<Completion, 64> done_;
    std::uint64_t sent_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t cuts_ = 0;
};

} // namespace vfsproto::test
