// SPDX-License-Identifier: BSD-2-Clause
// serve: a directory of this host, or memory, by the engine's own server, with this host's kernel as its client.
#include "background.hpp"
#include "commands.hpp"
#include "interrupt.hpp"
#include "own_directory.hpp"

#include "kernel_mount/kernel_server.hpp"
#include "kernel_mount/mount_point.hpp"

#include "vfsproto/backends/memfs.hpp"
#include "vfsproto/backends/passthrough.hpp"

#include <sys/mount.h>

#include <chrono>
#include <ctime>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace vfsproto::cli {
namespace {

using kernel_mount::KernelServed;
using kernel_mount::KernelServedBy;
using kernel_mount::KernelServer;
using kernel_mount::MountPoint;
using kernel_mount::OptionList;

constexpr std::string_view kMemory = "memfs";

struct ServeOptions {
    std::vector<std::string> words; // each a list of options
    std::string point;
    std::string file_system;
    std::string directory;
    bool background = false;
};

OptionList option_list(Program& program, const ServeOptions& options) {
    OptionList list;
    for (const std::string& words : options.words) {
        if (const std::string why = list.add(words); !why.empty()) program.refuse("-o", why);
    }
    if (list.fsname.empty()) list.fsname = options.file_system.empty() ? "dir:" + options.directory : "memfs:";
    return list;
}

void check(Program& program, const ServeOptions& options) {
    const bool is_memory = options.file_system == kMemory;
    if (!options.file_system.empty() && !is_memory)
        program.refuse("--fs", "'memfs' is the only one beside a directory");
    if (is_memory != options.directory.empty()) {
        program.refuse("", is_memory ? "--fs memfs serves memory: name no directory"
                                     : "name the directory to serve, or say --fs memfs");
    }
}

std::unique_ptr<KernelServed> memory() {
    constexpr std::uint64_t kValid = 1'000'000'000; // ns: nobody else changes anything
    backends::MemfsOptions served;
    served.entry_valid = served.attr_valid = kValid;
    served.clock = [] {
        timespec now{};
        ::clock_gettime(CLOCK_REALTIME, &now);
        return backends::MemfsTime{now.tv_sec, static_cast<std::uint32_t>(now.tv_nsec)};
    };
    return std::make_unique<KernelServedBy<backends::Memfs>>(std::make_unique<backends::Memfs>(std::move(served)));
}

std::unique_ptr<KernelServed> directory(Program& program, const ServeOptions& options, const OptionList& list) {
    backends::PassthroughOptions served;
    served.root = options.directory;
    if ((list.flags & MS_RDONLY) != 0) served.access = backends::PassthroughAccess::read_only;
    try {
        return std::make_unique<KernelServedBy<backends::Passthrough>>(std::make_unique<backends::Passthrough>(served));
    } catch (const std::system_error& error) {
        program.report(options.directory, static_cast<abi::Errno>(error.code().value()));
        throw Leave{ExitCode::failed};
    }
}

// Returns when the mount has been taken away, by whoever did it, or the user ended it.
void wait_for_end(Program& program, KernelServer& server) {
    constexpr std::chrono::milliseconds kLookEvery{100};
    while (!server.is_over() && !program.stopping()) {
        interrupt_stop().wait_until(std::chrono::steady_clock::now() + kLookEvery);
    }
}

void serve(Program& program, std::unique_ptr<KernelServed> served, MountPoint& point) {
    KernelServer server(std::move(served), point.take_device());
    program.note(fmt::format("serving on {}", point.path()));
    say_ready();
    wait_for_end(program, server);
    // To look at a mount that nobody serves any more, but that is there, would not end.
    if (server.was_taken_away()) point.note_ended();
    point.detach();
    server.end();
    if (!server.was_taken_away() && !program.stopping()) program.report(point.path(), Errc::no_memory);
    program.note(fmt::format("{} requests of the kernel, {} workers", server.requests(), server.workers()));
}

void run_serve(Program& program, const ServeOptions& options) {
    check(program, options);
    const OptionList list = option_list(program, options);
    if (options.background && !is_in_background()) throw Leave{run_in_background(program)};
    if (!options.directory.empty()) refuse_own_directory(program, options.directory, options.point);
    MountPoint point;
    if (const std::string why = point.choose(options.point); !why.empty()) {
        program.report(options.point, why);
        throw Leave{ExitCode::failed};
    }
    std::unique_ptr<KernelServed> served = options.directory.empty() ? memory() : directory(program, options, list);
    if (const std::string why = point.attach(list); !why.empty()) {
        program.report(options.point, why);
        throw Leave{ExitCode::failed};
    }
    serve(program, std::move(served), point);
    program.check();
}

void describe(Arguments& sub, ServeOptions& options) {
    sub.add_option("--fuse", options.point, "a directory of this host, over which the kernel mounts it")
        .shown_as("MOUNTPOINT")
        .required();
    sub.add_option("--fs", options.file_system, "memfs: an empty file system in memory, gone when it ends")
        .shown_as("NAME");
    sub.add_option("-o", options.words, "options of mount(8), as mount takes them").shown_as("OPTION,...");
    sub.add_flag("--background", options.background, "go on in the background once it is mounted");
    sub.add_option("directory", options.directory, "the directory of this host that is served");
}

} // namespace

void add_serve(Commands& commands) {
    commands.add<ServeOptions>({"serve", "Serve a directory of this host, or memory, to the kernel of this host"},
                               describe, run_serve);
}

} // namespace vfsproto::cli
