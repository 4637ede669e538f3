// SPDX-License-Identifier: BSD-2-Clause
// One run of the program: its global options, its device, what it prints, and how it ends.
#pragma once

#include "message.hpp"
#include "output.hpp"
#include "trace_options.hpp"

#include "vfsproto/backends/logging.hpp"
#include "vfsproto/fuse/client/id_map.hpp"
#include "vfsproto/posix/mount.hpp"
#include "vfsproto/posix/mount_options.hpp"
#include "vfsproto/posix/server_change.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::cli {

class TraceRecorder;

struct GlobalOptions {
    std::string device; // empty: none was named
    Style style = Style::human;
    TraceOptions trace{};
    backends::LogLevel log = backends::LogLevel::warn;
    std::uint16_t queue_size = 256;
    std::uint16_t queues = 1; // request queues, where the device offers as many
    std::uint64_t window = 0; // bytes of the shared memory window of a device that is served here; 0: none
    posix::Waiting waiting = posix::Waiting::adaptive;
    double silence = 0; // seconds; 0: as the device wants it
    double timeout = 0; // seconds a call may take; 0: for ever
    posix::CacheMode cache = posix::CacheMode::none;
    posix::Permissions permissions = posix::Permissions::judged_by_server;
    std::vector<std::string> user_ranges{}; // as they were said: HERE:SERVER:COUNT
    std::vector<std::string> group_ranges{};
};

enum class ExitCode : int {
    done = 0,
    failed = 1, // an operation
    usage = 2,
    device = 3,        // or the protocol
    interrupted = 130, // never seen: the signal itself ends the process
    reader_gone = 141, // of standard output; never seen: SIGPIPE ends the process
};

// Thrown to end the program; what there was to say has been said.
struct Leave {
    ExitCode code;
};

class Program {
public:
    explicit Program(GlobalOptions options);
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    [[nodiscard]] const GlobalOptions& options() const noexcept { return options_; }
    [[nodiscard]] bool wants_json() const noexcept { return options_.style == Style::json; }
    [[nodiscard]] Output& out() noexcept { return out_; }
    // Writes lines of JSON at once. Any thread. What cannot be written stops the program: then check() throws OutputFailed.
    void put_lines(std::string_view lines);
    // Throws Leave if the user named no device: nothing in the current directory is changed by an oversight.
    void require_named_device();
    // The device, opened when it is asked for first; the current directory where none was named. Throws Leave when that
    // fails. Its calls end when the program is to end, and after --timeout.
    [[nodiscard]] posix::Mount& mount();
    // Returns the same for walks, whose paths may be longer than PATH_MAX (Mount::taking_long_paths).
    [[nodiscard]] posix::Mount& deep_mount();
    // Has mount() return a device that asks for each name and all attributes anew.
    void look_anew(bool anew) noexcept { looks_anew_ = anew; }
    // Has the mount take what the server tells of changes, keep all names until it does, and pass the changes on, on a thread of its
    // own and until the session ends. False if the device is open already.
    [[nodiscard]] bool hear_changes(std::function<void(const posix::ServerChange&)> hear);
    // Has paths that begin with no slash be those of a directory, which is a path from the root. The device is open.
    void enter(const std::string& directory);
    // Return that directory, "/" in the beginning, and the one before it.
    [[nodiscard]] const std::string& directory() const noexcept { return directory_; }
    [[nodiscard]] const std::string& directory_before() const noexcept { return directory_before_; }
    // Returns the path of that directory for a command that was given none: at the top "/", so that paths are shown from there.
    [[nodiscard]] std::string here() const { return directory_ == "/" ? "/" : "."; }
    [[nodiscard]] std::vector<std::string> or_here(const std::vector<std::string>& paths) const {
        return paths.empty() ? std::vector<std::string>{here()} : paths;
    }
    [[nodiscard]] std::string from_root(const std::string& path) const {
        return path.starts_with('/') || directory_ == "/" ? path : directory_ + '/' + path;
    }
    // Returns the device without limits, for what moves memory that the device can reach without a copy. Its paths are all of the
    // root: from_root() makes one of them of what the user said.
    [[nodiscard]] posix::Mount& unlimited_mount();

    // Keeps the counts from which on the command stats counts anew. counts_from() returns nullptr before that.
    void count_from(const posix::MountStats& moment);
    [[nodiscard]] const posix::MountStats* counts_from() const noexcept { return counts_from_.get(); }

    // The command that runs, for messages.
    void set_command(std::string name) {
        const std::lock_guard lock(mutex_);
        command_ = std::move(name);
    }

    // Says that one thing failed, in one line, and goes on: the program will leave with 1, or 3 when the device failed,
    // which is said once. Any thread.
    void report(const Subject& subject, const posix::Failure& failure);
    void report(const Subject& subject, std::string_view why);
    // Says it with what to do about it.
    void report(const Subject& subject, const posix::Failure& failure, std::string_view advice);
    // Says what is wrong with a word of the command line, and throws Leave. Main thread.
    [[noreturn]] void refuse(std::string_view word, std::string_view why) {
        report(Subject::other(word), std::string(why) + " ('vfsproto " + command_ + " --help' says more)");
        throw Leave{ExitCode::usage};
    }
    // Says something in one line that is no failure: the program may still leave with 0. Any thread.
    void warn(const Subject& subject, std::string_view why);
    void warn(const Subject& subject, const posix::Failure& failure, std::string_view advice);
    // Logs a line for whoever asks for it (--log info).
    void note(std::string_view line) { log_.write(backends::LogLevel::info, line); }
    // Returns the umask the program was started with.
    [[nodiscard]] std::uint32_t umask() const noexcept { return umask_; }
    // True if going on makes no sense: the device failed, the user wants to stop, or lines of JSON cannot be written. Any
    // thread.
    [[nodiscard]] bool stopping() const noexcept;
    // Throws Leave or OutputFailed then. Main thread.
    void check() const;

    // Reports, and throws Leave where there is no sense in going on. Main thread.
    [[nodiscard]] bool succeeded(const Subject& subject, const posix::Failure& failure) {
        if (failure.happened()) report(subject, failure);
        check();
        return !failure.happened();
    }
    template <class T> [[nodiscard]] bool succeeded(const Subject& subject, const posix::Expected<T>& outcome) {
        return succeeded(subject, outcome ? posix::Failure() : outcome.failure());
    }

    // Tells of the session without waiting for long: how many requests the device has answered, and if it was given up; nothing
    // while a thread is busy with it. Any thread, as the next two.
    struct DeviceGlance {
        std::uint64_t answers = 0;
        bool is_given_up = false; // it was silent for too long and is not waited for any more
    };
    [[nodiscard]] std::optional<DeviceGlance> look_at_device();
    // Says that the device has answered nothing for so long.
    void say_waiting(std::chrono::seconds time);
    // Ends the process because of that silence, without a word to the device.
    [[noreturn]] void leave_silent_device();

    // Names the temporary files that may be left at the server, each in a line; the program will leave with 1. Says nothing where
    // stderr takes nothing, so that it never waits. Any thread.
    void say_left_behind();

    // Writes what the trace has collected, without waiting. Any thread.
    void refresh_trace() noexcept;
    // Leaves the trace to another process, which was started in place of this one and writes to the same file.
    void leave_trace_to_child() noexcept;
    // Ends the trace of a process that is about to end, without waiting: what is still out is told. Any thread.
    void end_trace() noexcept;

    // Returns whether one of several commands failed, `failed` or `done`, and forgets it: finish() does not tell it then. A
    // device that failed is not forgotten.
    [[nodiscard]] ExitCode take_outcome() noexcept {
        return failed_.exchange(false) ? ExitCode::failed : ExitCode::done;
    }

    // Called before a line goes to stderr: whoever draws there takes it away.
    void on_message(std::function<void()> clear);

    // Ends the session with the device. Then what the program leaves with.
    [[nodiscard]] ExitCode finish();

private:
    void report(const Message& message);
    void begin_with(std::unique_ptr<posix::Mount> limited);
    // Says for whom the device is used, and who judges what he may do. Throws Leave if that makes no sense.
    void describe_caller(posix::MountOptions& options);
    void log_session();
    void say(Message message); // with the lock; adds the command
    [[nodiscard]] std::string what_ended_it() const;
    [[noreturn]] void cannot_use_device(const posix::Failure& failure, std::string_view why);
    [[nodiscard]] std::string silence_text() const;

    GlobalOptions options_;
    bool device_was_named_;
    std::uint32_t umask_;
    std::string command_;
    Output out_;
    std::mutex lines_mutex_; // of put_lines()
    std::atomic<int> output_error_{0};
    backends::Log log_;
    std::function<void(const posix::ServerChange&)> hear_changes_;
    std::unique_ptr<TraceRecorder> trace_;
    client::IdRangeMap ids_{};                // outlives mount_
    std::unique_ptr<posix::Mount> mount_;     // before trace_ ends
    std::unique_ptr<posix::Mount> limited_;   // on the session of mount_
    std::unique_ptr<posix::Mount> anew_;      // the same, and it looks anew
    std::unique_ptr<posix::Mount> deep_;      // limited_ with paths of any length
    std::unique_ptr<posix::Mount> deep_anew_; // the same, and it looks anew
    std::string directory_ = "/";
    std::string directory_before_ = "/";
    bool looks_anew_ = false;
    std::unique_ptr<posix::MountStats> counts_from_;
    std::mutex watched_mutex_;
    posix::Mount* watched_ = nullptr; // mount_, while other threads may look at it
    std::mutex mutex_;                // of messages, and of command_
    std::function<void()> clear_;
    std::atomic<bool> failed_{false};
    std::atomic<bool> device_failed_{false};
};

// The failure of a system call of our own.
[[nodiscard]] posix::Failure local_failure(int error) noexcept;

} // namespace vfsproto::cli
