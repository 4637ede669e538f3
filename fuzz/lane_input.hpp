// SPDX-License-Identifier: BSD-2-Clause
// The client's lane, a request of any row, and a device that answers any bytes with any length. Shared by the fuzz target
// and the unit tests.
//
// An input: a byte (the row, modulo their number; 255: a notification follows, and nothing else), a word (bytes of data the request asks for), a byte of choices, a word
// (the length the device reports), then what the device writes.
//   bit 0  the reply's unique is made right    bit 1  the device reports as many bytes as it writes
//   bit 2  the reply's len is made right       bit 3  the data asked for goes to registered memory
//   bit 4  lengths are upper bounds            bit 5  READ and WRITE go the lane's fast path
//   bit 6  the server may leave DESTROY unanswered
#pragma once

#include "input_reader.hpp"
#include "support/scripted_queue.hpp"

#include "vfsproto/fuse/client/lane.hpp"
#include "vfsproto/fuse/wire/detail/struct_bytes.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"
#include "vfsproto/fuse/wire/notifications.hpp"

#include <algorithm>

namespace vfsproto::fuzz {

class LaneReply {
public:
    explicit LaneReply(std::span<const std::byte> bytes) : input_(bytes) {}

    // Returns nullptr, or what the lane did that no caller may see.
    [[nodiscard]] const char* run() {
        const std::uint8_t row = input_.byte();
        if (row == kNotification) return problem_of_notification(input_.rest());
        row_ = &wire::kOpInfo[row % wire::kOpInfo.size()];
        asked_ = input_.word() % (kMostAsked + 1u);
        choices_ = input_.byte();
        written_ = input_.word();
        reply_ = input_.rest();
        if (!open()) return "a lane that should open does not";
        const bool is_transfer = row_->opcode == wire::Opcode::read || row_->opcode == wire::Opcode::write;
        return has(5) && is_transfer && asked_ != 0 ? run_fast() : run_request();
    }

private:
    using Bytes = std::vector<std::byte>;
    static constexpr std::uint8_t kNotification = 255;
    static constexpr std::uint32_t kBounce = 16384;
    static constexpr std::uint32_t kMostAsked = 8192;
    static constexpr std::byte kUntouched{0xcc};
    static constexpr std::uint32_t kHeader = sizeof(wire::OutHeader);

    // A notification is refused, or is read and written again as the same bytes.
    static const char* problem_of_notification(const Bytes& bytes) {
        const auto read = wire::decode_notification(bytes);
        if (!read || read->info == nullptr) return nullptr;
        Bytes again(bytes.size());
        const auto fixed = std::span(bytes).subspan(sizeof(wire::OutHeader), read->info->size);
        const auto written = wire::encode_notification(again, read->info->code, fixed, read->name, read->data);
        const bool holds = written && *written == bytes.size() && again == bytes;
        return holds ? nullptr : "a notification was read as another";
    }
    [[nodiscard]] bool has(int bit) const { return (choices_ >> bit & 1) != 0; }

    bool open() {
        block_ = memory_.add(client::Lane::memory_bytes(1, kBounce));
        data_ = memory_.add(std::size_t{asked_} + 1);
        std::fill_n(data_.host(), data_.size(), kUntouched);
        client::LaneOptions options;
        options.bounce = kBounce;
        options.lengths = has(4) ? WrittenLength::upper_bound : WrittenLength::exact;
        options.destroy_reply = has(6) ? client::DestroyReply::may_be_missing : client::DestroyReply::always;
        return lane_.init(make_queue_ref(queue_), entries_, block_, options) == Errc::ok;
    }

    // Writes the device's bytes as far as there is room, and reports a length.
    void answer() {
        lane_.kick();
        const auto& sent = queue_.sent(0);
        if (reply_.size() > sent.capacity) reply_.resize(sent.capacity);
        if (reply_.size() >= kHeader) {
            if (has(2)) wire::put_struct(reply_.data(), static_cast<std::uint32_t>(reply_.size()));
            if (has(0)) wire::put_struct(reply_.data() + offsetof(wire::OutHeader, unique), sent.header().unique);
        }
        unique_ = sent.header().unique;
        queue_.write(0, reply_.data(), reply_.size());
        written_ = has(1) ? static_cast<std::uint32_t>(reply_.size()) : std::min(written_, sent.capacity);
        queue_.complete(0, written_);
        lane_.drain();
    }
    [[nodiscard]] wire::OutHeader header() const {
        return reply_.size() >= kHeader ? wire::get_struct<wire::OutHeader>(reply_.data()) : wire::OutHeader{};
    }
    // The length that counts: the device's, or the header's where the device's is an upper bound.
    [[nodiscard]] std::uint32_t length() const { return has(4) ? std::min(written_, header().len) : written_; }

    const char* run_request() {
        client::Request request;
        Bytes in(row_->in_size);
        Bytes sent_data;
        Bytes out(row_->out_size, kUntouched);
        request.op = row_;
        request.nodeid = 1;
        request.in = in.data();
        request.in_size = row_->in_size;
        if (row_->out_size != 0) request.out = out.data();
        static constexpr char kName[] = "name";
        request.name = request.name2 = {kName, 4};
        if (row_->tail_field.unit != 0) {
            constexpr std::uint32_t kCount = 3;
            wire::put_struct(in.data() + row_->tail_field.offset, kCount);
            sent_data.resize(kCount * row_->tail_field.unit);
            request.data_in = {sent_data.data(), static_cast<std::uint32_t>(sent_data.size()), {}};
        }
        const bool brings_data = row_->out_tail != wire::OutTail::none;
        Segment registered[] = {{}, data_.segment(data_.host(), asked_)};
        if (brings_data && asked_ != 0) {
            request.data_out = {data_.host(), asked_, {}};
            if (has(3)) request.data_out.segments = registered;
        }
        request.owner = this;
        request.on_done = [](client::Request& done) noexcept { ++static_cast<LaneReply*>(done.owner)->ended_; };
        lane_.enqueue(request);
        if (ended_ != 0) return "a sound request was refused";
        answer();
        if (const char* problem = problem_of_end({request.errc, request.error})) return problem;
        if (request.out_bytes > row_->out_size) return "more of the struct than the row has";
        if (request.bytes > (brings_data ? asked_ : 0)) return "more data than was asked for";
        if (!request.succeeded()) {
            return request.bytes == 0 && request.out_bytes == 0 ? nullptr : "data beside an error";
        }
        if (written_ == 0) return may_be_silent() ? nullptr : "silence where a reply was owed";
        return problem_of_success(request, out);
    }
    [[nodiscard]] bool may_be_silent() const {
        if (row_->traits.reply != wire::ReplyOwed::always) return true;
        return row_->opcode == wire::Opcode::destroy && has(6);
    }
    [[nodiscard]] const char* problem_of_success(const client::Request& request, const Bytes& out) const {
        if (header().error != 0) return "an error taken for success";
        if (kHeader + request.out_bytes + request.bytes != length()) return "a body of another length than the reply's";
        const auto body = std::span(reply_).subspan(kHeader);
        if (body.size() < std::size_t{request.out_bytes} + request.bytes) return nullptr; // from the room's own bytes
        if (!std::equal(out.begin(), out.begin() + request.out_bytes, body.begin()))
            return "another struct than was sent";
        // Registered data lies behind the chain's own room for the struct.
        if (!has(3) && !std::equal(data_.host(), data_.host() + request.bytes, body.begin() + request.out_bytes)) {
            return "other data than was sent";
        }
        return records_hold(request.bytes) ? nullptr : "a record with a name that no file can have";
    }
    [[nodiscard]] bool records_hold(std::uint32_t bytes) const {
        const std::span<const std::byte> data(data_.host(), bytes);
        if (row_->out_tail == wire::OutTail::dirents) {
            return walk(wire::DirentReader(data), bytes, [](const auto& entry) { return entry.name; });
        }
        if (row_->out_tail == wire::OutTail::direntpluses) {
            return walk(wire::DirentplusReader(data), bytes, [](const auto& entry) { return entry.dirent.name; });
        }
        return true;
    }
    template <class Reader, class NameOf> static bool walk(Reader reader, std::size_t bytes, NameOf&& name_of) {
        std::size_t count = 0;
        while (reader.next()) {
            const wire::Name name = name_of(reader.entry());
            if (name.empty() || name.contains('/') || name.contains('\0')) return false;
            if (++count > bytes / sizeof(wire::Dirent)) return false;
        }
        return !reader.next();
    }

    const char* run_fast() {
        struct Ended : client::Transfer {
            int count = 0;
        } ended;
        ended.on_done = [](client::Transfer& done) noexcept { ++static_cast<Ended&>(done).count; };
        client::TransferSpan span{.nodeid = 1, .fh = 2, .offset = 3, .host = data_.host(), .len = asked_};
        span.lies_in(data_);
        if (row_->opcode == wire::Opcode::read) {
            lane_.start<wire::Opcode::read>(ended, span, {});
        } else {
            lane_.start<wire::Opcode::write>(ended, span, {});
        }
        if (lane_.counters().slow_transfers != 0) return "the fast path is closed on an idle lane";
        answer();
        ended_ = ended.count;
        if (const char* problem = problem_of_end(ended)) return problem;
        if (ended.bytes > asked_) return "more bytes than were asked for";
        return ended.succeeded() || ended.bytes == 0 ? nullptr : "bytes beside an error";
    }

    [[nodiscard]] const char* problem_of_end(const client::Verdict& verdict) const {
        if (!queue_.blamed().empty()) return "a chain no ring would take";
        if (ended_ != 1) return "the request did not end exactly once";
        if (!lane_.idle()) return "the slot was not given back";
        if (data_.host()[asked_] != kUntouched) return "something behind the caller's memory was written to";
        if (verdict.errc == Errc::ok && written_ >= kHeader && header().unique != unique_) {
            return "a reply to another request was taken";
        }
        if (verdict.errc == Errc::unique_mismatch) return lane_.error() == verdict.errc ? nullptr : "no latch";
        const bool known = verdict.errc == Errc::ok || verdict.errc == Errc::protocol_violation;
        return known && lane_.error() == Errc::ok ? nullptr : "an engine's failure";
    }

    InputReader input_;
    const wire::OpInfo* row_ = nullptr;
    std::uint32_t asked_ = 0;
    std::uint32_t written_ = 0;
    std::uint8_t choices_ = 0;
    Bytes reply_;
    std::uint64_t unique_ = 0;
    int ended_ = 0;
    test::SharedMemory memory_;
    test::ScriptedQueue queue_{memory_};
    std::vector<client::Lane::Entry> entries_ = std::vector<client::Lane::Entry>(1);
    Region block_;
    Region data_;
    client::Lane lane_;
};

// Returns nullptr when the lane kept the rules.
[[nodiscard]] inline const char* broken_lane_rule(std::span<const std::byte> input) { return LaneReply(input).run(); }

} // namespace vfsproto::fuzz
