// SPDX-License-Identifier: BSD-2-Clause
// ServerSession holds what INIT agreed on, for the server. All queues of a device share one session (virtio 1.2 §5.11.5).
#pragma once

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/base/fence.hpp"
#include "vfsproto/fuse/wire/init_flags.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <cstddef>
#include <cstdint>

namespace vfsproto::server {

// Says what a file system offers at INIT. Fixed for its lifetime.
struct ServerOptions {
    wire::InitFlags flags{};            // what it implements; the core adds kCoreInitFlags
    std::uint32_t max_write = 1u << 20; // bytes, at least 4096
    std::uint32_t max_readahead = 1u << 20;
    std::uint16_t max_pages = 256;
    std::uint16_t max_background = 64;
    std::uint16_t congestion_threshold = 48;
    std::uint16_t map_alignment = 0; // log2; sent with MAP_ALIGNMENT
    std::uint32_t time_gran = 1;     // nanoseconds
};

// Flags that the request view and the reply writer implement for every file system.
inline constexpr wire::InitFlags kCoreInitFlags = wire::InitFlags::of(
    wire::InitFlag::init_ext, wire::InitFlag::max_pages, wire::InitFlag::big_writes, wire::InitFlag::setxattr_ext);

// The one lane that serves an INIT or DESTROY writes it; all lanes read it at any time.
class ServerSession {
public:
    ServerSession() noexcept = default;
    ServerSession(const ServerSession&) = delete;
    ServerSession& operator=(const ServerSession&) = delete;

    // True between a successful INIT and DESTROY.
    [[nodiscard]] bool ready() const noexcept { return load_acquire(ready_) != 0; }
    // Returns the smaller of the two minor versions.
    [[nodiscard]] std::uint32_t minor() const noexcept { return load_relaxed(minor_); }
    [[nodiscard]] wire::InitFlags flags() const noexcept { return wire::InitFlags(load_relaxed(flags_)); }
    [[nodiscard]] bool has(wire::InitFlag f) const noexcept { return flags().has(f); }
    [[nodiscard]] std::uint32_t max_write() const noexcept { return load_relaxed(max_write_); } // bytes

    struct InitAnswer {
        abi::Errno error = abi::Errno::none; // EPROTO: a major below 7
        wire::InitOut out{};
        std::size_t size = sizeof(wire::InitOut); // how much of `out` a client of that minor expects
    };
    // fuse.h 7.45, FUSE_INIT: agrees on what `in` asks and `options` offer, and is ready() afterwards, unless the major
    // differs: a higher one is told ours and may ask again, a lower one is refused. `in` is zero beyond what was sent.
    // The caller has ended the session before, if there was one.
    [[nodiscard]] InitAnswer init(const wire::InitIn& in, const ServerOptions& options) noexcept;
    // Ends the session: at DESTROY, at a device reset, and before another INIT.
    void end() noexcept { store_release(ready_, 0); }

private:
    std::uint32_t ready_ = 0;
    std::uint32_t minor_ = 0;
    std::uint32_t max_write_ = 4096;
    std::uint64_t flags_ = 0;
};

} // namespace vfsproto::server
