// SPDX-License-Identifier: BSD-2-Clause
// The other end of the socket: a thread that writes down every message, byte for byte, and answers like a well-behaved
// back end unless the test says otherwise. Its layouts are its own, so that a mistake in ours is seen.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace vfsproto::test {

// Request numbers of a front end, and flags of the header's second word ("Vhost-user Protocol", "Front-end message types").
enum VhostUserRequest : std::uint32_t {
    kGetFeatures = 1,
    kSetFeatures = 2,
    kSetOwner = 3,
    kSetMemTable = 5,
    kSetVringNum = 8,
    kSetVringAddr = 9,
    kSetVringBase = 10,
    kGetVringBase = 11,
    kSetVringKick = 12,
    kSetVringCall = 13,
    kSetVringErr = 14,
    kGetProtocolFeatures = 15,
    kSetProtocolFeatures = 16,
    kGetQueueNum = 17,
    kSetVringEnable = 18,
    kGetConfig = 24,
    kGetMaxMemSlots = 36,
    kAddMemReg = 37,
    kRemMemReg = 38,
};
inline constexpr std::uint32_t kVersion1 = 1;
inline constexpr std::uint32_t kIsReply = 4;
inline constexpr std::uint32_t kNeedsReply = 8;
inline constexpr std::uint32_t kReply = kVersion1 | kIsReply;

using Bytes = std::vector<unsigned char>;

template <class... Words> Bytes words64(Words... words) {
    const std::uint64_t all[] = {static_cast<std::uint64_t>(words)...};
    Bytes out(sizeof all);
    std::memcpy(out.data(), all, sizeof all);
    return out;
}
template <class... Words> Bytes words32(Words... words) {
    const std::uint32_t all[] = {static_cast<std::uint32_t>(words)...};
    Bytes out(sizeof all);
    std::memcpy(out.data(), all, sizeof all);
    return out;
}

// Returns the payload of a message about one ring: its number, and what is set or was asked for.
[[nodiscard]] inline Bytes vring_state(std::uint32_t ring, std::uint32_t number) { return words32(ring, number); }
inline constexpr std::uint32_t kEnabled = 1; // in SET_VRING_ENABLE

// Bits of SET_FEATURES.
inline constexpr std::uint64_t kVersion1Feature = std::uint64_t{1} << 32;
inline constexpr std::uint64_t kProtocolFeatures = std::uint64_t{1} << 30;
inline constexpr std::uint64_t kEventIdx = std::uint64_t{1} << 29;
inline constexpr std::uint64_t kIndirect = std::uint64_t{1} << 28;

struct Message {
    std::uint32_t request{};
    std::uint32_t flags{};
    Bytes payload;
    std::vector<int> fds; // the back end's copies, closed with it

    [[nodiscard]] std::uint64_t word64(std::size_t at) const {
        std::uint64_t value = 0;
        std::memcpy(&value, payload.data() + 8 * at, 8);
        return value;
    }
    [[nodiscard]] std::uint32_t word32(std::size_t at) const {
        std::uint32_t value = 0;
        std::memcpy(&value, payload.data() + 4 * at, 4);
        return value;
    }
};

class ScriptedBackEnd {
public:
    enum class Handled { yes, no };

    std::uint64_t features = 0x174000000; // what the Rust virtiofsd offers
    std::uint64_t protocol = 0x8a42b;
    std::uint64_t queues = 2;
    std::uint64_t slots = 509;
    Bytes config;                 // the answer to GET_CONFIG; empty = the error form
    std::uint32_t next_avail = 0; // the answer to GET_VRING_BASE
    std::uint64_t ack = 0;
    std::function<Handled(ScriptedBackEnd&, const Message&)> on_message; // in the back end's thread

    ScriptedBackEnd() {
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_) != 0) std::abort();
    }
    ~ScriptedBackEnd() {
        hang_up();
        if (thread_.joinable()) thread_.join();
        for (const Message& message : log_) {
            for (const int fd : message.fds) ::close(fd);
        }
        ::close(ends_[0]);
    }
    ScriptedBackEnd(const ScriptedBackEnd&) = delete;
    ScriptedBackEnd& operator=(const ScriptedBackEnd&) = delete;

    // The front end's end, to be taken over.
    [[nodiscard]] int start() {
        thread_ = std::thread([this] { serve(); });
        return ends_[1];
    }
    void hang_up() { ::shutdown(ends_[0], SHUT_RDWR); }

    [[nodiscard]] std::vector<Message> log() const {
        const std::lock_guard lock(mutex_);
        return log_;
    }
    [[nodiscard]] std::vector<std::uint32_t> requests(std::size_t from = 0) const {
        const std::lock_guard lock(mutex_);
        std::vector<std::uint32_t> out;
        for (std::size_t i = from; i < log_.size(); ++i) out.push_back(log_[i].request);
        return out;
    }
    // Waits until the back end has seen that many messages in all.
    void await(std::size_t count) const {
        while (requests().size() < count) std::this_thread::yield();
    }

    void send_raw(const Bytes& bytes) const {
        static_cast<void>(!::send(ends_[0], bytes.data(), bytes.size(), MSG_NOSIGNAL));
    }
    void reply(std::uint32_t request, const Bytes& payload, std::uint32_t flags = kReply) const {
        Bytes raw = words32(request, flags, payload.size());
        raw.insert(raw.end(), payload.begin(), payload.end());
        send_raw(raw);
    }

private:
    void serve() {
        Message message;
        while (receive(message)) {
            {
                const std::lock_guard lock(mutex_);
                log_.push_back(message);
            }
            if (on_message && on_message(*this, message) == Handled::yes) continue;
            answer(message);
        }
    }

    bool receive(Message& message) {
        std::uint32_t header[3];
        message = {};
        alignas(cmsghdr) char control[CMSG_SPACE(64 * sizeof(int))];
        iovec part{header, sizeof header};
        msghdr in{};
        in.msg_iov = &part;
        in.msg_iovlen = 1;
        in.msg_control = control;
        in.msg_controllen = sizeof control;
        // The header and its descriptors come in one piece: some back ends do not look again.
        if (::recvmsg(ends_[0], &in, MSG_CMSG_CLOEXEC) != static_cast<ssize_t>(sizeof header)) return false;
        for (cmsghdr* c = CMSG_FIRSTHDR(&in); c != nullptr; c = CMSG_NXTHDR(&in, c)) {
            message.fds.resize((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            std::memcpy(message.fds.data(), CMSG_DATA(c), message.fds.size() * sizeof(int));
        }
        message.request = header[0];
        message.flags = header[1];
        message.payload.resize(header[2]);
        return header[2] == 0 || ::recv(ends_[0], message.payload.data(), header[2], MSG_WAITALL) == ssize_t{header[2]};
    }

    void answer(const Message& message) const {
        switch (message.request) {
        case kGetFeatures: return reply(kGetFeatures, words64(features));
        case kGetVringBase: return reply(kGetVringBase, words32(message.word32(0), next_avail));
        case kGetProtocolFeatures: return reply(kGetProtocolFeatures, words64(protocol));
        case kGetQueueNum: return reply(kGetQueueNum, words64(queues));
        case kGetConfig: return answer_config(message);
        case kGetMaxMemSlots: return reply(kGetMaxMemSlots, words64(slots));
        default:
            if ((message.flags & kNeedsReply) != 0) reply(message.request, words64(ack));
        }
    }
    void answer_config(const Message& message) const {
        if (config.size() != message.word32(1)) return reply(kGetConfig, {});
        Bytes payload = words32(0, config.size(), 0);
        payload.insert(payload.end(), config.begin(), config.end());
        reply(kGetConfig, payload);
    }

    int ends_[2]{-1, -1};
    std::thread thread_;
    mutable std::mutex mutex_;
    std::vector<Message> log_;
};

} // namespace vfsproto::test
