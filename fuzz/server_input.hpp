// SPDX-License-Identifier: BSD-2-Clause
// The server's lane over a file system in memory, and a driver that sends any bytes. Shared by the fuzz target and the unit
// tests.
//
// An input is a list of chains, each: a byte of choices, a word (bytes of the request), a byte (writable room, in units of
// 32 bytes), then the request.
//   bit 0  the header's len is made right     bit 1  the chain comes on hiprio     bit 2  header and rest lie apart
//   bit 3  the writable room is in two parts  bit 4  the writable room is of odd size
//   bits 5 to 7  before this chain, the server opens its session anew unless they are 0 in the first chain
#pragma once

#include "input_reader.hpp"
#include "support/fake_device_queue.hpp"

#include "vfsproto/backends/memfs.hpp"
#include "vfsproto/backends/shared_window.hpp"
#include "vfsproto/fuse/server/server_lane.hpp"
#include "vfsproto/fuse/wire/detail/struct_bytes.hpp"
#include "vfsproto/fuse/wire/extensions.hpp"

#include <array>
#include <memory>

namespace vfsproto::fuzz {

class ServerSession {
public:
    ServerSession() : fs_(options()) {}
    ~ServerSession() {
        request_lane_.abandon();
        hiprio_lane_.abandon();
    }
    ServerSession(const ServerSession&) = delete;
    ServerSession& operator=(const ServerSession&) = delete;

    // Returns nullptr, or what the server did that no driver may see.
    [[nodiscard]] const char* run(std::span<const std::byte> bytes) {
        InputReader input(bytes);
        for (bool is_first = true; !input.empty(); is_first = false) {
            const std::uint8_t choices = input.byte();
            if (is_first && choices >> 5 == 0) open_session();
            if (const char* problem = send(choices, input)) return problem;
        }
        request_lane_.serve(1); // what locks let go of
        return problem_of_all();
    }

private:
    static constexpr std::uint16_t kWindowAlignment = 12;
    using Bytes = std::vector<std::byte>;
    using Lane = server::ServerLane<test::FakeDeviceQueue, backends::Memfs>;
    struct Expected {
        test::FakeDeviceQueue* queue;
        std::size_t number;
        wire::InHeader header;
        bool has_header;
        std::size_t room;
    };

    static constexpr std::uint64_t kCapacity = 1u << 20;
    // Returns options that give it a window of a few pages.
    static backends::MemfsOptions options() {
        backends::MemfsOptions options;
        options.capacity = kCapacity;
        options.window = backends::SharedWindow::create(std::size_t{16} << kWindowAlignment, kWindowAlignment);
        return options;
    }
    void open_session() {
        wire::InHeader header{};
        wire::InitIn in{};
        header.len = sizeof(header) + sizeof(in);
        header.opcode = static_cast<std::uint32_t>(wire::Opcode::init);
        header.unique = 2;
        in.major = wire::kMajor;
        in.minor = wire::kMinor;
        in.flags = in.flags2 = ~std::uint32_t{0};
        Bytes message(header.len);
        wire::put_struct(message.data(), header);
        wire::put_struct(message.data() + sizeof(header), in);
        request_queue_.add({message}, {128});
        request_lane_.serve(1);
    }
    // A file system that looks at extensions walks them so; touches every byte, for the sanitizers to watch.
    static void walk_extensions(std::span<const std::byte> bytes) {
        volatile unsigned sink = 0;
        for (wire::ExtensionReader reader(bytes); reader.next();) {
            const wire::Extension& extension = reader.extension();
            if (extension.kind == wire::ExtensionKind::security_contexts) {
                for (wire::SecurityContextReader contexts(extension); contexts.next();) {
                    for (const char c : contexts.context().name) sink = sink + static_cast<unsigned char>(c);
                    for (const std::byte b : contexts.context().context) sink = sink + static_cast<unsigned>(b);
                }
            }
            for (wire::u32 i = 0; extension.kind == wire::ExtensionKind::groups && i < extension.count; ++i) {
                sink = sink + wire::group_at(extension, i);
            }
        }
    }
    [[nodiscard]] const char* send(std::uint8_t choices, InputReader& input) {
        const std::size_t size = input.word();
        std::size_t room = std::size_t{input.byte()} * 32;
        if ((choices & 16) != 0) room += 17;
        Bytes message = input.bytes(size);
        wire::InHeader header{};
        const bool has_header = message.size() >= sizeof(header);
        if (has_header) {
            if ((choices & 1) != 0) wire::put_struct(message.data(), static_cast<std::uint32_t>(message.size()));
            header = wire::get_struct<wire::InHeader>(message.data());
            const std::size_t extensions = std::size_t{header.total_extlen} * 8;
            if (extensions <= message.size()) walk_extensions(std::span(message).last(extensions));
        }
        std::vector<Bytes> readable{message};
        if ((choices & 4) != 0 && has_header) {
            const auto middle = message.begin() + sizeof(header);
            readable = {Bytes(message.begin(), middle), Bytes(middle, message.end())};
        }
        std::vector<std::size_t> writable;
        if (room != 0) writable.push_back(room);
        if ((choices & 8) != 0 && room > 1) writable = {room / 2, room - room / 2};
        const bool hiprio = (choices & 2) != 0;
        test::FakeDeviceQueue& queue = hiprio ? hiprio_queue_ : request_queue_;
        const std::size_t number = queue.add(std::move(readable), writable);
        sent_.push_back({&queue, number, header, has_header, room});
        (hiprio ? hiprio_lane_ : request_lane_).serve(1);
        if (!queue.entry(number).written && header.opcode != static_cast<std::uint32_t>(wire::Opcode::setlkw)) {
            return "a request that cannot wait was not answered";
        }
        return nullptr;
    }
    [[nodiscard]] const char* problem_of_all() const {
        if (fs_.used_bytes() > kCapacity) return "more space was used than there is";
        for (const Expected& each : sent_) {
            if (const char* problem = problem_of(each)) return problem;
        }
        return nullptr;
    }
    [[nodiscard]] static const char* problem_of(const Expected& sent) {
        const auto& entry = sent.queue->entry(sent.number);
        if (!entry.written) return nullptr; // a lock still waited for
        const std::uint32_t written = *entry.written;
        if (written > sent.room) return "more was written than there was room for";
        if (written == 0) return nullptr;
        if (!sent.has_header) return "a request without a header was answered";
        if (written < sizeof(wire::OutHeader)) return "a reply shorter than its header";
        // The one reply in the other byte order.
        if (sent.header.opcode == wire::kInitByteSwapped) return nullptr;
        const auto header = wire::get_struct<wire::OutHeader>(entry.reply().data());
        if (header.len != written) return "the lengths of header and chain differ";
        if (header.unique != sent.header.unique) return "a reply to another request";
        if (header.error > 0 || header.error <= -512) return "an error that no server may send";
        if (header.error != 0 && written != sizeof(header)) return "an error with a body";
        const wire::OpInfo* op = wire::find_op(sent.header.opcode);
        if (op != nullptr && op->traits.reply == wire::ReplyOwed::never) return "an answer to what is owed none";
        return nullptr;
    }

    backends::Memfs fs_;
    server::ServerSession session_;
    test::FakeDeviceQueue request_queue_;
    test::FakeDeviceQueue hiprio_queue_;
    std::array<HostSegment, 8> segments_[2]{};
    std::unique_ptr<server::RequestScratch[]> scratch_ = std::make_unique<server::RequestScratch[]>(2);
    Lane request_lane_{request_queue_, fs_, session_, {segments_[0], scratch_[0]}, {}};
    Lane hiprio_lane_{hiprio_queue_, fs_, session_, {segments_[1], scratch_[1]}, {wire::QueueKind::hiprio, 1}};
    std::vector<Expected> sent_;
};

// Returns nullptr when the server kept the rules.
[[nodiscard]] inline const char* broken_server_rule(std::span<const std::byte> input) {
    return ServerSession().run(input);
}

} // namespace vfsproto::fuzz
