// SPDX-License-Identifier: BSD-2-Clause
// A stream whose server is the test: it reads what was sent, byte by byte if it likes, and writes whatever it wants.
#pragma once

#include "support/message.hpp"
#include "support/watchdog.hpp"

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/backends/fuse_stream.hpp"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <future>
#include <optional>
#include <thread>

namespace vfsproto::test {

using namespace std::chrono_literals;

// One end of a pair of connected sockets.
class ScriptedServer {
public:
    ScriptedServer() {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("no sockets");
        socket_ = backends::FileDescriptor(ends[0]);
        client_end_ = ends[1];
    }

    [[nodiscard]] int socket() const { return socket_.get(); }
    [[nodiscard]] int take_client_end() { return std::exchange(client_end_, -1); }
    void hang_up() { socket_.close(); }

    // Waits for so many bytes.
    [[nodiscard]] Bytes read(std::size_t size) const {
        Bytes bytes(size);
        const ssize_t got = ::recv(socket_.get(), bytes.data(), size, MSG_WAITALL);
        bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
        return bytes;
    }
    // Waits for a whole message.
    [[nodiscard]] Bytes read_message() const {
        std::uint32_t length = 0;
        if (::recv(socket_.get(), &length, sizeof length, MSG_WAITALL | MSG_PEEK) != sizeof length) return {};
        return read(length);
    }
    // True if the client has closed the connection; waits for that, and for nothing else.
    [[nodiscard]] bool sees_the_end() const {
        char byte = 0;
        ssize_t got = 0;
        do {
            got = ::recv(socket_.get(), &byte, 1, 0);
        } while (got == 1);
        return got == 0 || errno == ECONNRESET;
    }
    // True if the client has read all that was written.
    [[nodiscard]] bool has_been_read() const {
        int unread = 0;
        return ::ioctl(socket_.get(), SIOCOUTQ, &unread) == 0 && unread == 0;
    }
    // False if the client takes no more.
    bool write(const Bytes& bytes) const {
        std::size_t at = 0;
        while (at < bytes.size()) {
            const ssize_t sent = ::send(socket_.get(), bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
            if (sent <= 0) return false;
            at += static_cast<std::size_t>(sent);
        }
        return true;
    }

private:
    backends::FileDescriptor socket_;
    int client_end_ = -1;
};

// A reply or, with unique 0, a notification. `claimed`: the length its header tells, if another than the true one.
inline Bytes reply_to(std::uint64_t unique, std::string_view body = {}, std::int32_t error = 0,
                      std::optional<std::uint32_t> claimed = std::nullopt) {
    const auto length = static_cast<std::uint32_t>(sizeof(wire::OutHeader) + body.size());
    const wire::OutHeader header{claimed.value_or(length), error, unique};
    Bytes bytes(length);
    std::memcpy(bytes.data(), &header, sizeof header);
    if (!body.empty()) std::memcpy(bytes.data() + sizeof header, body.data(), body.size());
    return bytes;
}

inline Bytes joined(std::initializer_list<Bytes> parts) {
    Bytes all;
    for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

// A client's side of a stream, without a lane: chains are put together by the test.
class StreamClient {
public:
    explicit StreamClient(ScriptedServer& server, backends::FuseStreamOptions options = {}) {
        options.connected_socket = server.take_client_end();
        auto opened = backends::FuseStream::open(std::move(options));
        if (!opened) throw std::runtime_error(opened.message);
        device_ = std::move(opened.device);
        device_->on_gone([this] {
            ++times_gone_;
            gone_.set_value();
        });
        auto memory = device_->allocate(kMemory);
        if (!memory) throw std::runtime_error("no memory");
        memory_ = *memory;
        start();
    }

    [[nodiscard]] backends::FuseStream& device() { return *device_; }
    [[nodiscard]] backends::QueueSet& queues() { return *queues_; }
    [[nodiscard]] QueueRef hiprio() { return queues_->hiprio().queue; }
    [[nodiscard]] QueueRef requests() { return queues_->request_queue(0).queue; }
    [[nodiscard]] const Region& memory() const { return memory_; }
    // Waits until the handler was told that the device has gone.
    void await_gone() { gone_.get_future().wait(); }
    [[nodiscard]] int times_gone() const { return times_gone_; }
    void end_queues() { queues_.reset(); }

    // Copies bytes into the memory; a segment of it.
    [[nodiscard]] Segment place(const Bytes& bytes) {
        const Segment segment = room(bytes.size());
        std::memcpy(memory_.at(segment.addr, segment.len), bytes.data(), bytes.size());
        return segment;
    }
    [[nodiscard]] Segment room(std::size_t size) {
        const Segment segment = memory_.segment(memory_.host() + used_, static_cast<std::uint32_t>(size));
        used_ += (size + 63) & ~std::size_t{63};
        return segment;
    }
    [[nodiscard]] Bytes bytes_at(const Segment& segment) const {
        const std::byte* at = memory_.at(segment.addr, segment.len);
        return {at, at + segment.len};
    }

    // Submits a message with room for a reply, 0 for none, and publishes it.
    Segment send(QueueRef queue, const Bytes& message, std::size_t reply, std::uint16_t slot) {
        const Segment request = place(message);
        const Segment answer = room(reply);
        const Errc errc = queue.submit({&request, 1}, {&answer, reply != 0 ? 1u : 0u}, Token{slot});
        if (errc != Errc::ok) throw std::runtime_error(to_string(errc));
        queue.kick();
        return answer;
    }
    // Waits for so many completions.
    [[nodiscard]] std::vector<Completion> await(backends::SetQueue queue, std::size_t count) {
        std::vector<Completion> all;
        while (all.size() < count) {
            Completion batch[8];
            const std::size_t got = queue.queue.poll({batch, std::min<std::size_t>(8, count - all.size())});
            all.insert(all.end(), batch, batch + got);
            if (got != 0) continue;
            if (queue.queue.error() != Errc::ok) break;
            if (!queue.queue.arm(1)) static_cast<void>(backends::wait_event(queue.wait_fd));
        }
        return all;
    }
    [[nodiscard]] Completion await_one(backends::SetQueue queue) {
        const auto all = await(queue, 1);
        if (all.empty()) throw std::runtime_error(to_string(queue.queue.error()));
        return all[0];
    }
    [[nodiscard]] Completion await_request() { return await_one(queues_->request_queue(0)); }
    [[nodiscard]] Completion await_hiprio() { return await_one(queues_->hiprio()); }
    // Waits until the queues have latched an error.
    [[nodiscard]] Errc await_error() {
        until([&] { return requests().error() != Errc::ok; });
        return requests().error();
    }

private:
    static constexpr std::size_t kMemory = std::size_t{16} << 20;

    void start() {
        auto [queues, why] = device_->own_queues();
        if (why != Errc::ok) throw std::runtime_error(to_string(why));
        queues_ = std::move(queues);
    }

    std::promise<void> gone_;
    std::atomic<int> times_gone_ = 0;
    std::unique_ptr<backends::FuseStream> device_;
    std::unique_ptr<backends::QueueSet> queues_;
    Region memory_{};
    std::size_t used_ = 0;
};

// A message of `size` bytes with its header, and this unique.
inline Bytes message_of(std::uint64_t unique, std::size_t size = 48, wire::Opcode op = wire::Opcode::getattr) {
    return Message(op, 1).unique(unique).data(std::string(size - sizeof(wire::InHeader), 'x')).bytes();
}

} // namespace vfsproto::test
