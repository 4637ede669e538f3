// SPDX-License-Identifier: BSD-2-Clause
// The commands head and tail are here.
#include "bytes_output.hpp"
#include "commands.hpp"
#include "remote_reader.hpp"
#include "size.hpp"

#include <algorithm>
#include <limits>

namespace vfsproto::cli {
namespace {

struct PartOptions {
    std::vector<std::string> paths;
    enum class Unit : std::uint8_t { lines, bytes } unit = Unit::lines;
    std::uint64_t count = 10;
    bool from_other_end = false; // "head -n -5": all but these; "tail -n +5": from this one on
    enum class Headings : std::uint8_t { when_several, never, always } headings = Headings::when_several;
};

using Unit = PartOptions::Unit;
using Bytes = std::span<const std::byte>;

constexpr std::uint64_t kNoEnd = std::numeric_limits<std::uint64_t>::max();

// Shows a part of each file. Offsets are found first, then the bytes between them are shown.
class Part {
public:
    using Show = void (Part::*)();

    Part(Program& program, const PartOptions& options)
        : program_(program), options_(options), reader_(program), out_(program) {}

    void run(Show show) {
        for (const std::string& path : options_.paths) {
            if (!reader_.open(path)) continue;
            show_heading(path);
            path_ = path;
            (this->*show)();
            if (!reader_.failed()) out_.end();
        }
    }

    void head() {
        if (!options_.from_other_end) {
            return options_.unit == Unit::bytes ? copy(0, options_.count) : copy_lines(options_.count);
        }
        const std::uint64_t end = size();
        copy(0, options_.unit == Unit::bytes ? end - std::min(end, options_.count) : last_lines(end));
    }

    void tail() {
        const std::uint64_t first = options_.count == 0 ? 0 : options_.count - 1; // "+1" is all
        if (options_.from_other_end) return copy(options_.unit == Unit::bytes ? first : offset_of_line(first), kNoEnd);
        const std::uint64_t end = size();
        copy(options_.unit == Unit::bytes ? end - std::min(end, options_.count) : last_lines(end), kNoEnd);
    }

private:
    void show_heading(const std::string& path) {
        const auto& wanted = options_.headings;
        const bool shown = wanted == PartOptions::Headings::always ||
                           (wanted == PartOptions::Headings::when_several && options_.paths.size() > 1);
        if (!shown || program_.wants_json()) return;
        program_.out().print("{}==> {} <==\n", first_ ? "" : "\n", program_.out().name(path));
        first_ = false;
    }

    // Returns how long the file is. One that has no last byte where its size says so is read to its end for that: files of
    // /proc say 0, files of /sys say 4096.
    std::uint64_t size() {
        const std::uint64_t told = reader_.size();
        if (told != 0 && !reader_.read(told - 1, 1).empty()) return told;
        std::uint64_t at = 0;
        for (Bytes piece; !(piece = reader_.read(at, RemoteReader::kPiece)).empty();) at += piece.size();
        return at;
    }

    // Shows what lies between two offsets.
    void copy(std::uint64_t at, std::uint64_t end) {
        out_.start(path_, at);
        while (at < end) {
            const std::size_t most = static_cast<std::size_t>(std::min<std::uint64_t>(end - at, RemoteReader::kPiece));
            const Bytes piece = reader_.read(at, most);
            if (piece.empty()) return;
            out_.take(piece);
            at += piece.size();
        }
    }

    void copy_lines(std::uint64_t count) {
        out_.start(path_, 0);
        for (std::uint64_t at = 0; count != 0;) {
            const Bytes piece = reader_.read(at, RemoteReader::kPiece);
            if (piece.empty()) return;
            std::size_t used = 0;
            while (used < piece.size() && count != 0) count -= piece[used++] == std::byte{'\n'} ? 1 : 0;
            out_.take(piece.first(used));
            at += used;
        }
    }

    // Returns where a line begins, the first being line 0; the end of the file for one that is not there.
    std::uint64_t offset_of_line(std::uint64_t line) {
        std::uint64_t at = 0;
        while (line != 0) {
            const Bytes piece = reader_.read(at, RemoteReader::kPiece);
            if (piece.empty()) break;
            std::size_t used = 0;
            while (used < piece.size() && line != 0) line -= piece[used++] == std::byte{'\n'} ? 1 : 0;
            at += used;
        }
        return at;
    }

    // Returns where the last lines begin, `count` of them. What follows the last newline is a line, too.
    std::uint64_t last_lines(std::uint64_t end) {
        std::uint64_t left = options_.count;
        if (left == 0) return end;
        for (std::uint64_t at = end; at != 0;) {
            const std::uint64_t begin = at - std::min<std::uint64_t>(at, RemoteReader::kPiece);
            const Bytes piece = reader_.read(begin, static_cast<std::size_t>(at - begin));
            if (reader_.failed()) return end;
            for (std::size_t i = piece.size(); i != 0; --i) {
                const bool ends_file = begin + i == end;
                if (piece[i - 1] == std::byte{'\n'} && !ends_file && --left == 0) return begin + i;
            }
            at = begin;
        }
        return 0;
    }

    Program& program_;
    const PartOptions& options_;
    RemoteReader reader_;
    BytesOutput out_;
    std::string path_;
    bool first_ = true;
};

// Takes "5", "4K", and with a sign that turns the count around.
bool take_count(PartOptions& options, Unit unit, char turning, std::string_view word) {
    const bool turned = word.starts_with(turning);
    if (turned || word.starts_with('-') || word.starts_with('+')) word.remove_prefix(1);
    const auto count = parse_size(word);
    if (!count) return false;
    options.unit = unit;
    options.count = *count;
    options.from_other_end = turned;
    return true;
}

// `turning` is the sign before a count that is one from the other end.
void describe(Arguments& sub, PartOptions& options, char turning) {
    const auto counted = [&options, turning](Unit unit) {
        return [&options, turning, unit](const std::string& word) { return take_count(options, unit, turning, word); };
    };
    const bool head = turning == '-';
    // A count with a dash alone, "-5", stands for "-n 5".
    sub.rewrite([](std::string_view word) {
        const bool is_count = word.find_first_not_of("0123456789", 1) == std::string_view::npos;
        return is_count ? "-n" + std::string(word.substr(1)) : std::string(word);
    });
    sub.add_option("path", options.paths, "files").required();
    sub.add_word("-n,--lines", counted(Unit::lines),
                 head ? "so many lines; -N: all but the last N" : "so many lines; +N: from line N on")
        .taken_in_order()
        .shown_as("N")
        .without_it("10");
    sub.add_word("-c,--bytes", counted(Unit::bytes),
                 head ? "so many bytes; -N: all but the last N" : "so many bytes; +N: from byte N on")
        .taken_in_order()
        .shown_as("SIZE");
    using Headings = PartOptions::Headings;
    const auto show = [&options](Headings headings) { return [&options, headings] { options.headings = headings; }; };
    sub.add_flag("-q,--quiet,--silent", show(Headings::never), "no names above the files");
    sub.add_flag("-v,--verbose", show(Headings::always), "a name above one file, too");
}

} // namespace

void add_head_and_tail(Commands& commands) {
    commands.add<PartOptions>(
        {"head", "Write the first lines of files to standard output"},
        [](Arguments& sub, PartOptions& options) { describe(sub, options, '-'); },
        [](Program& program, const PartOptions& options) { Part(program, options).run(&Part::head); });
    commands.add<PartOptions>(
        {"tail", "Write the last lines of files to standard output"},
        [](Arguments& sub, PartOptions& options) { describe(sub, options, '+'); },
        [](Program& program, const PartOptions& options) { Part(program, options).run(&Part::tail); });
}

} // namespace vfsproto::cli
