// SPDX-License-Identifier: BSD-2-Clause
// sha256sum.
#include "commands.hpp"
#include "contents.hpp"
#include "json.hpp"
#include "remote_reader.hpp"
#include "sha256.hpp"

#include <unistd.h>

#include <optional>

namespace vfsproto::cli {

namespace {

struct SumOptions {
    std::vector<std::string> paths;
    char mark = ' ';  // what stands before a name: '*' says that the file was read as bytes
    bool tag = false; // the lines of BSD, which tell only of bytes
    bool zero = false;
};

class Sums {
public:
    Sums(Program& program, const SumOptions& options) : program_(program), options_(options), reader_(program) {}

    void run() {
        if (options_.paths.empty()) return show("-");
        for (const std::string& path : options_.paths) show(path);
    }

private:
    void show(const std::string& path) {
        const auto sum = path == "-" ? sum_of_input() : sum_of_file(path);
        if (!sum) return;
        if (program_.wants_json()) {
            Json object;
            add_text(object, "path", path);
            object.set("sha256", *sum);
            return print_json(program_, object);
        }
        // A name that would end the line is escaped, and the line begins with a backslash then.
        const std::string name = options_.zero ? path : escaped(path);
        const char* const mark = name == path ? "" : "\\";
        const std::string shown = program_.out().name(name);
        const char end = options_.zero ? '\0' : '\n';
        if (options_.tag) {
            program_.out().print("{}SHA256 ({}) = {}{}", mark, shown, *sum, end);
        } else {
            program_.out().print("{}{} {}{}{}", mark, *sum, options_.mark, shown, end);
        }
    }

    static std::string escaped(const std::string& path) {
        std::string name;
        for (const char c : path) {
            switch (c) {
            case '\\': name += "\\\\"; break;
            case '\n': name += "\\n"; break;
            case '\r': name += "\\r"; break;
            default: name += c;
            }
        }
        return name;
    }

    // Returns nothing for a file that cannot be read to its end, which is said.
    std::optional<std::string> sum_of_file(const std::string& path) {
        if (!reader_.open(path)) return std::nullopt;
        Sha256 sum;
        for (std::uint64_t at = 0;;) {
            const auto piece = reader_.read(at, RemoteReader::kPiece);
            if (reader_.failed()) return std::nullopt;
            if (piece.empty()) return sum.finish();
            sum.take(piece);
            at += piece.size();
        }
    }

    std::optional<std::string> sum_of_input() {
        LocalContents input(STDIN_FILENO, LocalContents::Access::in_order);
        std::vector<std::byte> buffer(RemoteReader::kPiece);
        Sha256 sum;
        for (;;) {
            const auto count = input.read(buffer, 0);
            if (!program_.succeeded("standard input", count)) return std::nullopt;
            if (*count == 0) return sum.finish();
            sum.take(std::span(buffer).first(*count));
        }
    }

    Program& program_;
    const SumOptions& options_;
    RemoteReader reader_;
};

void describe(Arguments& sub, SumOptions& options) {
    sub.add_option("path", options.paths, "files; - or none is standard input");
    sub.add_flag("-b,--binary", [&options] { options.mark = '*'; }, "a * before each name, as for binary files");
    sub.add_flag("-t,--text", [&options] { options.mark = ' '; }, "a blank before each name (default)");
    const auto take_tag = [&options] {
        options.tag = true;
        options.mark = '*';
    };
    sub.add_flag("--tag", take_tag, "lines as those of BSD; no -t may follow");
    sub.add_flag("-z,--zero", options.zero, "end lines with NUL, and escape no names");
}

} // namespace

void add_sha256sum(Commands& commands) {
    commands.add<SumOptions>({"sha256sum", "Print the SHA-256 sums of files"}, describe,
                             [](Program& program, const SumOptions& options) {
                                 if (options.tag && options.mark == ' ') program.refuse("-t", "--tag is not for text");
                                 Sums(program, options).run();
                             });
}

} // namespace vfsproto::cli
