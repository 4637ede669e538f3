// SPDX-License-Identifier: BSD-2-Clause
// Mount: the contents of open files.
#include "vfsproto/posix/mount.hpp"

#include "run_transfer.hpp"
#include "transfer_span.hpp"

#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/posix/detail/channel.hpp"

namespace vfsproto::posix {

namespace {

template <wire::Opcode Op> [[gnu::noinline]] Expected<std::uint64_t>
transfer_in_pieces(Channel& channel, const client::Caller& caller, const client::TransferSpan& span) {
    client::LongTransfer<Op> transfer;
    channel.run(transfer, caller, span);
    if (!transfer.succeeded()) return failure_of(transfer);
    return transfer.done();
}

// One request where one may carry it all, and as many as it takes otherwise.
template <wire::Opcode Op>
[[gnu::always_inline]] inline Expected<std::uint64_t> transfer(Channel& channel, const client::Caller& caller,
                                                               const File& file, std::span<const std::byte> bytes,
                                                               std::uint64_t offset) {
    if (!file) [[unlikely]]
        return wire::Errno::ebadf;
    const Region* registered = channel.find_registered(bytes.data(), bytes.size());
    client::TransferSpan span = posix::span_of(file, bytes, offset, registered);
    if constexpr (Op == wire::Opcode::write) {
        if (channel.shared_lane().client().kills_privileges(caller)) span.transfer_flags = wire::kWriteKillSuidgid;
    }
    if (bytes.size() - 1 >= channel.piece_limit<Op>(registered)) [[unlikely]] {
        const client::TransferSpan given = span.part(0, span.len); // so that the other need not lie in memory
        return transfer_in_pieces<Op>(channel, caller, given);
    }
    RunningTransfer running;
    channel.shared_lane().run<Op>(running, span, caller);
    if (!running.succeeded()) [[unlikely]]
        return Failure(running.errc, running.error);
    return std::uint64_t{running.bytes};
}

} // namespace

client::TransferSpan Mount::span_of(const File& file, std::span<const std::byte> bytes, std::uint64_t offset) {
    return posix::span_of(file, bytes, offset, channel_->find_registered(bytes.data(), bytes.size()));
}

[[gnu::hot]] Expected<std::uint64_t> Mount::read(const File& file, std::span<std::byte> into, std::uint64_t offset) {
    return transfer<wire::Opcode::read>(*channel_, credentials_->caller, file, into, offset);
}

[[gnu::hot]] Expected<std::uint64_t> Mount::write(const File& file, std::span<const std::byte> from,
                                                  std::uint64_t offset) {
    const Expected<std::uint64_t> taken =
        transfer<wire::Opcode::write>(*channel_, credentials_->caller, file, from, offset);
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
