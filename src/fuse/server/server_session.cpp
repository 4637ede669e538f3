// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/server/server_session.hpp"

namespace vfsproto::server {

namespace {

constexpr std::size_t kInitOutCompat5Size = 8; // what a client before 7.5 knows

std::size_t reply_size(std::uint32_t minor) noexcept {
    if (minor < 5) return kInitOutCompat5Size;
    if (minor < 23) return wire::kInitOutCompat22Size;
    return sizeof(wire::InitOut);
}

wire::InitFlags agree(const wire::InitIn& in, wire::InitFlags supported) noexcept {
    wire::InitFlags both = wire::init_flags_from_words(in.flags, in.flags2) & supported;
    // INIT_EXT says that flags2 means something; a reply without such flags does not say so.
    if (both.high_word() == 0) both.remove(wire::InitFlag::init_ext);
    return both;
}

} // namespace

ServerSession::InitAnswer ServerSession::init(const wire::InitIn& in, const ServerOptions& options) noexcept {
    InitAnswer answer;
    answer.out.major = wire::kMajor;
    answer.out.minor = wire::kMinor;
    if (in.major < wire::kMajor) {
        answer.error = abi::Errno::eproto;
        return answer;
    }
    if (in.major > wire::kMajor) return answer;

    const wire::InitFlags flags = agree(in, options.flags | kCoreInitFlags);
    const std::uint32_t max_write = options.max_write < 4096 ? 4096 : options.max_write;
    answer.size = reply_size(in.minor);
    answer.out.max_readahead = in.max_readahead < options.max_readahead ? in.max_readahead : options.max_readahead;
    answer.out.flags = flags.low_word();
    answer.out.flags2 = flags.high_word();
    answer.out.max_background = options.max_background;
    answer.out.congestion_threshold = options.congestion_threshold;
    answer.out.max_write = max_write;
    answer.out.time_gran = options.time_gran;
    answer.out.max_pages = flags.has(wire::InitFlag::max_pages) ? options.max_pages : std::uint16_t{0};
    answer.out.map_alignment = flags.has(wire::InitFlag::map_alignment) ? options.map_alignment : std::uint16_t{0};

    store_relaxed(minor_, in.minor < wire::kMinor ? in.minor : wire::kMinor);
    store_relaxed(flags_, flags.bits());
    store_relaxed(max_write_, max_write);
    store_release(ready_, 1);
    return answer;
}

} // namespace vfsproto::server
