// SPDX-License-Identifier: BSD-2-Clause
#include "content_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace vfsproto::backends {
namespace {

// Moves all bytes, in as many calls as it takes. Returns how many were moved before a call failed or moved none.
template <class Call> std::size_t move_all(std::size_t count, Call&& call) noexcept {
    std::size_t done = 0;
    while (done < count) {
        const ssize_t now = call(done);
        if (now < 0 && errno == EINTR) continue;
        if (now <= 0) break;
        done += static_cast<std::size_t>(now);
    }
    return done;
}

} // namespace

int ContentFile::create() noexcept {
    fd_ = FileDescriptor(::memfd_create("vfsproto-file", MFD_CLOEXEC));
    return fd_ ? 0 : errno;
}

bool ContentFile::read(std::uint64_t offset, std::byte* to, std::size_t count) const noexcept {
    return move_all(count, [&](std::size_t done) {
               return ::pread(fd(), to + done, count - done, static_cast<off_t>(offset + done));
           }) == count;
}

std::size_t ContentFile::write(std::uint64_t offset, const std::byte* from, std::size_t count) noexcept {
    return move_all(count, [&](std::size_t done) {
        return ::pwrite(fd(), from + done, count - done, static_cast<off_t>(offset + done));
    });
}

bool ContentFile::resize(std::uint64_t size) noexcept {
    int result = -1;
    do {
        result = ::ftruncate(fd(), static_cast<off_t>(size));
    } while (result != 0 && errno == EINTR);
    return result == 0;
}

bool ContentFile::punch(std::uint64_t from, std::uint64_t to) noexcept {
    to = std::min<std::uint64_t>(to, INT64_MAX);
    if (from >= to) return true;
    int result = -1;
    do {
        result = ::fallocate(fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(from),
                             static_cast<off_t>(to - from));
    } while (result != 0 && errno == EINTR);
    return result == 0;
}

bool ContentFile::clear_behind(std::uint64_t size) noexcept {
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    const std::uint64_t rest = (page - size % page) % page;
    return punch(size, size + rest);
}

} // namespace vfsproto::backends
