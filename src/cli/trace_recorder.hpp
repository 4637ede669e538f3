// SPDX-License-Identifier: BSD-2-Clause
// Watches the requests of a channel: remembers those that are out, and has them written and counted. Any number of threads.
#pragma once

#include "trace_file.hpp"
#include "trace_options.hpp"
#include "trace_summary.hpp"
#include "trace_writer.hpp"

#include "vfsproto/backends/logging.hpp"
#include "vfsproto/fuse/client/trace_event.hpp"
#include "vfsproto/fuse/client/trace_hook.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace vfsproto::cli {

class TraceRecorder {
public:
    // `device` names what is traced. `log` gets text lines at level trace, and outlives the recorder; nullptr: there is none.
    // Throws std::system_error when the file cannot be written.
    TraceRecorder(const TraceOptions& options, std::string_view device, backends::Log* log);
    ~TraceRecorder(); // concludes
    TraceRecorder(const TraceRecorder&) = delete;
    TraceRecorder& operator=(const TraceRecorder&) = delete;

    // Goes into posix::ChannelOptions::trace. The recorder outlives the channel.
    [[nodiscard]] client::TraceHook hook() noexcept;

    // Ends the trace: what is still out is told, and the summary goes to standard error. Returns 0, or an errno: the file is
    // not complete, or else the summary is not. What comes later is not told.
    [[nodiscard]] int conclude();
    // Does the same from another thread, for a process that is about to end: waits for nobody for long.
    void conclude_without_waiting() noexcept;
    // Ends the trace without a word, not even its frame: another process writes it.
    void leave_to_another() noexcept;
    // Writes what was collected, so that a reader of the file sees a request that is never answered. Does not wait.
    void refresh() noexcept;

private:
    void note(const client::TraceEvent& event, TraceClock::Moment now);
    void note_end(const client::TraceEvent& event, TraceClock::Moment now);
    void tell_start(TracedRequest& request);
    void tell_unanswered(TracedRequest& request, TraceClock::Moment now);
    void tell_all_unanswered();
    [[nodiscard]] TracedRequest& request_of(const client::TraceEvent& event);
    template <class Tell> void tell(Tell&& tell);
    // Calls note() or note_end() with the lock; out of memory ends the trace.
    using Take = void (TraceRecorder::*)(const client::TraceEvent&, TraceClock::Moment);
    void guarded(Take take, const client::TraceEvent& event) noexcept;
    // Ends the trace, with the lock.
    void end();

    static constexpr std::size_t kLanes = 256;

    TraceClock clock_{};
    TraceOptions options_;
    backends::Log* log_;
    std::optional<TraceFile> file_{};
    std::unique_ptr<TraceWriter> writer_{};               // with file_
    std::unique_ptr<TraceWriter> log_writer_{};           // with log_
    std::mutex mutex_{};                                  // of what follows, and of the text of file_
    std::vector<std::vector<TracedRequest>> out_{kLanes}; // by lane and slot
    TraceSummary summary_{};
    TraceFile summary_out_{"-"};
    std::string line_{}; // for the log
    bool concluded_ = false;
    int error_ = 0; // ENOMEM: the trace ended early
};

} // namespace vfsproto::cli
