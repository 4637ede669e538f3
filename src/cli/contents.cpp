// SPDX-License-Identifier: BSD-2-Clause
#include "contents.hpp"

#include "interrupt.hpp"
#include "program.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace vfsproto::cli {

using abi::Errno;
using posix::Expected;
using posix::Failure;
using Side = CopyResult::Side;

Failure RemoteContents::write(std::span<const std::byte> from, std::uint64_t offset) {
    while (!from.empty()) {
        const auto count = mount_.write(file_, from, offset);
        if (!count) return count.failure();
        from = from.subspan(*count);
        offset += *count;
    }
    return {};
}

LocalContents::LocalContents(int fd, Access access) noexcept : fd_(fd), in_order_(access == Access::in_order) {
    struct stat info{};
    if (!in_order_ && ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) kind_ = Kind::regular;
}

Expected<std::uint64_t> LocalContents::read(std::span<std::byte> into, std::uint64_t offset) {
    const LocalCall may_wait;
    for (;;) {
        const ssize_t count = in_order_ ? ::read(fd_, into.data(), into.size())
                                        : ::pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
        if (count >= 0) return static_cast<std::uint64_t>(count);
        if (errno == ESPIPE && !in_order_) {
            in_order_ = true;
        } else if (errno != EINTR || interrupted()) {
            return local_failure(errno);
        }
    }
}

Failure LocalContents::write(std::span<const std::byte> from, std::uint64_t offset) {
    const LocalCall may_wait;
    while (!from.empty()) {
        const ssize_t count = in_order_ ? ::write(fd_, from.data(), from.size())
                                        : ::pwrite(fd_, from.data(), from.size(), static_cast<off_t>(offset));
        if (count >= 0) {
            from = from.subspan(static_cast<std::size_t>(count));
            offset += static_cast<std::uint64_t>(count);
            // A signal cuts a write to a slow reader short. Without this the rest would still be written, piece by
            // piece.
            if (!from.empty() && interrupted()) return Errno::eintr;
        } else if (errno == ESPIPE && !in_order_) {
            in_order_ = true;
        } else if (errno != EINTR || interrupted()) {
            return local_failure(errno);
        }
    }
    return {};
}

Expected<std::uint64_t> LocalContents::seek(std::uint64_t offset, std::uint32_t whence) {
    const off_t at = ::lseek(fd_, static_cast<off_t>(offset), static_cast<int>(whence));
    if (at < 0) return local_failure(errno);
    return static_cast<std::uint64_t>(at);
}

Failure LocalContents::truncate(std::uint64_t size) {
    if (size > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) return Errno::efbig;
    return ::ftruncate(fd_, static_cast<off_t>(size)) == 0 ? Failure() : local_failure(errno);
}

namespace {

// A READ of a file whose size may be wrong asks for this much: enough for every file of /proc and /sys that ends with
// one answer.
constexpr std::uint64_t kLeastPiece = std::uint64_t{128} << 10; // bytes
constexpr std::uint64_t kNoEnd = ~std::uint64_t{0};

class Copy {
public:
    Copy(Contents& from, Contents& to, std::span<std::byte> buffer, const std::function<bool(std::uint64_t)>& moved)
        : from_(from), to_(to), buffer_(buffer), moved_(moved) {}

    // Copies [at, end) or up to the end of the file, and leaves in at_ where it stopped. A short answer that ends at
    // `expected`, the size the source told, needs no second read to be the end.
    CopyResult range(std::uint64_t at, std::uint64_t end, std::uint64_t expected) {
        for (at_ = at; at_ < end;) {
            // Asks for one byte more than the file should have, so that a short answer says that this was all.
            const std::uint64_t rest = expected >= at_ ? expected - at_ + 1 : kNoEnd;
            const std::uint64_t wanted = std::min(end - at_, std::max(rest, kLeastPiece));
            const auto piece = buffer_.first(std::min<std::uint64_t>(buffer_.size(), wanted));
            const auto count = from_.read(piece, at_);
            if (!count) return {Side::from, count.failure()};
            if (*count == 0) return {};
            if (const Failure failure = to_.write(piece.first(*count), at_)) {
                return {Side::to, failure};
            }
            at_ += *count;
            if (!moved_(*count)) return {Side::from, Errno::eintr};
            if (*count < piece.size() && expected == at_) return {};
        }
        return {};
    }

    CopyResult to_the_end(std::uint64_t at, std::uint64_t expected) { return range(at, kNoEnd, expected); }

    // Copies only what SEEK_DATA names, as long as reads agree with it.
    CopyResult with_holes(std::uint64_t begin, std::uint64_t size) {
        at_ = begin;
        for (std::uint64_t at = begin; at < size; at = at_) {
            const auto data = next_data(at, size);
            if (!data) {
                const bool cannot = at == begin && cannot_seek(data.failure().error);
                return cannot ? to_the_end(begin, size) : CopyResult{Side::from, data.failure()};
            }
            // Only the first hole and the one at the end are checked by reading. A server that is right about these is
            // believed about the others.
            if (*data > at && (!checked_ || *data == size)) {
                const auto hole = is_hole(at, *data);
                if (!hole) return {Side::from, hole.failure()};
                if (!*hole) return to_the_end(at, size);
            }
            if (*data == size) break;
            const CopyResult result = data_from(*data, size);
            if (result.side != Side::none || ended_) return result;
        }
        if (at_ < size) {
            if (const Failure failure = to_.truncate(size)) return {Side::to, failure};
        }
        // The file may have grown since its size was told.
        return to_the_end(std::max(at_, size), size);
    }

private:
    // Returns where data goes on: at `at` or behind it, `size` where only a hole follows.
    Expected<std::uint64_t> next_data(std::uint64_t at, std::uint64_t size) {
        const auto data = from_.seek(at, abi::kSeekData);
        if (!data && data.failure().error == Errno::enxio) return size;
        if (!data) return data.failure();
        if (*data < at) return Errc::protocol_violation;
        return std::min(*data, size);
    }

    // Copies up to the next hole, and notes in ended_ if the file ended before that.
    CopyResult data_from(std::uint64_t begin, std::uint64_t size) {
        const auto hole = from_.seek(begin, abi::kSeekHole);
        if (!hole) return {Side::from, hole.failure()};
        if (*hole <= begin) return {Side::from, Errc::protocol_violation};
        CopyResult result = range(begin, *hole, size);
        ended_ = at_ < *hole;
        return result;
    }

    static bool cannot_seek(Errno error) noexcept {
        return error == Errno::einval || error == Errno::eopnotsupp || error == Errno::espipe;
    }

    // True if reads at both ends of a range agree that it is a hole: zeros, and as long as told. A server that answers
    // SEEK_DATA without knowing its files is found by that.
    Expected<bool> is_hole(std::uint64_t begin, std::uint64_t end) {
        const std::uint64_t length = std::min({end - begin, kLeastPiece, std::uint64_t{buffer_.size()}});
        const std::uint64_t starts[] = {begin, end - length};
        for (const std::uint64_t start : starts) {
            const auto piece = buffer_.first(length);
            const auto count = from_.read(piece, start);
            if (!count) return count.failure();
            if (*count != length) return false;
            if (std::any_of(piece.begin(), piece.end(), [](std::byte b) { return b != std::byte{0}; })) return false;
        }
        checked_ = true;
        return true;
    }

    Contents& from_;
    Contents& to_;
    std::span<std::byte> buffer_;
    const std::function<bool(std::uint64_t)>& moved_;
    std::uint64_t at_ = 0;
    bool checked_ = false;
    bool ended_ = false;
};

} // namespace

CopyResult copy_contents(Contents& from, Contents& to, const ContentsSize& size, std::span<std::byte> buffer,
                         const std::function<bool(std::uint64_t)>& moved) {
    Copy copy(from, to, buffer, moved);
    const bool skips_holes = size.has_holes() && to.kind() == Kind::regular;
    return skips_holes ? copy.with_holes(size.begin, size.bytes) : copy.to_the_end(size.begin, size.bytes);
}

} // namespace vfsproto::cli
