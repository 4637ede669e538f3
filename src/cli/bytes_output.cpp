// SPDX-License-Identifier: BSD-2-Clause
#include "bytes_output.hpp"

#include "escape.hpp"
#include "json.hpp"

#include <algorithm>

namespace vfsproto::cli {

void BytesOutput::start(std::string_view path, std::uint64_t offset) {
    path_ = path;
    offset_ = offset;
    held_.clear();
}

void BytesOutput::take(std::span<const std::byte> bytes) {
    if (!program_.wants_json()) return program_.out().write(bytes);
    const auto hold = [&](std::size_t count) {
        const auto held = bytes.first(std::min(count, bytes.size()));
        held_.insert(held_.end(), held.begin(), held.end());
        bytes = bytes.subspan(held.size());
    };
    if (!held_.empty()) hold(kGroup - held_.size());
    if (held_.size() == kGroup) {
        print(held_, Piece::inner);
        held_.clear();
    }
    while (bytes.size() >= kGroup) {
        const auto piece = bytes.first(std::min(kMost, bytes.size() - bytes.size() % kGroup));
        print(piece, Piece::inner);
        bytes = bytes.subspan(piece.size());
    }
    hold(bytes.size());
}

void BytesOutput::end() {
    if (!program_.wants_json()) return;
    print(held_, Piece::last);
    held_.clear();
}

void BytesOutput::print(std::span<const std::byte> bytes, Piece piece) {
    Json object;
    add_text(object, "path", path_);
    object.set("offset", offset_);
    object.set("size", bytes.size());
    object.set("end", piece == Piece::last);
    offset_ += bytes.size();
    // The data are the last member, and put in here: base64 has nothing to escape, and this is 3 times faster.
    std::string line = object.dump();
    line.back() = ',';
    line.append(R"("data":")").append(to_base64(bytes)).append("\"}\n");
    program_.put_lines(line);
    program_.check();
}

} // namespace vfsproto::cli
