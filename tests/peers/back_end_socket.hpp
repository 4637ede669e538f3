// SPDX-License-Identifier: BSD-2-Clause
// The back end's end of a vhost-user socket, as small as a test needs it: it listens, takes one front end, and keeps
// what that says of its memory and its rings. Its layouts are its own, so that a mistake in the product's is not shared.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/base/region.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace vfsproto::test {

// A queue as the front end describes it. Addresses are the front end's own.
struct ToldQueue {
    std::uint32_t size = 0;
    std::uint32_t base = 0;
    std::uint64_t descriptors = 0;
    std::uint64_t used = 0;
    std::uint64_t available = 0;
    backends::FileDescriptor kick;
    backends::FileDescriptor call;
    bool is_enabled = false;

    [[nodiscard]] bool is_ready() const { return is_enabled && size != 0 && descriptors != 0 && kick && call; }
};

class BackEndSocket {
public:
    enum class Heard { message, hangup };

    static constexpr std::uint64_t kProtocolFeatures = std::uint64_t{1} << 30;
    static constexpr std::uint64_t kReplyAck = 1 << 3;

    BackEndSocket(const std::string& path, std::uint64_t features) : offered_(features | kProtocolFeatures) {
        listener_ = backends::FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
            ::listen(listener_.get(), 1) != 0) {
            throw std::runtime_error("cannot listen at " + path);
        }
    }
    ~BackEndSocket() { forget_memory(); }
    BackEndSocket(const BackEndSocket&) = delete;
    BackEndSocket& operator=(const BackEndSocket&) = delete;

    // False when nobody came.
    [[nodiscard]] bool accept() {
        pollfd waiting{listener_.get(), POLLIN, 0};
        if (::poll(&waiting, 1, 30'000) != 1) return false;
        socket_ = backends::FileDescriptor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        return static_cast<bool>(socket_);
    }
    [[nodiscard]] int fd() const { return socket_.get(); }
    [[nodiscard]] bool has_message() const {
        pollfd waiting{socket_.get(), POLLIN, 0};
        return ::poll(&waiting, 1, 0) == 1;
    }
    // Takes one message, waiting for it, and answers.
    Heard hear() {
        Message message;
        if (!receive(message)) return Heard::hangup;
        const bool replied = handle(message);
        const bool wants_ack = (message.flags & 8) != 0;
        if (wants_ack && !replied) reply(message.request, std::uint64_t{0});
        return Heard::message;
    }

    [[nodiscard]] std::uint64_t features() const { return accepted_; }
    [[nodiscard]] ToldQueue& queue(std::size_t index) { return queues_.at(index); }
    // Goes up with every message that changes memory or a queue.
    [[nodiscard]] unsigned generation() const { return generation_; }

    // Returns the memory that descriptors may point into.
    [[nodiscard]] const RegionTable& memory() const { return table_; }
    // A part of it by the front end's own address.
    [[nodiscard]] Region at_user_address(std::uint64_t address, std::size_t len) const {
        for (const Mapping& mapping : mappings_) {
            const std::uint64_t offset = address - mapping.user_address;
            if (address >= mapping.user_address && offset <= mapping.region.size() &&
                len <= mapping.region.size() - offset) {
                return mapping.region.part(offset, len);
            }
        }
        throw std::runtime_error("a ring outside the memory told of");
    }

private:
    struct Message {
        std::uint32_t request = 0;
        std::uint32_t flags = 0;
        std::vector<unsigned char> payload;
        std::vector<backends::FileDescriptor> fds;

        template <class Word> [[nodiscard]] Word word(std::size_t offset) const {
            Word value{};
            if (offset + sizeof value > payload.size()) throw std::runtime_error("a message that is too short");
            std::memcpy(&value, payload.data() + offset, sizeof value);
            return value;
        }
        [[nodiscard]] std::uint32_t word32(std::size_t offset) const { return word<std::uint32_t>(offset); }
        [[nodiscard]] std::uint64_t word64(std::size_t offset) const { return word<std::uint64_t>(offset); }
    };
    struct Mapping {
        Region region;
        std::uint64_t user_address = 0;
        void* start = nullptr;
        std::size_t length = 0;
    };

    bool receive(Message& message) {
        std::array<std::uint32_t, 3> header{};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(8 * sizeof(int))> control;
        iovec part{header.data(), sizeof header};
        msghdr in{};
        in.msg_iov = &part;
        in.msg_iovlen = 1;
        in.msg_control = control.data();
        in.msg_controllen = control.size();
        if (::recvmsg(socket_.get(), &in, MSG_CMSG_CLOEXEC | MSG_WAITALL) != ssize_t{sizeof header}) return false;
        for (cmsghdr* c = CMSG_FIRSTHDR(&in); c != nullptr; c = CMSG_NXTHDR(&in, c)) {
            const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (std::size_t i = 0; i < count; ++i) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
                message.fds.emplace_back(fd);
            }
        }
        message.request = header[0];
        message.flags = header[1];
        message.payload.resize(header[2]);
        return header[2] == 0 ||
               ::recv(socket_.get(), message.payload.data(), header[2], MSG_WAITALL) == ssize_t{header[2]};
    }
    template <class Payload> void reply(std::uint32_t request, const Payload& payload) const {
        const std::uint32_t header[] = {request, 5, sizeof payload};
        std::array<unsigned char, sizeof header + sizeof payload> raw;
        std::memcpy(raw.data(), header, sizeof header);
        std::memcpy(raw.data() + sizeof header, &payload, sizeof payload);
        static_cast<void>(!::send(socket_.get(), raw.data(), raw.size(), MSG_NOSIGNAL));
    }

    // True if the message was answered.
    bool handle(Message& message) {
        switch (message.request) {
        case 1: return reply(1, offered_), true;
        case 2: accepted_ = message.word64(0); return false;
        case 3: return false;
        case 5: return learn_memory(message), false;
        case 11: return stop(message), true;
        case 15: return reply(15, kReplyAck), true;
        case 16: return false;
        default: return learn_queue(message), false;
        }
    }
    void learn_queue(Message& message) {
        ToldQueue& queue = queues_.at(message.word32(0) & 0xff);
        ++generation_;
        switch (message.request) {
        case 8: queue.size = message.word32(4); return;
        case 9:
            queue.descriptors = message.word64(8);
            queue.used = message.word64(16);
            queue.available = message.word64(24);
            return;
        case 10: queue.base = message.word32(4); return;
        case 12: queue.kick = take_event(message); return;
        case 13: queue.call = take_event(message); return;
        case 14: return; // for errors, of which there are none here
        case 18: queue.is_enabled = message.word32(4) != 0; return;
        default: throw std::runtime_error("request " + std::to_string(message.request) + " was never offered");
        }
    }
    static backends::FileDescriptor take_event(Message& message) {
        return message.fds.empty() ? backends::FileDescriptor() : std::move(message.fds[0]);
    }
    void stop(const Message& message) {
        ToldQueue& queue = queues_.at(message.word32(0));
        ++generation_;
        queue.is_enabled = false;
        queue.kick.close();
        const std::uint32_t state[] = {message.word32(0), queue.base};
        reply(11, state);
    }

    void learn_memory(Message& message) {
        forget_memory();
        ++generation_;
        const std::uint32_t count = message.word32(0);
        for (std::uint32_t i = 0; i < count; ++i) {
            const std::size_t at = 8 + std::size_t{32} * i;
            Mapping mapping;
            const std::uint64_t size = message.word64(at + 8);
            const std::uint64_t offset = message.word64(at + 24);
            mapping.user_address = message.word64(at + 16);
            mapping.length = size + offset;
            mapping.start =
                ::mmap(nullptr, mapping.length, PROT_READ | PROT_WRITE, MAP_SHARED, message.fds.at(i).get(), 0);
            if (mapping.start == MAP_FAILED) throw std::runtime_error("memory that cannot be mapped");
            mapping.region = {static_cast<std::byte*>(mapping.start) + offset, DeviceAddr{message.word64(at)}, size};
            if (table_.add(mapping.region) != Errc::ok) throw std::runtime_error("memory regions that overlap");
            mappings_.push_back(mapping);
        }
    }
    void forget_memory() {
        table_.clear();
        for (const Mapping& mapping : mappings_) ::munmap(mapping.start, mapping.length);
        mappings_.clear();
    }

    std::uint64_t offered_;
    std::uint64_t accepted_ = 0;
    backends::FileDescriptor listener_;
    backends::FileDescriptor socket_;
    std::array<ToldQueue, 2> queues_;
    std::vector<Mapping> mappings_;
    RegionTable table_;
    unsigned generation_ = 0;
};

} // namespace vfsproto::test
