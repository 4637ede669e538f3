// SPDX-License-Identifier: BSD-2-Clause
// rm.
#include "commands.hpp"
#include "each_entry.hpp"
#include "json.hpp"
#include "packed_entries.hpp"
#include "paths.hpp"

#include "vfsproto/abi/numbers.hpp"

namespace vfsproto::cli {

using abi::Errno;
using posix::Failure;

namespace {

struct RemoveOptions {
    std::vector<std::string> paths;
    bool recursive = false;
    bool force = false;
};

class Removal {
public:
    Removal(Program& program, const RemoveOptions& options)
        : program_(program), options_(options), deep_(program.deep_mount()) {}

    void run() {
        for (const std::string& path : options_.paths) remove(path);
    }

private:
    void remove(const std::string& path) {
        if (path.empty()) return static_cast<void>(note(path, Errno::enoent));
        if (base_name(path).empty()) {
            program_.report(path, Errno::einval, "a path must end in a name");
            return;
        }
        const auto there = program_.mount().stat(path, posix::LastLink::keep);
        if (!there) return static_cast<void>(note(path, there.failure()));
        if (!posix::is_directory(there->mode)) {
            static_cast<void>(note(path, program_.mount().unlink(path)));
        } else if (!options_.recursive) {
            program_.report(path, Errno::eisdir, "rm -r removes directories");
        } else {
            remove_all(path);
        }
    }

    // Reports how removing a path went; false if it failed. With -f a file that is not there, or gone already because
    // somebody else removes the tree too, is none.
    bool note(const std::string& path, const Failure& failure) {
        const bool is_absent = failure.error == Errno::enoent || failure.error == Errno::enotdir;
        const bool gone = options_.force && is_absent;
        if (!gone) {
            if (!program_.succeeded(path, failure)) return false;
            print_done(program_, path);
            return true;
        }
        program_.check();
        return true;
    }

    // A directory that the removal is in. One that keeps something, which was reported, stays.
    struct Level {
        std::size_t path_length; // of the path of the removal
        PackedEntries directories{};
        std::size_t left = 0; // directories to be removed; the last one is the first
        bool keeps = false;
    };

    void remove_all(const std::string& path) {
        path_ = path;
        enter();
        while (!levels_.empty()) {
            Level& level = levels_.back();
            path_.resize(level.path_length);
            if (level.left == 0) {
                leave();
                continue;
            }
            append_name(path_, level.directories[--level.left].name);
            enter();
        }
    }

    // Removes from the directory that the removal has the path of all but directories, which wait.
    void enter() {
        PackedEntries entries;
        const auto keep_some = [&entries](const std::vector<posix::DirectoryEntry>& some) {
            for (const posix::DirectoryEntry& entry : some) {
                entries.add({entry.name, entry.has_attributes ? abi::file_type(entry.attributes.mode) : 0});
            }
        };
        // Nothing is removed while the server counts on.
        const Failure failure = each_entry(deep_, path_, client::DirectoryFormat::direntpluses, keep_some);
        if (failure.happened()) {
            if (!note(path_, failure)) keep();
            return;
        }
        levels_.push_back({path_.size()});
        for (std::size_t i = 0; i < entries.size(); ++i) {
            const PackedEntries::Entry entry = entries[i];
            append_name(path_, entry.name);
            if (is_directory(entry.type)) {
                levels_.back().directories.add(entry);
            } else if (!note(path_, deep_.unlink(path_))) {
                keep();
            }
            path_.resize(levels_.back().path_length);
        }
        levels_.back().left = levels_.back().directories.size();
    }

    // Removes the directory that the removal has the path of, if it is empty.
    void leave() {
        const bool keeps = levels_.back().keeps;
        levels_.pop_back();
        if (keeps || !note(path_, deep_.rmdir(path_))) keep();
    }

    // Notes that something stays in the directory that the removal is in.
    void keep() {
        if (!levels_.empty()) levels_.back().keeps = true;
    }

    // Takes the type of what the removal has the path of; 0: not known.
    bool is_directory(std::uint32_t type) {
        if (type != 0) return type == abi::kSIfdir;
        const auto there = deep_.stat(path_, posix::LastLink::keep);
        return there && posix::is_directory(there->mode);
    }

    Program& program_;
    const RemoveOptions& options_;
    posix::Mount& deep_; // for what is below a path that the user said
    std::string path_;   // of what is removed; those of the levels are its beginnings
    std::vector<Level> levels_;
};

} // namespace

void add_rm(Commands& commands) {
    commands.add<RemoveOptions>(
        {"rm", "Remove files", Effect::changes},
        [](Arguments& sub, RemoveOptions& options) {
            sub.add_option("path", options.paths, "what to remove").required();
            sub.add_flag("-r,-R,--recursive", options.recursive, "directories with all below them");
            sub.add_flag("-f,--force", options.force, "what is not there is no failure");
        },
        [](Program& program, const RemoveOptions& options) { Removal(program, options).run(); });
}

} // namespace vfsproto::cli
