// SPDX-License-Identifier: BSD-2-Clause
// The plainest driver there is: brings an attachment's device up, sends bytes on a queue, waits for bytes. For tests of
// what lies below the FUSE client.
#pragma once

#include "support/message.hpp"

#include "vfsproto/backends/attachment.hpp"
#include "vfsproto/posix/detail/driver_queue.hpp"
#include "vfsproto/transport/bring_up.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

namespace vfsproto::test {

class RingClient {
public:
    static constexpr std::uint32_t kRequestRoom = 8192; // bytes
    static constexpr std::uint32_t kReplyRoom = 8192;

    struct Reply {
        std::uint32_t written = 0;
        Bytes bytes; // the first `written` of them

        [[nodiscard]] wire::OutHeader header() const {
            wire::OutHeader header{};
            if (bytes.size() < sizeof header) throw std::runtime_error("a reply shorter than a header");
            std::memcpy(&header, bytes.data(), sizeof header);
            return header;
        }
    };

    RingClient(backends::Attachment& device, FeatureSet wanted, std::uint16_t queues = 2, std::uint16_t size = 16)
        : device_(device), steps_(device.transport()), size_(size) {
        const auto features = steps_.negotiate(wanted);
        if (!features) throw std::runtime_error(std::string("negotiate: ") + to_string(features.error()));
        features_ = *features;
        for (std::uint16_t i = 0; i < queues; ++i) add_queue(QueueIndex{i});
        check(steps_.go_live(), "go_live");
        for (std::uint16_t i = 0; i < queues; ++i) {
            queues_[i].ring.set_doorbell(device.transport().doorbell(QueueIndex{i}));
        }
    }
    RingClient(const RingClient&) = delete;
    RingClient& operator=(const RingClient&) = delete;

    [[nodiscard]] FeatureSet features() const { return features_; }
    [[nodiscard]] BringUp& steps() { return steps_; }
    [[nodiscard]] posix::AnyRing& driver(std::uint16_t queue) { return queues_[queue].ring.queue(); }
    [[nodiscard]] QueueAddresses addresses(std::uint16_t queue) const { return queues_[queue].addresses; }

    // Makes the request available, without a doorbell. Returns its token.
    std::uint16_t submit(std::uint16_t queue, const Bytes& request, std::uint32_t reply_room = kReplyRoom) {
        Queue& q = queues_[queue];
        std::uint16_t slot = 0;
        while (q.busy.at(slot)) ++slot;
        std::byte* const at = q.buffers.host() + slot * std::size_t{kRequestRoom + kReplyRoom};
        std::memcpy(at, request.data(), request.size());
        std::memset(at + kRequestRoom, 0, kReplyRoom);
        const Segment readable = q.buffers.segment(at, static_cast<std::uint32_t>(request.size()));
        const Segment writable = q.buffers.segment(at + kRequestRoom, reply_room);
        check(q.ring.queue().submit({&readable, 1}, {&writable, reply_room == 0 ? 0u : 1u}, Token{slot}), "submit");
        q.busy[slot] = true;
        return slot;
    }
    void kick(std::uint16_t queue) { queues_[queue].ring.queue().kick(); }

    // Takes what has completed; true if there was anything.
    bool poll(std::uint16_t queue) {
        Queue& q = queues_[queue];
        Completion done[8];
        const std::size_t count = q.ring.queue().poll(done);
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint16_t slot = done[i].token.slot;
            const std::byte* const at = q.buffers.host() + slot * std::size_t{kRequestRoom + kReplyRoom} + kRequestRoom;
            q.replies[slot] = {done[i].written, Bytes(at, at + done[i].written)};
            q.order.push_back(slot);
            q.busy[slot] = false;
        }
        return count > 0;
    }
    [[nodiscard]] bool has(std::uint16_t queue, std::uint16_t slot) const {
        return queues_[queue].replies.count(slot) != 0;
    }
    [[nodiscard]] const std::vector<std::uint16_t>& order(std::uint16_t queue) const { return queues_[queue].order; }
    // The reply, sleeping for it as a driver does. Throws when it does not come.
    Reply wait(std::uint16_t queue, std::uint16_t slot) {
        Queue& q = queues_[queue];
        while (!has(queue, slot)) {
            if (poll(queue)) continue;
            if (q.ring.queue().error() != Errc::ok) throw std::runtime_error(to_string(q.ring.queue().error()));
            if (!q.ring.queue().arm(1)) sleep(queue);
        }
        const Reply reply = q.replies[slot];
        q.replies.erase(slot);
        return reply;
    }
    Reply exchange(std::uint16_t queue, const Bytes& request, std::uint32_t reply_room = kReplyRoom) {
        const std::uint16_t slot = submit(queue, request, reply_room);
        kick(queue);
        return wait(queue, slot);
    }
    // Returns how often the queue's eventfd was written since the last call.
    std::uint64_t interrupts(std::uint16_t queue) {
        pollfd waiting{device_.transport().wait_handle(QueueIndex{queue}).fd, POLLIN, 0};
        std::uint64_t count = 0;
        if (::poll(&waiting, 1, 0) == 1 && ::read(waiting.fd, &count, sizeof count) != sizeof count) count = 0;
        return count;
    }

private:
    struct Queue {
        posix::DriverQueue ring;
        Region buffers;
        QueueAddresses addresses;
        std::vector<bool> busy;
        std::map<std::uint16_t, Reply> replies;
        std::vector<std::uint16_t> order; // slots, as they completed
    };

    static void check(Errc why, const char* what) {
        if (why != Errc::ok) throw std::runtime_error(std::string(what) + ": " + to_string(why));
    }
    Region allocate(std::size_t bytes) {
        const auto region = device_.allocate(bytes);
        if (!region) throw std::runtime_error(std::string("allocate: ") + to_string(region.error()));
        return *region;
    }

    void add_queue(QueueIndex index) {
        const auto offered = device_.transport().max_queue_size(index);
        if (!offered) throw std::runtime_error(std::string("queue: ") + to_string(offered.error()));
        const posix::RingKind kind = posix::ring_kind(features_);
        const std::uint16_t size = std::min(size_, posix::ring_size_within(kind, *offered));
        Queue& q = queues_.emplace_back();
        q.busy.resize(size);
        q.buffers = allocate(size * std::size_t{kRequestRoom + kReplyRoom});
        Region tables;
        if (features_.has(Feature::indirect_desc)) tables = allocate(posix::table_bytes(kind, size, 2));
        const posix::DriverQueue::Options options{.size = size, .max_segments = 2};
        check(q.ring.set_up(features_, allocate(posix::ring_bytes(kind, size)), tables, options), "ring");
        q.addresses = q.ring.addresses();
        check(steps_.enable_queue(index, q.addresses), "enable_queue");
    }

    void sleep(std::uint16_t queue) {
        constexpr int kPatience = 10000; // ms
        pollfd waiting{device_.transport().wait_handle(QueueIndex{queue}).fd, POLLIN, 0};
        if (::poll(&waiting, 1, kPatience) != 1) throw std::runtime_error("no interrupt came");
        std::uint64_t count = 0;
        if (::read(waiting.fd, &count, sizeof count) != sizeof count) throw std::runtime_error("no interrupt to read");
    }

    backends::Attachment& device_;
    BringUp steps_;
    std::uint16_t size_;
    FeatureSet features_;
    std::deque<Queue> queues_; // never moved
};

// A FUSE_INIT as a client of 7.45 without wishes sends it.
inline Bytes init_request() {
    wire::InitIn in{};
    in.major = wire::kMajor;
    in.minor = wire::kMinor;
    in.max_readahead = 1u << 20;
    return Message(wire::Opcode::init, 0).fixed(in).bytes();
}

} // namespace vfsproto::test
