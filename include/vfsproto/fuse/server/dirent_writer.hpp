// SPDX-License-Identifier: BSD-2-Clause
// Puts directory records into a reply, as many as were asked for and fit.
#pragma once

#include "vfsproto/fuse/server/reply_writer.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <cstddef>
#include <cstdint>

namespace vfsproto::server {

// One entry as a file system knows it. `name` need not be terminated; it is not empty.
struct DirectoryEntry {
    std::uint64_t ino = 0;
    std::uint64_t next = 0; // cookie of the entry after this one, opaque
    std::uint32_t type = 0; // linux_abi::kDt…
    std::uint32_t name_size = 0;
    const char* name = nullptr;
};

// For READDIR and READDIRPLUS (fuse.h, FUSE_DIRENT_ALIGN: every record is padded to 8, the last one too). Records that
// do not fit are the caller's to keep for the next request. End with reply.ok().
template <class Row> class DirentWriter {
public:
    static constexpr bool kPlus = Row::out_tail == wire::OutTail::direntpluses;
    static_assert(kPlus || Row::out_tail == wire::OutTail::dirents);

    // At most `limit` bytes of records: the request's size.
    DirentWriter(Reply<Row>& reply, std::uint32_t limit) noexcept : writer_(reply.writer()) {
        static_cast<void>(writer_.data_area(limit));
    }

    // To ask before a lookup is counted for the record.
    [[nodiscard]] bool fits(std::uint32_t name_size) const noexcept { return writer_.fits(record_size(name_size)); }

    // False, and nothing written, when it does not fit.
    [[nodiscard]] bool add(const DirectoryEntry& entry) noexcept requires(!kPlus) {
        return fits(entry.name_size) && put(entry);
    }
    // `found.nodeid` 0: no lookup was done, none is counted.
    [[nodiscard]] bool add(const DirectoryEntry& entry, const wire::EntryOut& found) noexcept requires(kPlus) {
        return fits(entry.name_size) && writer_.append(&found, sizeof(found)) && put(entry);
    }

private:
    static constexpr std::size_t kFixed = kPlus ? sizeof(wire::Direntplus) : sizeof(wire::Dirent);

    static constexpr std::size_t record_size(std::uint32_t name_size) noexcept {
        return (kFixed + std::size_t{name_size} + 7) & ~std::size_t{7};
    }
    [[nodiscard]] bool put(const DirectoryEntry& entry) noexcept {
        const wire::Dirent dirent{entry.ino, entry.next, entry.name_size, entry.type};
        const std::uint64_t zeros = 0;
        return writer_.append(&dirent, sizeof(dirent)) && writer_.append(entry.name, entry.name_size) &&
               writer_.append(&zeros, record_size(entry.name_size) - kFixed - entry.name_size);
    }

    ReplyWriter& writer_;
};

} // namespace vfsproto::server
