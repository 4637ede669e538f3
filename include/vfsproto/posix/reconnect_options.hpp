// SPDX-License-Identifier: BSD-2-Clause
// Lists the choices a ReconnectingMount is opened with, and what it tells of each reconnect.
#pragma once

#include "vfsproto/posix/failure.hpp"
#include "vfsproto/posix/mount_options.hpp"
#include "vfsproto/posix/stop_source.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vfsproto::backends {
class Attachment;
}

namespace vfsproto::posix {

// Tells what becomes of what was written and not synced when a server's process ends.
enum class WrittenData : std::uint8_t {
    outlives_server,  // it is with the host's kernel, where virtiofsd leaves it
    ends_with_server, // the server keeps it in memory of its own until an FSYNC
};

// Tells what becomes of a call that comes while the mount is suspended, or is about to be.
enum class WhileSuspended : std::uint8_t {
    wait, // it goes on after resume(), unless one of ReconnectOptions::limits is reached before
    fail, // it fails with `suspended` (EAGAIN)
};

// Tells what a reconnect came to. resume() is one.
struct Reconnection {
    struct LostFile {
        std::string path; // where it was last known to be, from the root
        Failure why;      // what every call on the file says from now on
    };
    std::uint32_t session = 0; // the number of the new one; the first one's is 1
    Errc ended = Errc::ok;     // why the last one ended: `suspended` if suspend() has ended it
    std::size_t reopened = 0;  // files
    std::vector<LostFile> lost{};
    std::vector<std::string>
        writes_lost{}; // files that were opened again, whose next fsync() or close() says writes_lost
};

// Says if a mount is suspended although that loses open files: those with locks, and those that are not found by their path.
enum class Losses : std::uint8_t { refused, accepted };

struct SuspendOptions {
    // Ends the wait for calls that are under way, such as one for a lock, and for the end of the session. What the server is asked here,
    // an FSYNC above all, takes as long as it takes. `grace` has no use here.
    MountLimits limits{};
    Losses losses = Losses::refused;
};

// Tells what suspend() came to.
struct Suspension {
    Failure why{}; // ok: the mount is suspended
    // Files that could not be synced, or that would be lost. The mount goes on if there is any.
    std::vector<Reconnection::LostFile> in_the_way{};
};

struct ReconnectOptions {
    // Opens the device, for the first session and for each one after it. Returns nullptr while it is not there. Is called by the
    // call that needs it, one at a time, throws nothing, and must not use the ReconnectingMount. The device before it may still be
    // open: one that can be opened only once at a time, such as one behind VFIO, cannot be opened again so.
    std::function<std::unique_ptr<backends::Attachment>()> open_device{};
    // The options of every session. Its on_change() must not use the ReconnectingMount. Its trace hears of two sessions at once,
    // while one takes the place of the other.
    MountOptions mount{};
    unsigned attempts = 50; // to open the device and a session on it, for one call; the first session has one
    // The least time between two attempts, also where the first of them has opened a session.
    std::chrono::milliseconds pause{100};
    // Ends a call's wait for a server, with `abandoned` or `timed_out`, and that of all who wait with it. An attempt that is under
    // way is finished first: the answer to INIT is waited for as long as ChannelOptions::patience says, those after it as in any
    // call, so that ChannelOptions::silence alone gives up a server that owes them. `grace` has no use here.
    MountLimits limits{};
    // Says how often one call is sent once more, each time on another session: it may be what the server dies of.
    unsigned repeats = 3;
    // Says if writes may be lost with a server. Then whoever has such a file open is told once, by fsync() or close().
    WrittenData written = WrittenData::outlives_server;
    WhileSuspended while_suspended = WhileSuspended::wait;
    // Hears of each reconnect, on the thread of the call that made it, without a lock: other calls may go on before, and two
    // threads may tell of two reconnects at once. Throws nothing.
    std::function<void(const Reconnection&)> on_reconnect{};
};

} // namespace vfsproto::posix
