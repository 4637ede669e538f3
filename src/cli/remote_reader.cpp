// SPDX-License-Identifier: BSD-2-Clause
#include "remote_reader.hpp"

#include <algorithm>

namespace vfsproto::cli {

posix::Failure RemoteReader::try_open(const std::string& path) {
    path_ = path;
    failed_ = false;
    file_ = {}; // the one before is released first
    posix::Mount& mount = program_.mount();
    auto file = mount.open_file(path, abi::kORdonly);
    if (!file) return file.failure();
    const auto attributes = mount.stat(*file);
    if (!attributes) return attributes.failure();
    if (posix::is_directory(attributes->mode)) return abi::Errno::eisdir;
    file_ = std::move(*file);
    size_ = attributes->size;
    return {};
}

std::span<const std::byte> RemoteReader::read(std::uint64_t offset, std::size_t most) {
    buffer_.resize(std::min(most, kPiece));
    std::size_t filled = 0;
    while (filled < buffer_.size()) {
        const auto count = program_.mount().read(file_, std::span(buffer_).subspan(filled), offset + filled);
        if (!program_.succeeded(path_, count)) {
            failed_ = true;
            return {};
        }
        if (*count == 0) break;
        filled += *count;
    }
    return std::span(buffer_).first(filled);
}

} // namespace vfsproto::cli
