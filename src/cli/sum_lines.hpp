// SPDX-License-Identifier: BSD-2-Clause
// The lines of sha256sum(1): how a name stands in one, and what one says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vfsproto::cli {

// Returns a name as it stands in a line. What would end the line, and the backslash, are escaped; if anything is, the line begins
// with a backslash.
[[nodiscard]] std::string escaped_name(std::string_view name);

// Holds what a line says of a file.
struct ListedSum {
    std::string digits; // 64, of either case
    std::string name;
};

// Reads the lines of a list, which may be of somebody else. A list of BSD ("sha256 -r") has one blank before a name, and GNU's a
// blank and a mark. The first line that tells which of the two it is decides for all that follow.
class SumLines {
public:
    // A line without its newline. Returns nothing for one that has another form.
    [[nodiscard]] std::optional<ListedSum> read(std::string_view line);
    // True for a line that says nothing at all: empty, or a comment.
    [[nodiscard]] static bool is_void(std::string_view line) noexcept;

private:
    enum class Form : std::uint8_t { unknown, with_mark, without_mark };

    [[nodiscard]] static std::optional<ListedSum> read_tagged(std::string_view line, bool is_escaped);

    Form form_ = Form::unknown;
};

// Cuts what is read piece by piece into lines. A line is kept to its first kMost + 1 bytes, so that a file without newlines takes
// no memory; no line of that length has a path that could be opened.
class LineCutter {
public:
    static constexpr std::size_t kMost = std::size_t{64} << 10; // bytes

    // Takes the next piece, and calls `each(line)` for every line that it ends.
    template <class Each> void take(std::span<const std::byte> piece, Each&& each) {
        std::string_view text(reinterpret_cast<const char*>(piece.data()), piece.size());
        for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
            keep(text.substr(0, end));
            text.remove_prefix(end + 1);
            const std::string line = std::move(line_);
            line_.clear();
            each(std::string_view(line));
        }
        keep(text);
    }
    // Calls `each(line)` for what stands behind the last newline, unless that is nothing.
    template <class Each> void finish(Each&& each) {
        if (!line_.empty()) each(std::string_view(line_));
        line_.clear();
    }

private:
    void keep(std::string_view part) { line_.append(part.substr(0, kMost + 1 - line_.size())); }

    std::string line_;
};

} // namespace vfsproto::cli
