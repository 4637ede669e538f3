// SPDX-License-Identifier: BSD-2-Clause
// Mount: the contents of open files.
#include "vfsproto/posix/mount.hpp"

#include "mount_steps.hpp"
#include "run_transfer.hpp"
#include "transfer_span.hpp"

#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/posix/detail/channel.hpp"

namespace vfsproto::posix {

// Nobody knows when a device that was let go of with a request will be done with its memory: that is the lane's own, by a copy, or
// a Buffer's, which the request then keeps.
template <wire::Opcode Op> [[gnu::noinline]] Expected<std::uint64_t>
Mount::transfer_in_pieces(const File& file, const client::TransferSpan& span) {
    MountCall call = begin_call();
    const bool lends = limits_.has_any() && span.payload == client::Payload::registered;
    if (lends) {
        const Region& registered = *channel_->find_registered(span.host, span.len);
        // The bytes of an earlier request, which may still come or be taken from there, would be mixed with those of this one.
        if (!channel_->is_free(registered)) return wire::Errno::ebusy;
        call.moves(registered);
    }
    const auto held = [&] {
        Held all = cache_->hold();
        all.handles.push_back(file.share());
        return all;
    };
    client::LongTransfer<Op> transfer;
    Errc cut = Errc::ok; // a part is in flight, and nobody knows what becomes of it
    const auto after = [&cut](const LimitedCall& let_go, const client::LongTransfer<Op>&) {
        if (let_go.was_in_flight()) cut = let_go.why();
        return AfterLate();
    };
    call.run_and_leave(held, after, transfer, span);
    // A count would hide that the rest may still be written at the server, or read into the Buffer.
    const bool hides_the_rest = Op == wire::Opcode::write || lends;
    if (hides_the_rest && cut != Errc::ok) return Failure(cut);
    if (!transfer.succeeded()) return failure_of(transfer);
    return transfer.done();
}

// One request where one may carry it all, and as many as it takes otherwise.
template <wire::Opcode Op> [[gnu::always_inline]] inline Expected<std::uint64_t>
Mount::transfer(const File& file, std::span<const std::byte> bytes, std::uint64_t offset) {
    Channel& channel = *channel_;
    const client::Caller& caller = credentials_->caller;
    if (!file) [[unlikely]]
        return wire::Errno::ebadf;
    const Region* registered = channel.find_registered(bytes.data(), bytes.size());
    client::TransferSpan span = posix::span_of(file, bytes, offset, registered);
    if constexpr (Op == wire::Opcode::write) {
        if (channel.shared_lane().client().kills_privileges(caller)) span.transfer_flags = wire::kWriteKillSuidgid;
    }
    const PieceLimits& pieces = Op == wire::Opcode::read ? read_pieces_ : write_pieces_;
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
    // Nothing at all is neither progress nor an error, so it becomes one.
    if (taken && *taken == 0 && !from.empty()) [[unlikely]]
        return wire::Errno::eio;
    return taken;
}

Expected<std::uint64_t> Mount::read_all(const File& file, std::span<std::byte> into, std::uint64_t offset) {
    std::uint64_t done = 0;
    while (done < into.size()) {
        const Expected<std::uint64_t> taken = read(file, into.subspan(done), offset + done);
        if (!taken) return taken.failure();
        if (*taken == 0) break;
        done += *taken;
    }
    return done;
}

Failure Mount::write_all(const File& file, std::span<const std::byte> from, std::uint64_t offset) {
    std::uint64_t done = 0;
    while (done < from.size()) {
        const Expected<std::uint64_t> taken = write(file, from.subspan(done), offset + done);
        if (!taken) return taken.failure();
        done += *taken;
    }
    return {};
}

} // namespace vfsproto::posix
