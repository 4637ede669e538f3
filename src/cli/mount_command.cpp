// SPDX-License-Identifier: BSD-2-Clause
// mount: the device's files behind a mount of this host's kernel, for all its programs.
#include "background.hpp"
#include "cleaning_up.hpp"
#include "commands.hpp"
#include "interrupt.hpp"
#include "own_directory.hpp"

#include "kernel_mount/kernel_session.hpp"
#include "kernel_mount/mount_point.hpp"

#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/stop_source.hpp"

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::cli {
namespace {

using kernel_mount::KernelSession;
using kernel_mount::MountPoint;
using kernel_mount::OptionList;

struct MountOptions {
    std::vector<std::string> words; // each a list of options
    std::string directory;
    bool background = false;
};

// Passes what the server tells of changes on to the kernel, for as long as that is there to hear it.
class ChangeRelay {
public:
    // Passes them on as long as it lives. Its end waits for one that is under way.
    class Passing {
    public:
        Passing(ChangeRelay& relay, KernelSession& session) : relay_(relay) { relay_.pass_to(&session); }
        ~Passing() { relay_.pass_to(nullptr); }
        Passing(const Passing&) = delete;
        Passing& operator=(const Passing&) = delete;

    private:
        ChangeRelay& relay_;
    };

    void take(const posix::ServerChange& change) {
        const std::lock_guard lock(mutex_);
        if (session_ != nullptr) session_->take_change(change);
    }

private:
    void pass_to(KernelSession* session) {
        const std::lock_guard lock(mutex_);
        session_ = session;
    }

    std::mutex mutex_;
    KernelSession* session_ = nullptr;
};

OptionList option_list(Program& program, const MountOptions& options) {
    OptionList list;
    for (const std::string& words : options.words) {
        if (const std::string why = list.add(words); !why.empty()) program.refuse("-o", why);
    }
    if (!program.options().user_ranges.empty() || !program.options().group_ranges.empty()) {
        program.refuse("--map-users, --map-groups", "the kernel has the server's ids");
    }
    if (list.fsname.empty()) list.fsname = program.options().device;
    return list;
}

// Returns when the mount has been taken away, by whoever did it, or the device or the user ended it.
void wait_for_end(Program& program, KernelSession& session) {
    constexpr std::chrono::milliseconds kLookEvery{100};
    posix::Channel& channel = program.mount().channel();
    while (!session.is_over() && !program.stopping()) {
        if (const Errc why = channel.failure(); why != Errc::ok) return program.report("", why);
        interrupt_stop().wait_until(std::chrono::steady_clock::now() + kLookEvery);
    }
}

void serve(Program& program, MountPoint& point, ChangeRelay& relay) {
    KernelSession session(program.mount().channel(), point.take_device());
    program.note(fmt::format("mounted on {}", point.path()));
    say_ready();
    {
        const ChangeRelay::Passing passing(relay, session);
        wait_for_end(program, session);
        // A program that is ended by a signal is ended all the same if the server does not answer, but not before this.
        const CleaningUp more_time(program.mount());
        // To look at a mount that nobody serves any more, but that is there, would not end.
        if (session.was_taken_away()) point.note_ended();
        point.detach();
    }
    session.end();
    if (!session.was_taken_away() && !program.stopping()) program.report(point.path(), Errc::no_memory);
    const auto& counters = session.counters();
    program.note(
        fmt::format("{} requests of the kernel, {} interrupts, {} replies not taken, {} changes passed on, {} not",
                    counters.requests.load(), counters.interrupts.load(), counters.not_taken.load(),
                    counters.notifications.load(), counters.unknown.load()));
}

void run_mount(Program& program, const MountOptions& options) {
    const OptionList list = option_list(program, options);
    if (options.background && !is_in_background()) throw Leave{run_in_background(program)};
    constexpr std::string_view kHere = "dir:";
    if (const std::string& device = program.options().device; device.starts_with(kHere)) {
        refuse_own_directory(program, device.substr(kHere.size()), options.directory);
    }
    MountPoint point;
    if (const std::string why = point.choose(options.directory); !why.empty()) {
        program.report(options.directory, why);
        throw Leave{ExitCode::failed};
    }
    // The device may tell of changes for longer than this command runs.
    const auto relay = std::make_shared<ChangeRelay>();
    static_cast<void>(program.hear_changes([relay](const posix::ServerChange& change) { relay->take(change); }));
    static_cast<void>(program.mount());
    if (const std::string why = point.attach(list); !why.empty()) {
        program.report(options.directory, why);
        throw Leave{ExitCode::failed};
    }
    serve(program, point, *relay);
    program.check();
}

void describe(Arguments& sub, MountOptions& options) {
    sub.add_option(
           "-o", options.words,
           "options of mount(8): ro, allow_other, no_default_permissions, noexec, noatime, suid, dev, fsname=NAME, "
           "max_read=BYTES and others")
        .shown_as("OPTION,...");
    sub.add_flag("--background", options.background, "go on in the background once it is mounted");
    sub.add_option("directory", options.directory, "a directory of this host, over which it is mounted").required();
}

} // namespace

void add_mount(Commands& commands) {
    commands.add<MountOptions>(
        {"mount", "Mount the files of the device, for all programs of this host", Effect::changes}, describe,
        run_mount);
}

} // namespace vfsproto::cli
