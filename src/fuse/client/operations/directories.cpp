// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/operations/directories.hpp"

#include "vfsproto/fuse/client/operations/data.hpp"

namespace vfsproto::client {

using abi::Errno;
using wire::Opcode;

void ReadDirectory::start(Client& client, const Caller& caller, const Place& from, std::span<std::byte> buffer,
                          DirectoryFormat wanted) noexcept {
    begin(client, caller);
    nodeid_ = from.nodeid;
    bytes_ = 0;
    wire::ReadIn in{};
    in.fh = from.fh;
    in.offset = from.cookie;
    const std::uint32_t limit = piece_limit(client, Opcode::read, Payload::bounced);
    in.size = buffer.size() < limit ? static_cast<std::uint32_t>(buffer.size()) : limit;
    plus_.args = names_.args = in;
    plus_.data_out = names_.data_out = {buffer.data(), in.size, {}};
    const bool plus = wanted == DirectoryFormat::direntpluses && client.has(wire::InitFlag::do_readdirplus) &&
                      !client.sticky->is_missing(Opcode::readdirplus);
    if (!plus) return ask_names();
    send(plus_, nodeid_,
         [](Request& request) noexcept { static_cast<ReadDirectory*>(request.owner)->answered_plus(); });
}

void ReadDirectory::answered_plus() noexcept {
    // A server that cannot look one entry up fails the whole answer. The names alone tell which entry it is.
    const bool refused = plus_.errc == Errc::ok && plus_.error != Errno::none;
    if (noted_missing(plus_) || refused) return ask_names();
    format_ = DirectoryFormat::direntpluses;
    bytes_ = plus_.bytes;
    finish(plus_);
}

void ReadDirectory::ask_names() noexcept {
    send(names_, nodeid_,
         [](Request& request) noexcept { static_cast<ReadDirectory*>(request.owner)->answered_names(); });
}

void ReadDirectory::answered_names() noexcept {
    format_ = DirectoryFormat::dirents;
    bytes_ = names_.bytes;
    finish(names_);
}

} // namespace vfsproto::client
