// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/wire/dirents.hpp"

#include "vfsproto/fuse/wire/detail/struct_bytes.hpp"

namespace vfsproto::wire {
namespace {

void put_record(std::byte* at, const DirEntry& entry, std::size_t padded) noexcept {
    put_struct(at, Dirent{entry.ino, entry.next, static_cast<u32>(entry.name.size()), entry.type});
    std::byte* const name = at + sizeof(Dirent);
    __builtin_memcpy(name, entry.name.data(), entry.name.size());
    __builtin_memset(name + entry.name.size(), 0, padded - entry.name.size());
}

} // namespace

// Takes the record at the front, whose Dirent lies behind `before` bytes.
bool DirentReader::take(std::size_t before) noexcept {
    if (rest_.size() < before + sizeof(Dirent)) {
        rest_ = {};
        return false;
    }
    const auto dirent = get_struct<Dirent>(rest_.data() + before);
    if (dirent.namelen == 0 || dirent.namelen > kDirentNameMax) {
        error_ = Errc::protocol_violation;
        rest_ = {};
        return false;
    }
    const std::size_t end = before + sizeof(Dirent) + dirent.namelen;
    if (rest_.size() < end) {
        rest_ = {};
        return false;
    }
    __builtin_memcpy(name_, rest_.data() + before + sizeof(Dirent), dirent.namelen);
    const Name name(name_, dirent.namelen);
    if (name.contains('/') || name.contains('\0')) {
        error_ = Errc::protocol_violation;
        rest_ = {};
        return false;
    }
    entry_ = {dirent.ino, dirent.off, dirent.type, name};
    const std::size_t padded = (end + 7) & ~std::size_t{7};
    rest_ = rest_.subspan(padded < rest_.size() ? padded : rest_.size());
    return true;
}

bool DirentReader::next() noexcept { return take(0); }

bool DirentplusReader::next() noexcept {
    constexpr std::size_t before = sizeof(Direntplus) - sizeof(Dirent);
    if (records_.rest_.size() >= before) entry_.entry = get_struct<EntryOut>(records_.rest_.data());
    if (!records_.take(before)) return false;
    entry_.dirent = records_.entry();
    return true;
}

bool DirentWriter::add(const DirEntry& entry) noexcept {
    const std::size_t size = dirent_size(entry.name.size());
    if (size > room_.size() - used_) return false;
    put_record(room_.data() + used_, entry, size - sizeof(Dirent));
    used_ += size;
    return true;
}

bool DirentplusWriter::add(const DirEntryPlus& entry) noexcept {
    if (!fits(entry.dirent.name)) return false;
    const std::size_t size = direntplus_size(entry.dirent.name.size());
    put_struct(room_.data() + used_, entry.entry);
    put_record(room_.data() + used_ + sizeof(EntryOut), entry.dirent, size - sizeof(Direntplus));
    used_ += size;
    return true;
}

} // namespace vfsproto::wire
