// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/backends/logging.hpp"

#include "vfsproto/fuse/client/trace_event.hpp"
#include "vfsproto/fuse/wire/linux_abi.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <system_error>

namespace vfsproto::backends {
namespace {

constexpr std::size_t kWriteAt = 64 * 1024; // bytes collected before they are written

std::string error_word(const client::TraceEvent& event) {
    if (event.errc != Errc::ok) return fmt::format("\"{}\"", to_string(event.errc));
    if (event.error == 0) return "0";
    const char* name = wire::errno_name(static_cast<wire::Errno>(event.error));
    return name != nullptr ? name : fmt::format("{}", event.error);
}

// A lane's number is that of its queue; what the session sends itself goes to the queue of its row.
unsigned queue_of(const client::TraceEvent& event) noexcept {
    if (event.lane != 0) return event.lane;
    return event.op->traits.queue == wire::QueueKind::hiprio ? 0 : 1;
}

} // namespace

RequestTrace::RequestTrace(const std::string& path, Log* log) : log_(log), begin_(Clock::now()), pending_(kLanes) {
    if (log_ != nullptr && !log_->takes(LogLevel::trace)) log_ = nullptr;
    if (path.empty()) return;
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), path);
}

RequestTrace::~RequestTrace() {
    static_cast<void>(flush());
    if (fd_ >= 0) ::close(fd_);
}

client::TraceHook RequestTrace::hook() noexcept {
    client::TraceHook hook;
    hook.context = this;
    // NOLINTNEXTLINE(bugprone-exception-escape): as below
    hook.started = [](void* self, const client::TraceEvent& event) noexcept {
        static_cast<RequestTrace*>(self)->started(event);
    };
    // Out of memory in a trace ends the program: there is nobody to tell.
    // NOLINTNEXTLINE(bugprone-exception-escape)
    hook.finished = [](void* self, const client::TraceEvent& event) noexcept {
        static_cast<RequestTrace*>(self)->finished(event);
    };
    return hook;
}

RequestTrace::Pending& RequestTrace::pending(const client::TraceEvent& event) {
    std::vector<Pending>& lane = pending_[event.lane];
    if (event.slot >= lane.size()) lane.resize(std::size_t{event.slot} + 1);
    return lane[event.slot];
}

// NOLINTNEXTLINE(bugprone-exception-escape): as above
void RequestTrace::started(const client::TraceEvent& event) noexcept { pending(event) = {Clock::now(), event.sent}; }

// NOLINTNEXTLINE(bugprone-exception-escape): as above
void RequestTrace::finished(const client::TraceEvent& event) noexcept {
    const Clock::time_point now = Clock::now();
    const Pending& start = pending(event);
    const auto nanoseconds = [](Clock::duration d) {
        return std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
    };
    const auto since = nanoseconds(start.since - begin_);
    const auto latency = nanoseconds(now - start.since);
    const std::size_t from = text_.size();
    fmt::format_to(std::back_inserter(text_),
                   "time={}.{:09} queue={} unique={:#x} op={} node={} sent={} received={} error={} latency_us={}.{}",
                   since / 1'000'000'000, since % 1'000'000'000, queue_of(event), event.unique, event.op->name,
                   event.nodeid, start.sent, event.received, error_word(event), latency / 1000, latency % 1000 / 100);
    ++lines_;
    if (log_ != nullptr) log_->write(LogLevel::trace, std::string_view(text_).substr(from));
    if (fd_ < 0) return text_.clear();
    text_ += '\n';
    if (text_.size() >= kWriteAt) static_cast<void>(flush());
}

int RequestTrace::flush() noexcept {
    std::string_view rest = text_;
    while (fd_ >= 0 && error_ == 0 && !rest.empty()) {
        const ssize_t count = ::write(fd_, rest.data(), rest.size());
        if (count >= 0) {
            rest.remove_prefix(static_cast<std::size_t>(count));
        } else if (errno != EINTR) {
            error_ = errno;
        }
    }
    text_.clear();
    return error_;
}

} // namespace vfsproto::backends
