// SPDX-License-Identifier: BSD-2-Clause
// Puts directory records into a reply, wherever the driver's segments are, as many as were asked for and fit.
#pragma once

#include "vfsproto/fuse/server/reply_writer.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"

#include <cstddef>
#include <cstdint>

namespace vfsproto::server {

// Writes the records of READDIR and READDIRPLUS (fuse.h, FUSE_DIRENT_ALIGN: every record is padded to 8 bytes, the last one
// too). The caller keeps records that do not fit for the next request. Call reply.ok() at the end.
template <class Row> class DirentWriter {
public:
    static constexpr bool kPlus = Row::out_tail == wire::OutTail::direntpluses;
    static_assert(kPlus || Row::out_tail == wire::OutTail::dirents);

    // Takes at most `limit` bytes of records: the request's size.
    DirentWriter(Reply<Row>& reply, std::uint32_t limit) noexcept : writer_(reply.writer()) {
        static_cast<void>(writer_.data_area(limit));
    }

    // True if a record with such a name fits. Ask before a lookup is counted for the record.
    [[nodiscard]] bool fits(std::size_t name_size) const noexcept { return writer_.fits(record_size(name_size)); }

    // Returns false, and writes nothing, when the record does not fit.
    [[nodiscard]] bool add(const wire::DirEntry& entry) noexcept
        requires(!kPlus)
    {
        return fits(entry.name.size()) && put(entry);
    }
    // Adds a record with its entry. `found.nodeid` is 0 when no lookup was done; none is counted then.
    [[nodiscard]] bool add(const wire::DirEntry& entry, const wire::EntryOut& found) noexcept
        requires(kPlus)
    {
        return fits(entry.name.size()) && writer_.append(&found, sizeof(found)) && put(entry);
    }

private:
    static constexpr std::size_t kFixed = kPlus ? sizeof(wire::Direntplus) : sizeof(wire::Dirent);

    static constexpr std::size_t record_size(std::size_t name_size) noexcept {
        return kPlus ? wire::direntplus_size(name_size) : wire::dirent_size(name_size);
    }
    [[nodiscard]] bool put(const wire::DirEntry& entry) noexcept {
        const wire::Dirent dirent{entry.ino, entry.next, static_cast<wire::u32>(entry.name.size()), entry.type};
        const std::uint64_t zeros = 0;
        return writer_.append(&dirent, sizeof(dirent)) && writer_.append(entry.name.data(), entry.name.size()) &&
               writer_.append(&zeros, record_size(entry.name.size()) - kFixed - entry.name.size());
    }

    ReplyWriter& writer_;
};

} // namespace vfsproto::server
