// SPDX-License-Identifier: BSD-2-Clause
// Mount: the contents of open files.
#include "vfsproto/posix/detail/whole_transfer.hpp"
#include "vfsproto/posix/mount.hpp"

#include "long_transfer.hpp"
#include "mount_steps.hpp"
#include "run_transfer.hpp"
#include "transfer_span.hpp"

#include "vfsproto/base/bounds.hpp"
#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/posix/detail/channel.hpp"

namespace vfsproto::posix {

// Slow path of transfer(). It also takes what fits into one request where the mount has limits or several request
// queues, so that transfer() need not look at these.
template <wire::Opcode Op> [[gnu::noinline]] Expected<std::uint64_t>
Mount::transfer_in_pieces(const File& file, const client::TransferSpan& span) {
    if (!abi::has_image(asking_->caller)) return Errc::unmapped_id;
    const PieceLimits& pieces = channel_->piece_limits<Op>();
    const std::uint32_t most = span.payload == client::Payload::registered ? pieces.registered : pieces.bounced;
    if (!limits_.has_any() && is_from_1_to<std::size_t>(span.len, most)) {
        RunningTransfer running;
        channel_->lane_of_this_thread().run<Op>(running, span, asking_->caller);
        if (!running.succeeded()) return Failure(running.errc, running.error);
        return std::uint64_t{running.bytes};
    }
    LongTransferCall<Op> transfer;
    MountCall call = begin_call();
    if (const Failure busy = transfer.begin(call, span)) return busy;
    const auto held = [&] { return held_of(*cache_, file); };
    const auto after = [&](const LimitedCall& let_go, const client::LongTransfer<Op>&) {
        transfer.let_go(let_go);
        return AfterLate();
    };
    call.run_and_leave(held, after, transfer.operation, span);
    return transfer.result();
}

// Sends one request where one may carry it all, and as many as it takes otherwise.
template <wire::Opcode Op> [[gnu::always_inline]] inline Expected<std::uint64_t>
Mount::transfer(const File& file, std::span<const std::byte> bytes, std::uint64_t offset) {
    Channel& channel = *channel_;
    const client::Caller& caller = asking_->caller;
    if (!file) [[unlikely]]
        return abi::Errno::ebadf;
    const Region* registered = channel.find_registered(bytes.data(), bytes.size());
    client::TransferSpan span = posix::span_of(file, bytes, offset, registered);
    if constexpr (Op == wire::Opcode::write) {
        if (channel.shared_lane().client().kills_privileges(caller)) span.transfer_flags = wire::kWriteKillSuidgid;
    }
    const PieceLimits& pieces = Op == wire::Opcode::read ? read_pieces_ : write_pieces_;
    // It is !is_from_1_to(), written out: 0 wraps to the largest number. As a call it made write() 9 instructions longer.
    if (bytes.size() - 1 >= (registered != nullptr ? pieces.registered : pieces.bounced)) [[unlikely]] {
        const client::TransferSpan given = span.part(0, span.len); // so that the other need not lie in memory
        return transfer_in_pieces<Op>(file, given);
    }
    RunningTransfer running;
    channel.shared_lane().run<Op>(running, span, caller);
    if (!running.succeeded()) [[unlikely]]
        return Failure(running.errc, running.error);
    return std::uint64_t{running.bytes};
}

client::TransferSpan Mount::span_of(const File& file, std::span<const std::byte> bytes, std::uint64_t offset) {
    return posix::span_of(file, bytes, offset, channel_->find_registered(bytes.data(), bytes.size()));
}

[[gnu::hot]] Expected<std::uint64_t> Mount::read(const File& file, std::span<std::byte> into, std::uint64_t offset) {
    return transfer<wire::Opcode::read>(file, into, offset);
}

[[gnu::hot]] Expected<std::uint64_t> Mount::write(const File& file, std::span<const std::byte> from,
                                                  std::uint64_t offset) {
    const Expected<std::uint64_t> taken = transfer<wire::Opcode::write>(file, from, offset);
    // A WRITE of 0 bytes is neither progress nor an error. It is reported as one.
    if (taken && *taken == 0 && !from.empty()) [[unlikely]]
        return abi::Errno::eio;
    return taken;
}

Expected<std::uint64_t> Mount::read_all(const File& file, std::span<std::byte> into, std::uint64_t offset) {
    return read_whole(into, offset, [&](std::span<std::byte> rest, std::uint64_t at) { return read(file, rest, at); });
}

Failure Mount::write_all(const File& file, std::span<const std::byte> from, std::uint64_t offset) {
    return write_whole(from, offset,
                       [&](std::span<const std::byte> rest, std::uint64_t at) { return write(file, rest, at); });
}

} // namespace vfsproto::posix
