// SPDX-License-Identifier: BSD-2-Clause
// The command du sums up the space that files take.
#include "commands.hpp"
#include "hard_links.hpp"
#include "json.hpp"
#include "readable.hpp"
#include "remote_walk.hpp"

#include <limits>
#include <set>

namespace vfsproto::cli {
namespace {

enum class Unit : std::uint8_t { kibibyte, byte, readable, readable_decimal };

struct UsageOptions {
    std::vector<std::string> paths;
    Unit unit = Unit::kibibyte;
    bool apparent = false; // sizes, not the space they take
    bool all = false;
    bool total = false;
    unsigned depth = std::numeric_limits<unsigned>::max();
};

class Usage {
public:
    Usage(Program& program, const UsageOptions& options) : program_(program), options_(options) {}

    void run() {
        std::uint64_t total = 0;
        for (const std::string& path : program_.or_here(options_.paths)) total += measure(path);
        if (options_.total) show_total(total);
    }

private:
    std::uint64_t measure(const std::string& path) {
        sums_.assign(1, 0);
        walk_remote(program_, path, posix::LastLink::keep,
                    {[this](const Visited& file) { return begin(file); }, [this](const Visited& file) { end(file); }});
        return sums_.front();
    }

    // sums_[n + 1] is what was found so far of the directory at level n, sums_[0] of all.
    Descend begin(const Visited& file) {
        if (is_counted(file.attributes)) return Descend::no;
        const std::uint64_t bytes = bytes_of(file.attributes);
        if (posix::is_directory(file.attributes.mode)) {
            sums_.push_back(bytes);
            return Descend::yes;
        }
        sums_.back() += bytes;
        const bool shown = file.level == 0 || (options_.all && file.level <= options_.depth);
        if (shown) show(bytes, file.path);
        return Descend::no;
    }

    void end(const Visited& directory) {
        const std::uint64_t bytes = sums_.back();
        sums_.pop_back();
        sums_.back() += bytes;
        if (directory.level <= options_.depth) show(bytes, directory.path);
    }

    // True for another name of a file that was met before.
    bool is_counted(const posix::Attributes& attributes) {
        if (posix::is_directory(attributes.mode) || attributes.nlink < 2) return false;
        return !counted_.insert(identity_of(attributes, 0)).second;
    }

    std::uint64_t bytes_of(const posix::Attributes& attributes) const {
        constexpr std::uint64_t kBlockSize = 512;
        if (!options_.apparent) return attributes.blocks * kBlockSize;
        const bool has_bytes = posix::is_regular(attributes.mode) || posix::is_symlink(attributes.mode);
        return has_bytes ? attributes.size : 0;
    }

    std::string amount(std::uint64_t bytes) const {
        switch (options_.unit) {
        case Unit::byte: return std::to_string(bytes);
        case Unit::readable: return short_size(bytes);
        case Unit::readable_decimal: return short_size(bytes, Thousand::decimal);
        default: return std::to_string((bytes + 1023) / 1024);
        }
    }

    void show(std::uint64_t bytes, const std::string& path) {
        if (!program_.wants_json()) return program_.out().print("{}\t{}\n", amount(bytes), program_.out().name(path));
        Json object;
        add_text(object, "path", path);
        object.set("bytes", bytes);
        print_json(program_, object);
    }

    void show_total(std::uint64_t bytes) {
        if (!program_.wants_json()) return program_.out().print("{}\ttotal\n", amount(bytes));
        Json object;
        object.set("total_bytes", bytes);
        print_json(program_, object);
    }

    Program& program_;
    const UsageOptions& options_;
    std::vector<std::uint64_t> sums_;
    std::set<FileIdentity> counted_;
};

void describe(Arguments& sub, UsageOptions& options) {
    sub.add_option("path", options.paths, "files and directories").without_it("/");
    const auto in = [&options](Unit unit) { return [&options, unit] { options.unit = unit; }; };
    sub.add_flag("-h,--human-readable", in(Unit::readable), "sizes in powers of 1024 (23M)");
    sub.add_flag("--si", in(Unit::readable_decimal), "sizes in powers of 1000 (24M)");
    sub.add_flag("-k", in(Unit::kibibyte), "sizes in units of 1024 bytes (default)");
    sub.add_flag(
        "-b,--bytes", [&options] { options.unit = Unit::byte, options.apparent = true; },
        "sizes of the files in bytes, not the space they take");
    sub.add_flag("--apparent-size", options.apparent, "sizes of the files, not the space they take");
    sub.add_flag("-a,--all", options.all, "every file, not only directories");
    sub.add_flag("-c,--total", options.total, "the sum of all paths too");
    sub.add_flag("-s,--summarize", [&options] { options.depth = 0; }, "only the paths that are named");
    sub.add_option("-d,--max-depth", options.depth, "so many levels below them at most")
        .without_it("all")
        .between(0, 1e9);
}

} // namespace

void add_du(Commands& commands) {
    commands.add<UsageOptions>({"du", "Show how much space directories take"}, describe,
                               [](Program& program, const UsageOptions& options) { Usage(program, options).run(); });
}

} // namespace vfsproto::cli
