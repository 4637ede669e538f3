// SPDX-License-Identifier: BSD-2-Clause
#include "contents.hpp"

#include "program.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace vfsproto::cli {

using posix::Expected;
using posix::Failure;
using wire::Errno;
using Side = CopyResult::Side;
namespace abi = wire::linux_abi;

Failure RemoteContents::write(std::span<const std::byte> from, std::uint64_t offset) {
    while (!from.empty()) {
        const auto count = mount_.write(file_, from, offset);
        if (!count) return count.failure();
        from = from.subspan(*count);
        offset += *count;
    }
    return {};
}

Expected<std::uint64_t> LocalContents::read(std::span<std::byte> into, std::uint64_t offset) {
    for (;;) {
        const ssize_t count = in_order_ ? ::read(fd_, into.data(), into.size())
                                        : ::pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
        if (count >= 0) return static_cast<std::uint64_t>(count);
        if (errno == ESPIPE && !in_order_) {
            in_order_ = true;
        } else if (errno != EINTR) {
            return local_failure(errno);
        }
    }
}

Failure LocalContents::write(std::span<const std::byte> from, std::uint64_t offset) {
    while (!from.empty()) {
        const ssize_t count = in_order_ ? ::write(fd_, from.data(), from.size())
                                        : ::pwrite(fd_, from.data(), from.size(), static_cast<off_t>(offset));
        if (count >= 0) {
            from = from.subspan(static_cast<std::size_t>(count));
            offset += static_cast<std::uint64_t>(count);
        } else if (errno == ESPIPE && !in_order_) {
            in_order_ = true;
        } else if (errno != EINTR) {
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

constexpr std::uint64_t kToTheEnd = ~std::uint64_t{0};

class Copy {
public:
    Copy(Contents& from, Contents& to, std::span<std::byte> buffer, const std::function<bool(std::uint64_t)>& moved)
        : from_(from), to_(to), buffer_(buffer), moved_(moved) {}

    // Copies up to `end`, or to the end of the file. `expected` is where the file probably ends.
    CopyResult range(std::uint64_t at, std::uint64_t end, std::uint64_t expected) {
        for (;;) {
            // One byte more than there should be: then a short answer says that this was all.
            const std::uint64_t wanted = end != kToTheEnd ? end - at : expected >= at ? expected - at + 1 : kToTheEnd;
            const auto piece = buffer_.first(std::min<std::uint64_t>(buffer_.size(), wanted));
            if (piece.empty()) return {};
            const auto count = from_.read(piece, at);
            if (!count) return {Side::from, count.failure()};
            if (*count == 0) return {};
            if (const Failure failure = to_.write(piece.first(*count), at)) {
                return {Side::to, failure};
            }
            at += *count;
            if (!moved_(*count)) return {Side::from, Errno::eintr};
            if (*count < piece.size() && expected == at) return {};
        }
    }

    CopyResult with_holes(std::uint64_t size) {
        for (std::uint64_t at = 0; at < size;) {
            const auto data = from_.seek(at, abi::kSeekData);
            if (!data) {
                if (data.failure().error == Errno::enxio) break; // a hole up to the end
                if (at == 0 && cannot_seek(data.failure().error)) return range(0, kToTheEnd, size);
                return {Side::from, data.failure()};
            }
            if (*data >= size) break;
            const auto hole = from_.seek(*data, abi::kSeekHole);
            if (!hole) return {Side::from, hole.failure()};
            if (*data < at || *hole <= *data) return {Side::from, Errc::protocol_violation};
            if (CopyResult result = range(*data, *hole, size); result.side != Side::none) return result;
            at = *hole;
        }
        const Failure failure = to_.truncate(size);
        return failure.happened() ? CopyResult{Side::to, failure} : CopyResult{};
    }

private:
    static bool cannot_seek(Errno error) noexcept {
        return error == Errno::einval || error == Errno::eopnotsupp || error == Errno::espipe;
    }

    Contents& from_;
    Contents& to_;
    std::span<std::byte> buffer_;
    const std::function<bool(std::uint64_t)>& moved_;
};

} // namespace

CopyResult copy_contents(Contents& from, Contents& to, const ContentsSize& size, std::span<std::byte> buffer,
                         const std::function<bool(std::uint64_t)>& moved) {
    Copy copy(from, to, buffer, moved);
    return size.has_holes() ? copy.with_holes(size.bytes) : copy.range(0, kToTheEnd, size.bytes);
}

} // namespace vfsproto::cli
