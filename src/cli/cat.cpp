// SPDX-License-Identifier: BSD-2-Clause
// The command cat writes files to standard output.
#include "bytes_output.hpp"
#include "commands.hpp"
#include "interrupt.hpp"
#include "remote_reader.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace vfsproto::cli {

namespace {

constexpr std::size_t kBufferSize = std::size_t{4} << 20; // bytes
constexpr std::size_t kLeastPiece = std::size_t{128} << 10;

struct CatOptions {
    std::vector<std::string> paths;
};

class Cat {
public:
    explicit Cat(Program& program) : program_(program), reader_(program), out_(program) {}

    void run(const std::vector<std::string>& paths) {
        if (paths.empty()) return show_input();
        for (const std::string& path : paths) show(path);
    }

private:
    void show(const std::string& path) {
        if (path == "-") return show_input();
        if (!reader_.open(path)) return;
        const std::uint64_t size = reader_.size();
        std::uint64_t at = 0;
        out_.start(path, at);
        for (;;) {
            // Asks for one byte more than there should be, so that a short answer says that this was all. Files of
            // /proc tell a size of 0 and end with the first answer, which must have room for all of it.
            const std::uint64_t rest = size >= at ? size - at + 1 : kBufferSize;
            const std::uint64_t wanted = std::max<std::uint64_t>(rest, kLeastPiece);
            const auto piece = buffer().first(std::min<std::uint64_t>(kBufferSize, wanted));
            const auto count = program_.mount().read(reader_.file(), piece, at);
            if (!program_.succeeded(path, count)) return;
            out_.take(piece.first(*count));
            at += *count;
            if (*count == 0 || (*count < piece.size() && at == size)) break;
        }
        out_.end();
    }

    void show_input() {
        std::array<std::byte, std::size_t{64} << 10>
            piece; // NOLINT(cppcoreguidelines-pro-type-member-init): read(2) fills it
        out_.start("-", 0);
        for (;;) {
            const ssize_t count = read_input(piece);
            if (count < 0 && interrupted()) break;
            if (count < 0) return program_.report(Subject::other("standard input"), local_failure(errno));
            if (count == 0) break;
            out_.take(std::span(piece).first(static_cast<std::size_t>(count)));
        }
        program_.check();
        out_.end();
    }

    static ssize_t read_input(std::span<std::byte> piece) {
        const LocalCall may_wait;
        ssize_t count = 0;
        do count = ::read(STDIN_FILENO, piece.data(), piece.size());
        while (count < 0 && errno == EINTR && !interrupted());
        return count;
    }

    // A READ that was given up may still write to the memory it had: the next file is read into other memory then.
    std::span<std::byte> buffer() {
        if (!registered_.bytes().empty() && registered_.is_free()) return registered_.bytes();
        auto allocated = program_.mount().allocate(kBufferSize);
        if (!program_.succeeded(Subject::other("a buffer"), allocated)) throw Leave{ExitCode::failed};
        registered_ = std::move(*allocated);
        return registered_.bytes();
    }

    Program& program_;
    RemoteReader reader_;
    BytesOutput out_;
    posix::Buffer registered_;
};

} // namespace

void add_cat(Commands& commands) {
    commands.add<CatOptions>(
        {"cat", "Write the contents of files to standard output"},
        [](Arguments& sub, CatOptions& options) {
            sub.add_option("path", options.paths, "files; - or none is standard input");
        },
        [](Program& program, const CatOptions& options) { Cat(program).run(options.paths); });
}

} // namespace vfsproto::cli
