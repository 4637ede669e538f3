// SPDX-License-Identifier: BSD-2-Clause
// cat.
#include "commands.hpp"
#include "interrupt.hpp"
#include "json.hpp"

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
    explicit Cat(Program& program) : program_(program) {}

    void run(const std::vector<std::string>& paths) {
        for (const std::string& path : paths) show(path);
        if (program_.wants_json()) print_json(program_, json_);
    }

private:
    void show(const std::string& path) {
        if (path == "-") return show_input();
        posix::Mount& mount = program_.mount();
        const auto file = mount.open_file(path, wire::linux_abi::kORdonly);
        if (!program_.succeeded(path, file)) return;
        const auto attributes = mount.stat(*file);
        if (!program_.succeeded(path, attributes)) return;
        if (posix::is_directory(attributes->mode)) {
            return program_.report(path, posix::Failure(wire::Errno::eisdir));
        }
        collected_.clear();
        std::uint64_t at = 0;
        for (;;) {
            // One byte more than there should be: then a short answer says that this was all. Files of /proc tell a size
            // of 0 and end with the first answer, so that it must have room for all of it.
            const std::uint64_t rest = attributes->size >= at ? attributes->size - at + 1 : kBufferSize;
            const std::uint64_t wanted = std::max<std::uint64_t>(rest, kLeastPiece);
            const auto piece = buffer().first(std::min<std::uint64_t>(kBufferSize, wanted));
            const auto count = mount.read(*file, piece, at);
            if (!program_.succeeded(path, count)) break;
            take(piece.first(*count));
            at += *count;
            if (*count == 0 || (*count < piece.size() && at == attributes->size)) break;
        }
        add_collected(path);
    }

    void show_input() {
        collected_.clear();
        std::array<std::byte, std::size_t{64} << 10>
            piece; // NOLINT(cppcoreguidelines-pro-type-member-init): read(2) fills it
        for (;;) {
            const ssize_t count = read_input(piece);
            if (count < 0 && interrupted()) break;
            if (count < 0) return program_.report("standard input", local_failure(errno));
            if (count == 0) break;
            take(std::span(piece).first(static_cast<std::size_t>(count)));
        }
        program_.check();
        add_collected("-");
    }

    static ssize_t read_input(std::span<std::byte> piece) {
        const LocalCall may_wait;
        ssize_t count = 0;
        do count = ::read(STDIN_FILENO, piece.data(), piece.size());
        while (count < 0 && errno == EINTR && !interrupted());
        return count;
    }

    void add_collected(const std::string& path) {
        if (!program_.wants_json()) return;
        Json object;
        add_name(object, "path", path);
        object.set("size", collected_.size());
        add_bytes(object, "data", collected_);
        json_.push_back(object);
    }

    void take(std::span<const std::byte> bytes) {
        if (program_.wants_json()) {
            collected_.insert(collected_.end(), bytes.begin(), bytes.end());
        } else {
            program_.out().write(bytes);
        }
    }

    std::span<std::byte> buffer() {
        if (!registered_.bytes().empty()) return registered_.bytes();
        auto allocated = program_.mount().allocate(kBufferSize);
        if (!program_.succeeded("a buffer", allocated)) throw Leave{ExitCode::failed};
        registered_ = std::move(*allocated);
        return registered_.bytes();
    }

    Program& program_;
    posix::Buffer registered_;
    std::vector<std::byte> collected_;
    Json json_ = Json::array();
};

} // namespace

void add_cat(Commands& commands) {
    commands.add<CatOptions>(
        {"cat", "Write the contents of files to standard output"},
        [](Arguments& sub, CatOptions& options) {
            sub.add_option("path", options.paths, "files; - is standard input").required();
        },
        [](Program& program, const CatOptions& options) { Cat(program).run(options.paths); });
}

} // namespace vfsproto::cli
