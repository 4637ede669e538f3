// SPDX-License-Identifier: BSD-2-Clause
// Mount: the contents of open files.
#include "vfsproto/posix/mount.hpp"

#include "run_plain.hpp"

namespace vfsproto::posix {

namespace {

// The short way: one READ or WRITE (Op) of registered memory. False: not possible, or not now.
template <wire::Opcode Op> [[gnu::always_inline, nodiscard]] inline bool
run_plain(Channel& channel, PlainRun& run, const File& file, std::span<const std::byte> bytes, std::uint64_t offset) {
    const Region* registered = channel.find_registered(bytes.data(), bytes.size());
    if (registered == nullptr || bytes.size() - 1 >= channel.piece_limit<Op>(registered) ||
        !client::is_in_file(offset, bytes.size())) [[unlikely]]
        return false;
    const client::PlainTransfer wanted{.nodeid = file.nodeid(),
                                       .fh = file.fh(),
                                       .offset = offset,
                                       .data = registered->device() +
                                               static_cast<std::uint64_t>(bytes.data() - registered->host()),
                                       .len = static_cast<std::uint32_t>(bytes.size()),
                                       .open_flags = file.flags(),
                                       .caller = channel.shared_lane().caller()};
    return channel.shared_lane().run_plain<Op>(wanted, run);
}

// One request of memory the device cannot reach; the caller knows that it fits.
template <wire::Opcode Op, class Data>
void run_bounced(Channel& channel, client::Single<Op>& once, const File& file, const Data& data, std::uint64_t offset) {
    once.call.args.fh = file.fh();
    once.call.args.offset = offset;
    once.call.args.size = data.len;
    once.call.args.flags = file.flags();
    channel.run(once, file.nodeid());
}

template <wire::Opcode Op> [[nodiscard]] bool bounces(Channel& channel, std::span<const std::byte> bytes) {
    return channel.find_registered(bytes.data(), bytes.size()) == nullptr &&
           bytes.size() - 1 < channel.piece_limit<Op>(nullptr);
}

// Returns how much of a write was done. Nothing at all is neither progress nor an error, so it becomes one.
Expected<std::uint64_t> written(std::uint64_t taken, std::size_t wanted) {
    if (taken == 0 && wanted != 0) return Errc::protocol_violation;
    return taken;
}

} // namespace

[[gnu::hot]] Expected<std::uint64_t> Mount::read(const File& file, std::span<std::byte> into, std::uint64_t offset) {
    PlainRun run;
    if (!run_plain<wire::Opcode::read>(*channel_, run, file, into, offset)) [[unlikely]]
        return read_generally(file, into, offset);
    if (!run.succeeded()) [[unlikely]]
        return Failure(run.errc, run.error);
    return std::uint64_t{run.bytes};
}

[[gnu::hot]] Expected<std::uint64_t> Mount::write(const File& file, std::span<const std::byte> from,
                                                  std::uint64_t offset) {
    PlainRun run;
    if (!run_plain<wire::Opcode::write>(*channel_, run, file, from, offset)) [[unlikely]]
        return write_generally(file, from, offset);
    if (!run.succeeded()) [[unlikely]]
        return Failure(run.errc, run.error);
    return written(run.bytes, from.size());
}

client::TransferSpan Mount::span_of(const File& file, std::byte* data, std::size_t len, std::uint64_t offset) {
    client::TransferSpan span;
    span.nodeid = file.nodeid();
    span.fh = file.fh();
    span.offset = offset;
    span.host = data;
    span.len = len;
    span.registered = channel_->find_registered(data, len);
    span.open_flags = file.flags();
    return span;
}

Expected<std::uint64_t> Mount::read_generally(const File& file, std::span<std::byte> into, std::uint64_t offset) {
    if (bounces<wire::Opcode::read>(*channel_, into)) {
        client::ReadOnce once;
        once.call.data_out = {into.data(), static_cast<std::uint32_t>(into.size()), {}};
        run_bounced(*channel_, once, file, once.call.data_out, offset);
        if (!once.succeeded()) return failure_of(once);
        return std::uint64_t{once.call.bytes};
    }
    client::ReadFile read;
    channel_->run(read, span_of(file, into.data(), into.size(), offset));
    if (!read.succeeded()) return failure_of(read);
    return read.done();
}

Expected<std::uint64_t> Mount::write_generally(const File& file, std::span<const std::byte> from,
                                               std::uint64_t offset) {
    if (bounces<wire::Opcode::write>(*channel_, from)) {
        client::WriteOnce once;
        once.call.data_in = {from.data(), static_cast<std::uint32_t>(from.size()), {}};
        run_bounced(*channel_, once, file, once.call.data_in, offset);
        if (!once.succeeded()) return failure_of(once);
        return written(once.call.reply.size, from.size());
    }
    // The pieces of a write only ever read from it.
    client::WriteFile write;
    channel_->run(write, span_of(file, const_cast<std::byte*>(from.data()), from.size(), offset));
    if (!write.succeeded()) return failure_of(write);
    return written(write.done(), from.size());
}

} // namespace vfsproto::posix
