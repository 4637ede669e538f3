// SPDX-License-Identifier: BSD-2-Clause
// Reading directories.
#pragma once

#include "vfsproto/fuse/client/operations/detail/directory_format.hpp"
#include "vfsproto/fuse/client/operations/operation.hpp"

namespace vfsproto::client {

using ReleaseDirectory = Single<wire::Opcode::releasedir>;
using SyncDirectory = Single<wire::Opcode::fsyncdir>;

// One READDIRPLUS; or READDIR, where the server has no other, answers READDIRPLUS with an error, or the caller wants names
// alone. The records in the buffer are the server's bytes: read them with wire/dirents.hpp. The host counts a lookup for each
// record of the plus form with a nodeid other than 0 and a name other than "." and "..". 0 bytes = the end.
class ReadDirectory final : public Operation {
public:
    struct Place {
        std::uint64_t nodeid;
        std::uint64_t fh;
        std::uint64_t cookie; // of the record before; 0 = the start
    };

    // `buffer` at least 4096 bytes: both known servers answer "end" when not one record fits. No more of it is used than
    // one request may carry.
    void start(Client& client, const Caller& caller, const Place& from, std::span<std::byte> buffer,
               DirectoryFormat wanted) noexcept;
    [[nodiscard]] DirectoryFormat format() const noexcept { return format_; }
    [[nodiscard]] std::uint32_t bytes() const noexcept { return bytes_; }

private:
    void ask_names() noexcept;
    void answered_plus() noexcept;
    void answered_names() noexcept;

    Call<wire::Opcode::readdirplus> plus_;
    Call<wire::Opcode::readdir> names_;
    std::uint64_t nodeid_ = 0;
    std::uint32_t bytes_ = 0;
    DirectoryFormat format_ = DirectoryFormat::dirents;
};

} // namespace vfsproto::client
