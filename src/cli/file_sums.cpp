// SPDX-License-Identifier: BSD-2-Clause
#include "file_sums.hpp"

#include "contents.hpp"
#include "sha256.hpp"

#include <unistd.h>

#include <vector>

namespace vfsproto::cli {

FileSums::Sum FileSums::of(const std::string& path, Absent absent) {
    if (path == "-") return of_input();
    const posix::Failure closed = reader_.try_open(path);
    if (absent == Absent::is_passed_over && closed.error == abi::Errno::enoent) return {Sum::Kind::absent, {}};
    if (!program_.succeeded(path, closed)) return {};
    Sha256 sum;
    for (std::uint64_t at = 0;;) {
        const auto piece = reader_.read(at, RemoteReader::kPiece);
        if (reader_.failed()) return {};
        if (piece.empty()) return {Sum::Kind::computed, sum.finish()};
        sum.take(piece);
        at += piece.size();
    }
}

FileSums::Sum FileSums::of_input() {
    LocalContents input(STDIN_FILENO, LocalContents::Access::in_order);
    std::vector<std::byte> buffer(RemoteReader::kPiece);
    Sha256 sum;
    for (;;) {
        const auto count = input.read(buffer, 0);
        if (!program_.succeeded(Subject::other("standard input"), count)) return {};
        if (*count == 0) return {Sum::Kind::computed, sum.finish()};
        sum.take(std::span(buffer).first(*count));
    }
}

} // namespace vfsproto::cli
