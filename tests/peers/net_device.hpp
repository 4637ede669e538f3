// SPDX-License-Identifier: BSD-2-Clause
// A network device with one pair of queues, on our device side. Frames it makes up go to the driver, which sends every
// one back; each must return, in order, with its content.
#pragma once

#include "peers/back_end_socket.hpp"
#include "peers/form.hpp"
#include "peers/frames.hpp"
#include "support/catch.hpp"
#include "support/ring_pair.hpp"

#include "vfsproto/transport/features.hpp"

#include <unistd.h>

#include <algorithm>

namespace vfsproto::test {

inline constexpr std::uint64_t kMergedBuffers = 1u << 15; // VIRTIO_NET_F_MRG_RXBUF

template <class Parts> class NetDevice {
public:
    struct Counts {
        std::uint64_t sleeps = 0;
        std::uint64_t interrupts = 0;
        std::uint64_t linked = 0;   // frames that came in more than one segment
        std::uint64_t indirect = 0; // of these, the ones that came through a table
        std::uint64_t buffers = 0;  // that frames to the driver took
    };

    // `longest` is more than one buffer holds only with VIRTIO_NET_F_MRG_RXBUF.
    NetDevice(BackEndSocket& socket, std::size_t longest) : socket_(socket), frames_(longest) {
        for (Out& out : outs_) out.chain.storage = out.segments;
    }

    // Until the driver has set both queues up.
    void await_driver() {
        while (!socket_.queue(kToDriver).is_ready() || !socket_.queue(kFromDriver).is_ready()) hear();
        const FeatureSet features(socket_.features());
        merges_ = (features.bits() & kMergedBuffers) != 0;
        in_order_ = features.has(Feature::in_order);
        start(to_driver_, socket_.queue(kToDriver), features);
        start(from_driver_, socket_.queue(kFromDriver), features);
        generation_ = socket_.generation();
        // A driver without room for a frame drops it; a long one takes five descriptors.
        window_ = socket_.queue(kFromDriver).size / (merges_ ? 6 : 2);
        // DPDK's driver throws away what it finds when it starts, and rings the doorbell after that.
        await_doorbell();
        to_driver_.ring.disarm();
        from_driver_.ring.disarm();
    }

    // Makes that many frames and waits until all are back, or until the driver has broken a rule of rings. `before_sleep` is
    // called when it has asked to be woken.
    [[nodiscard]] Errc exchange(std::uint64_t frames, Waiting waiting, const BeforeSleep& before_sleep = {}) {
        const std::uint64_t goal = received_ + frames;
        unsigned idle = 0;
        while (received_ < goal) {
            const std::size_t moved = send(goal) + receive();
            if (to_driver_.ring.error() != Errc::ok) return to_driver_.ring.error();
            if (from_driver_.ring.error() != Errc::ok) return from_driver_.ring.error();
            if (moved != 0) {
                idle = 0;
            } else if (waiting == Waiting::sleeps) {
                sleep(goal, before_sleep);
            } else if (++idle % kPatience == 0) {
                nap(idle / kPatience);
            }
        }
        return Errc::ok;
    }
    [[nodiscard]] const Counts& counts() const { return counts_; }

    [[nodiscard]] RingDeviceCounters to_driver() const { return to_driver_.ring.counters(); }
    [[nodiscard]] RingDeviceCounters from_driver() const { return from_driver_.ring.counters(); }

private:
    static constexpr std::size_t kToDriver = 0; // "receiveq1", virtio 1.2 §5.1.2
    static constexpr std::size_t kFromDriver = 1;
    static constexpr std::size_t kBurst = 32;
    static constexpr unsigned kPatience = 1000; // empty polls
    static constexpr unsigned kMostNaps = 200'000;

    struct Queue {
        typename Parts::Device ring;
        std::vector<typename Parts::Head> heads;
        int kick = -1;
        int call = -1;
    };
    struct Out {
        std::array<HostSegment, 16> segments;
        Chain chain;
        std::uint32_t written = 0;
    };

    static void must(Errc errc) {
        if (errc != Errc::ok) FAIL("unexpected: " << to_string(errc));
    }
    void hear() {
        if (socket_.hear() == BackEndSocket::Heard::hangup) FAIL("the driver left");
        // It may ask, but must not take anything away.
        if (generation_ != 0 && socket_.generation() != generation_) FAIL("the driver set something up anew");
    }

    void start(Queue& queue, const ToldQueue& told, FeatureSet features) {
        const auto size = static_cast<std::uint16_t>(told.size);
        auto options = options_of(told);
        options.event_index = features.has(Feature::event_idx) ? EventIndex::on : EventIndex::off;
        options.indirect = features.has(Feature::indirect_desc) ? IndirectTables::accepted : IndirectTables::refused;
        const auto area = [&](std::uint64_t address, std::size_t bytes) {
            return socket_.at_user_address(address, bytes);
        };
        std::size_t driver_bytes = 4;
        std::size_t device_bytes = 4;
        if constexpr (kIsSplit) {
            driver_bytes = split_layout(size).driver_bytes;
            device_bytes = split_layout(size).device_bytes;
        }
        const auto ring = Parts::Ring::of(area(told.descriptors, std::size_t{16} * size),
                                          area(told.available, driver_bytes), area(told.used, device_bytes), size);
        REQUIRE(ring);
        queue.heads.resize(size);
        must(queue.ring.init(*ring, socket_.memory(), queue.heads, options));
        queue.kick = told.kick.get();
        queue.call = told.call.get();
    }
    static constexpr bool kIsSplit = std::is_same_v<Parts, SplitParts>;
    auto options_of(const ToldQueue& told) const {
        if constexpr (kIsSplit) {
            SplitDeviceOptions options;
            options.start_index = static_cast<std::uint16_t>(told.base);
            return options;
        } else {
            // DPDK tells one place for both: a ring it starts is idle.
            PackedDeviceOptions options;
            options.start_avail = static_cast<std::uint16_t>(told.base);
            options.start_used = options.start_avail;
            if (in_order_) options.order = UseOrder::in_order;
            return options;
        }
    }

    void await_doorbell() {
        while (true) {
            pollfd waiting[] = {{to_driver_.kick, POLLIN, 0}, {socket_.fd(), POLLIN, 0}};
            if (::poll(waiting, 2, 20'000) < 1) FAIL("the driver never rang");
            if (waiting[1].revents != 0) hear();
            if (waiting[0].revents == 0) continue;
            static_cast<void>(backends::wait_event(to_driver_.kick));
            return;
        }
    }

    void notify(Queue& queue) {
        if (!queue.ring.wants_notification()) return;
        ++counts_.interrupts;
        backends::signal_event(queue.call);
    }

    std::size_t send(std::uint64_t goal) {
        std::size_t count = 0;
        while (sent_ < goal && sent_ - received_ < window_ && count < kBurst) {
            if (!send_one()) break;
            ++count;
        }
        if (count != 0) notify(to_driver_);
        return count;
    }

    // Takes as many buffers as the frame needs, which are held until there are enough.
    bool send_one() {
        const std::size_t needed = kNetHeader + frames_.length(sent_);
        while (held_bytes_ < needed) {
            if (held_ == kHeldMost) FAIL("a frame of too many buffers");
            Chain& chain = outs_[held_].chain;
            if (!to_driver_.ring.pop(chain)) return false;
            if (chain.readable_count != 0) FAIL("a buffer to receive into has readable segments");
            for (const HostSegment& segment : chain.writable()) held_bytes_ += segment.len;
            ++held_;
            if (!merges_ && held_bytes_ < needed) FAIL("a buffer of " << held_bytes_ << " bytes");
        }
        all_.clear();
        std::size_t left = needed;
        for (std::size_t i = 0; i < held_; ++i) {
            std::size_t room = 0;
            for (const HostSegment& segment : outs_[i].chain.writable()) {
                all_.push_back(segment);
                room += segment.len;
            }
            outs_[i].written = static_cast<std::uint32_t>(std::min(room, left));
            left -= outs_[i].written;
        }
        std::array<std::byte, kNetHeader> header{};
        header[10] = std::byte(held_); // num_buffers
        std::size_t done = 0;
        for (const HostSegment& segment : all_) {
            const std::size_t here = std::min<std::size_t>(segment.len, kNetHeader - done);
            std::memcpy(segment.data, header.data() + done, here);
            done += here;
            if (done == kNetHeader) break;
        }
        frames_.write(sent_++, all_, kNetHeader);
        for (std::size_t i = 0; i < held_; ++i) {
            must(to_driver_.ring.push(outs_[i].chain, outs_[i].written));
            // Entries that are published at once with IN_ORDER are one batch, and only its last length is told.
            if (in_order_) to_driver_.ring.publish();
        }
        counts_.buffers += held_;
        held_ = 0;
        held_bytes_ = 0;
        return true;
    }

    std::size_t receive() {
        std::size_t count = 0;
        while (count < kBurst && from_driver_.ring.pop(outs_[kHeldMost + count].chain)) {
            const Chain& chain = outs_[kHeldMost + count++].chain;
            std::size_t bytes = 0;
            for (const HostSegment& segment : chain.readable()) bytes += segment.len;
            if (chain.writable_count != 0) FAIL("a frame has writable segments");
            if (bytes != kNetHeader + frames_.length(received_)) {
                FAIL("frame " << received_ << " of " << frames_.length(received_) << " bytes came with " << bytes);
            }
            if (!frames_.matches(received_, chain.readable(), kNetHeader)) {
                FAIL("frame " << received_ << " came changed");
            }
            ++received_;
            if (chain.readable_count > 1) ++counts_.linked;
            if (chain.readable_count > 1 && chain.descriptors == 1) ++counts_.indirect;
        }
        if (count == 0 || from_driver_.ring.error() != Errc::ok) return 0;
        // The buffers go back in another order than they came in; with IN_ORDER the queue keeps them back.
        std::array<std::size_t, kBurst> order;
        for (std::size_t i = 0; i < count; ++i) order[i] = i;
        for (std::size_t i = count; i > 1; --i) std::swap(order[i - 1], order[scramble(shuffles_++) % i]);
        for (std::size_t i = 0; i < count; ++i) must(from_driver_.ring.push(outs_[kHeldMost + order[i]].chain, 0));
        notify(from_driver_);
        return count;
    }

    // The driver may be waiting for this very core.
    void nap(unsigned number) {
        if (number == kMostNaps) {
            FAIL("nothing more: " << sent_ << " frames sent, " << received_ << " received, "
                                  << to_driver_.ring.counters().chains << " buffers taken");
        }
        if (socket_.has_message()) hear();
        ::usleep(20);
    }
    void sleep(std::uint64_t goal, const BeforeSleep& before_sleep) {
        // A buffer is waited for only by who has a frame to send.
        const bool wants_buffers = sent_ < goal && sent_ - received_ < window_;
        if (from_driver_.ring.arm() || (wants_buffers && to_driver_.ring.arm())) return;
        if (before_sleep) before_sleep();
        pollfd waiting[] = {{from_driver_.kick, POLLIN, 0},
                            {wants_buffers ? to_driver_.kick : -1, POLLIN, 0},
                            {socket_.fd(), POLLIN, 0}};
        if (::poll(waiting, 3, 20'000) < 1) {
            FAIL("no doorbell: " << sent_ << " frames sent, " << received_ << " received");
        }
        ++counts_.sleeps;
        if (waiting[0].revents != 0) static_cast<void>(backends::wait_event(from_driver_.kick));
        if (waiting[1].revents != 0) static_cast<void>(backends::wait_event(to_driver_.kick));
        if (waiting[2].revents != 0) hear();
        from_driver_.ring.disarm();
        to_driver_.ring.disarm();
    }

    static constexpr std::size_t kHeldMost = 16;

    BackEndSocket& socket_;
    Frames frames_;
    Queue to_driver_;
    Queue from_driver_;
    std::array<Out, kHeldMost + kBurst> outs_; // held for a frame to the driver, then a burst from it
    std::size_t held_ = 0;
    std::size_t held_bytes_ = 0;
    std::vector<HostSegment> all_;
    bool merges_ = false;
    bool in_order_ = false;
    unsigned generation_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t window_ = 0; // frames under way at most
    std::uint64_t shuffles_ = 0;
    Counts counts_;
};

} // namespace vfsproto::test
