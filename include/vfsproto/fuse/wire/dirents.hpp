// SPDX-License-Identifier: BSD-2-Clause
// The records of READDIR and READDIRPLUS: read by the client, written by the server.
#pragma once

#include "vfsproto/base/errc.hpp"
#include "vfsproto/fuse/wire/name.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <span>

namespace vfsproto::wire {

// The longest name accepted in a record, in bytes: what Linux accepts, longer than any file system it has.
inline constexpr std::size_t kDirentNameMax = 1024;

// Returns the bytes of a record: struct and name, padded to 8.
[[nodiscard]] constexpr std::size_t dirent_size(std::size_t name) noexcept {
    return (sizeof(Dirent) + name + 7) & ~std::size_t{7};
}
[[nodiscard]] constexpr std::size_t direntplus_size(std::size_t name) noexcept {
    return (sizeof(Direntplus) + name + 7) & ~std::size_t{7};
}

struct DirEntry {
    u64 ino{};
    u64 next{};  // the offset to continue after this entry: opaque
    u32 type{};  // DT_… of abi/
    Name name{}; // never empty, without '/' and NUL; valid until the next step of its reader
};
struct DirEntryPlus {
    EntryOut entry{}; // nodeid 0: no lookup was made. Unchecked: see validate.hpp
    DirEntry dirent{};
};

// Walks the data of a READDIR reply. The server, and whoever else can write to the bytes, is hostile: each record is
// copied, then checked. A record cut off by the end ends the walk; a malformed one ends it with protocol_violation.
//   while (reader.next()) use(reader.entry());
//   if (reader.error() != Errc::ok) …
class DirentReader {
public:
    explicit DirentReader(std::span<const std::byte> records) noexcept : rest_(records) {}
    DirentReader(const DirentReader&) = delete;
    DirentReader& operator=(const DirentReader&) = delete;

    // True: entry() is the next one. False: the end, or error() says why not.
    [[nodiscard]] bool next() noexcept;
    [[nodiscard]] const DirEntry& entry() const noexcept { return entry_; }
    [[nodiscard]] Errc error() const noexcept { return error_; }

private:
    friend class DirentplusReader;
    [[nodiscard]] bool take(std::size_t before) noexcept;

    std::span<const std::byte> rest_;
    DirEntry entry_{};
    Errc error_ = Errc::ok;
    char name_[kDirentNameMax];
};

// Reads the records of READDIRPLUS. Every entry with a nodeid other than 0, except "." and "..", has taken a lookup
// reference.
class DirentplusReader {
public:
    explicit DirentplusReader(std::span<const std::byte> records) noexcept : records_(records) {}

    [[nodiscard]] bool next() noexcept;
    [[nodiscard]] const DirEntryPlus& entry() const noexcept { return entry_; }
    [[nodiscard]] Errc error() const noexcept { return records_.error(); }

private:
    DirentReader records_;
    DirEntryPlus entry_{};
};

// Fills the data of a READDIR reply. One owner.
class DirentWriter {
public:
    explicit DirentWriter(std::span<std::byte> room) noexcept : room_(room) {}

    // False: it does not fit, and nothing was written. The name has 1 to kDirentNameMax bytes.
    [[nodiscard]] bool add(const DirEntry& entry) noexcept;
    [[nodiscard]] std::size_t size() const noexcept { return used_; } // bytes written

private:
    std::span<std::byte> room_;
    std::size_t used_ = 0;
};

// Fills the data of a READDIRPLUS reply. One owner.
class DirentplusWriter {
public:
    explicit DirentplusWriter(std::span<std::byte> room) noexcept : room_(room) {}

    // True if a record of this name fits. Ask before a lookup reference is taken for it.
    [[nodiscard]] bool fits(Name name) const noexcept { return direntplus_size(name.size()) <= room_.size() - used_; }
    // False: it does not fit, and nothing was written.
    [[nodiscard]] bool add(const DirEntryPlus& entry) noexcept;
    [[nodiscard]] std::size_t size() const noexcept { return used_; }

private:
    std::span<std::byte> room_;
    std::size_t used_ = 0;
};

} // namespace vfsproto::wire
