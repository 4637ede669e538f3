// SPDX-License-Identifier: BSD-2-Clause
// The choices a Mount is opened with. Every default is right for most.
#pragma once

#include "vfsproto/fuse/client/init_options.hpp"
#include "vfsproto/fuse/client/name_case.hpp"
#include "vfsproto/fuse/client/trace_hook.hpp"
#include "vfsproto/posix/credentials.hpp"
#include "vfsproto/transport/features.hpp"
#include "vfsproto/virtqueue/ring_options.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

namespace vfsproto::posix {

struct ServerChange; // server_change.hpp

// Tells how a thread waits for an answer.
enum class Waiting : std::uint8_t {
    adaptive,
    poll,  // spins until something comes
    event, // sleeps at once
};

enum class UseIndirect : std::uint8_t {
    never,
    automatic, // only on rings too small to hold enough direct chains
    always,
};

struct RingOptions {
    std::uint16_t queue_size = 0; // at most; 0 = what the device offers. On a split ring rounded down to a power of two
    std::uint16_t max_segments = 4; // of one request
    UseIndirect indirect = UseIndirect::automatic;
    FeatureSet withheld{}; // features not to be taken although both sides have them
    // in_order: IN_ORDER is taken where it is offered. The length in a reply's header then counts.
    UseOrder order = UseOrder::any;
    // Request queues to bring up, at least one and at most kMostRequestQueues; the device, its quirks and its transport may allow
    // fewer. Each has slots and bounce memory of its own (ChannelOptions). The threads of a mount take them in turn: docs/threads.md.
    std::uint16_t request_queues = 1;
};
inline constexpr std::size_t kMostRequestQueues = 63;

// Tells whether a device's notifications are taken. They cost a thread, and 4 MiB at most.
enum class Notifications : std::uint8_t { ignored, taken };

struct ChannelOptions {
    RingOptions rings{};
    client::InitOptions init{};
    Waiting waiting = Waiting::adaptive;
    std::uint16_t slots = 64;          // requests in flight on a queue at most; its ring may allow fewer
    std::uint32_t bounce = 128 * 1024; // bytes one request can carry of memory the device cannot reach
    client::TraceHook trace{};         // where several request queues are used, it is called by several threads at once
    // Callers, and the owners of files, are the client's above this, and the server's below. A caller with an id that has no image makes
    // no request: unmapped_id (EOVERFLOW). To set such an owner is EOVERFLOW too; one that the server has is shown as 65534. Requests
    // that nobody asked for, such as RELEASE, are of the server's user 0. client::IdRangeMap is a map by ranges; it outlives the session.
    abi::IdMap ids{};
    Notifications notifications = Notifications::ignored; // a Mount takes them if it has a use for them
    std::chrono::milliseconds patience{10'000};           // for the answers to INIT and DESTROY
    // A device that owes answers and gives none for so long is given up, and every call fails (transport_failed). While it
    // owes only answers it may take its time for (FSYNC, a lock), it is asked for a STATFS from time to time instead.
    // 0: never where its end is told, after two minutes where it may be silent (Attachment::end()).
    std::chrono::milliseconds silence{0};
};

// Tells how long a mount takes a name or a file's attributes for what the server said last.
enum class CacheMode : std::uint8_t {
    none,      // it asks every time
    automatic, // for as long as the server allows with each answer
    always, // until this mount changes them, or the server tells of a change: else right where nobody else changes the share
};

// The target of a symbolic link and the listing of a directory are kept with the attributes of either, where the server says that
// they may be (CACHE_SYMLINKS, FOPEN_CACHE_DIR), and with `always` in any case. A listing is kept when it was read to its end, and
// counts while the directory's size and times are what they were; unless `always`, an OPENDIR answered without FOPEN_KEEP_CACHE drops
// it. Where it is wanted with attributes and those of a file in it are not known, READDIRPLUS is sent.
//
// Changes made through a mount, or another one of its session, are seen at once in every mode; those of others when what
// was kept has expired, or when the server tells of them. While a file is open to be written to, its attributes are not kept. The
// access time may be as old as the rest while a file is open, and always is for directories. Changes made by operations in an
// IoQueue are not seen.
struct CacheOptions {
    CacheMode mode = CacheMode::none;
    // Take the place of what the server allows: for names, for attributes, and for names that do not exist. `always`
    // needs none of them.
    std::optional<std::chrono::nanoseconds> entry_timeout{};
    std::optional<std::chrono::nanoseconds> attribute_timeout{};
    std::optional<std::chrono::nanoseconds> negative_timeout{}; // of what a server calls absent, not of its ENOENT
    // Names kept at most, and files the server may hold open for them: more than MountOptions::max_idle_nodes allows without a
    // cache. A name takes about 110 bytes here.
    std::size_t names = 131'072;
    // Bytes kept at most of targets of symbolic links and listings of directories. Nothing of more than an eighth of them is kept.
    std::size_t contents = std::size_t{16} << 20;
    client::NameCase name_case = client::NameCase::matters;
};

// Says who judges what a caller may do.
enum class Permissions : std::uint8_t {
    // The server does, as far as it does: virtiofsd makes new files for the caller, and does all else with its own rights.
    judged_by_server,
    // This mount does before it sends a request, by modes and owners, as Linux does for every virtio-fs mount. User 0 may do what root
    // may. What a server refuses stays refused. Walks ask for the attributes of the root, unless they are kept. Where what was kept
    // refuses something, the server is asked once more. Access control lists count where the server agreed on POSIX_ACL: GETXATTR asks
    // for that of each file on the way whose owner the caller is not, unless it is kept with the attributes.
    judged_here,
};

struct MountOptions {
    ChannelOptions channel{};
    Permissions permissions = Permissions::judged_by_server;
    std::size_t max_idle_nodes = 1024; // files looked up and not used that the server may still hold open for us
    CacheOptions cache{};
    // Hears of changes that the server tells of by itself. FUSE servers on a stream can, and virtio devices with
    // VIRTIO_FS_F_NOTIFICATION. It is called by a thread of the mount's, without a lock, one call at a time, and ends before the
    // last mount of the session does. It may use the mount, but neither end one of the session nor make one (acting_for() and the
    // like), and it throws nothing. What it does delays the next notification.
    std::function<void(const ServerChange&)> on_change{};
    Credentials credentials{}; // Mount::acting_for() has others on the same session
};

} // namespace vfsproto::posix
