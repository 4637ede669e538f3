// SPDX-License-Identifier: BSD-2-Clause
#include "trace_recorder.hpp"

#include "chrome_trace.hpp"
#include "interrupt.hpp"
#include "json_trace.hpp"
#include "text_trace.hpp"

#include "vfsproto/base/peer_memory.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>

namespace vfsproto::cli {
namespace {

std::unique_ptr<TraceWriter> make_writer(TraceFormat format, const TraceClock& clock, std::string_view device) {
    switch (format) {
    case TraceFormat::json: return std::make_unique<JsonTrace>(clock);
    case TraceFormat::chrome: return std::make_unique<ChromeTrace>(clock, device);
    case TraceFormat::text: break;
    }
    return std::make_unique<TextTrace>(clock);
}

template <class Reader> std::size_t count_records(std::span<const std::byte> data) {
    Reader reader(data);
    std::size_t count = 0;
    while (reader.next()) ++count;
    return count;
}

void describe_data(const wire::OpInfo& op, std::span<const std::byte> data, TracedAnswer& answer) {
    if (answer.failed()) return;
    switch (op.out_tail) {
    case wire::OutTail::none: return;
    case wire::OutTail::dirents: answer.entries = count_records<wire::DirentReader>(data); return;
    case wire::OutTail::direntpluses:
        answer.entries = count_records<wire::DirentplusReader>(data);
        answer.records = data;
        return;
    case wire::OutTail::size_or_data:
        if (answer.out.empty()) answer.bytes = data.size();
        return;
    case wire::OutTail::data: break;
    }
    answer.bytes = data.size();
    // Data that was asked for by no size is a text: where a symbolic link points to.
    if (op.in_size != 0) return;
    answer.target.emplace(data.size(), '\0');
    copy_from_peer(answer.target->data(), data.data(), data.size());
}

} // namespace

TraceRecorder::TraceRecorder(const TraceOptions& options, std::string_view device, backends::Log* log)
    : options_(options), log_(log) {
    if (log_ != nullptr) log_writer_ = std::make_unique<TextTrace>(clock_);
    if (options_.file.empty()) return;
    file_.emplace(options_.file);
    writer_ = make_writer(options_.format, clock_, device);
    writer_->begin(file_->text());
}

TraceRecorder::~TraceRecorder() { static_cast<void>(conclude()); }

client::TraceHook TraceRecorder::hook() noexcept {
    client::TraceHook hook;
    hook.context = this;
    hook.started = [](void* self, const client::TraceEvent& event) noexcept {
        static_cast<TraceRecorder*>(self)->guarded(&TraceRecorder::note, event);
    };
    hook.finished = [](void* self, const client::TraceEvent& event) noexcept {
        static_cast<TraceRecorder*>(self)->guarded(&TraceRecorder::note_end, event);
    };
    return hook;
}

void TraceRecorder::guarded(Take take, const client::TraceEvent& event) noexcept {
    const TraceClock::Moment now = clock_.now(); // before a wait for the lock
    const std::lock_guard lock(mutex_);
    if (concluded_) return;
    try {
        (this->*take)(event, now);
    } catch (const std::exception&) {
        concluded_ = true; // no memory
        error_ = ENOMEM;
        if (file_) file_->fail(ENOMEM);
    }
}

TracedRequest& TraceRecorder::request_of(const client::TraceEvent& event) {
    std::vector<TracedRequest>& lane = out_[event.lane];
    if (event.slot >= lane.size()) lane.resize(std::size_t{event.slot} + 1);
    return lane[event.slot];
}

// Calls tell(writer, text) for each of the outputs.
template <class Tell> void TraceRecorder::tell(Tell&& tell) {
    if (file_) {
        tell(*writer_, file_->text());
        file_->settle();
    }
    if (log_writer_ == nullptr) return;
    line_.clear();
    tell(*log_writer_, line_);
    line_.pop_back(); // the newline
    log_->write(backends::LogLevel::trace, line_);
}

void TraceRecorder::tell_start(TracedRequest& request) {
    if (std::exchange(request.is_told, true)) return;
    tell([&](TraceWriter& writer, std::string& text) { writer.started(text, request); });
}

void TraceRecorder::note(const client::TraceEvent& event, TraceClock::Moment now) {
    TracedRequest& request = request_of(event);
    if (request.op != nullptr) tell_unanswered(request, now); // nobody told its end
    request.op = event.op;
    request.unique = event.unique;
    request.nodeid = event.nodeid;
    request.caller = event.caller;
    request.sent = event.sent;
    request.slot = event.slot;
    request.lane = event.lane;
    request.in_size = std::min(event.in.size(), request.in.size());
    std::copy_n(event.in.begin(), request.in_size, request.in.begin());
    request.name.assign(event.name.begin(), event.name.end());
    request.name2.assign(event.name2.begin(), event.name2.end());
    request.forgotten.clear();
    for (std::size_t at = 0; at + sizeof(wire::ForgetOne) <= event.records.size(); at += sizeof(wire::ForgetOne)) {
        copy_from_peer(&request.forgotten.emplace_back(), event.records.data() + at, sizeof(wire::ForgetOne));
    }
    request.is_told = false;
    request.start = now;
    if (options_.only.at_start(request) == TraceFilter::Decision::show) tell_start(request);
}

void TraceRecorder::note_end(const client::TraceEvent& event, TraceClock::Moment now) {
    TracedRequest& request = request_of(event);
    if (request.op != event.op || request.unique != event.unique) return; // its start was not seen
    TracedAnswer answer;
    answer.end = event.end;
    answer.moment = now;
    answer.received = event.received;
    answer.error = event.error;
    answer.errc = event.errc;
    answer.out = event.out;
    describe_data(*event.op, event.data, answer);
    const bool is_shown = request.is_told || options_.only.at_end(request, &answer);
    if (is_shown) {
        tell_start(request);
        tell([&](TraceWriter& writer, std::string& text) { writer.ended(text, request, answer); });
    }
    if (event.end == client::TraceEnd::abandoned) return;
    if (is_shown) summary_.add(request, answer);
    request.op = nullptr;
}

void TraceRecorder::tell_unanswered(TracedRequest& request, TraceClock::Moment now) {
    if (!request.is_told && !options_.only.at_end(request, nullptr)) return;
    tell_start(request);
    tell([&](TraceWriter& writer, std::string& text) { writer.unanswered(text, request, now); });
    summary_.add_unanswered(request);
}

void TraceRecorder::tell_all_unanswered() {
    const TraceClock::Moment now = clock_.now();
    for (std::vector<TracedRequest>& lane : out_) {
        for (TracedRequest& request : lane) {
            if (request.op != nullptr) tell_unanswered(request, now);
        }
    }
}

void TraceRecorder::end() {
    if (!std::exchange(concluded_, true)) {
        tell_all_unanswered();
        if (file_) writer_->end(file_->text());
        if (options_.summary) {
            summary_out_.text() = options_.format == TraceFormat::json ? summary_.json() : summary_.table();
        }
    }
    if (file_) file_->flush();
    summary_out_.flush();
}

void TraceRecorder::leave_to_another() noexcept {
    const std::lock_guard lock(mutex_);
    concluded_ = true;
    if (file_) file_->text().clear();
}

int TraceRecorder::conclude() {
    const std::lock_guard lock(mutex_);
    end();
    for (const int error : {file_ ? file_->error() : 0, error_, summary_out_.error()}) {
        // The signal that ends the program is not news to whoever sent it.
        if (error != 0 && !(error == EINTR && interrupted())) return error;
    }
    return 0;
}

void TraceRecorder::conclude_without_waiting() noexcept {
    constexpr int kMostTries = 100;
    if (file_) file_->stop_waiting();
    summary_out_.stop_waiting();
    std::unique_lock lock(mutex_, std::try_to_lock);
    // A thread that writes to a full pipe holds the lock until its call is cut.
    for (int i = 0; !lock && i < kMostTries; ++i) {
        LocalCall::cut_all();
        ::poll(nullptr, 0, 1); // ms
        static_cast<void>(lock.try_lock());
    }
    if (!lock) return;
    log_writer_.reset(); // the log waits for whoever reads it
    try {
        end();
    } catch (const std::exception&) {} // the process ends
}

void TraceRecorder::refresh() noexcept {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (lock && file_) file_->flush_without_waiting();
}

} // namespace vfsproto::cli
