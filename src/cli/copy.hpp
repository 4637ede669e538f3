// SPDX-License-Identifier: BSD-2-Clause
// The state that get, put and cp have in common.
#pragma once

#include "contents.hpp"
#include "hard_links.hpp"
#include "local_tree.hpp"
#include "operands.hpp"
#include "program.hpp"
#include "progress.hpp"
#include "workers.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace vfsproto::cli {

struct CopyOptions {
    Operands operands;
    bool recursive = false;
    bool preserve = false; // owner, mode with its set-id bits, times
    bool xattrs = false;   // extended attributes; access control lists are kept with `preserve` already
    bool devices = false;  // make device nodes
};

struct CopyTally {
    std::atomic<std::uint64_t> files{0};
    std::atomic<std::uint64_t> directories{0};
    std::atomic<std::uint64_t> symlinks{0};
    std::atomic<std::uint64_t> hard_links{0};
    std::atomic<std::uint64_t> special_files{0};
    std::atomic<std::uint64_t> failed{0};
};

// One run of get, put or cp. Only the thread that owns it walks the tree and gives work to the others.
class CopyRun {
public:
    CopyRun(Program& a_program, const CopyOptions& a_options);

    // One side of a copy; the path is for messages.
    struct Side {
        Contents& contents;
        const std::string& path;
    };

    // Reports which side failed. Says nothing of failures that follow from stopping the program. Any thread.
    void fail(const std::string& path, const posix::Failure& failure);
    void fail(const CopyResult& result, const std::string& from, const std::string& to) {
        fail(result.side == CopyResult::Side::from ? from : to, result.failure);
    }
    // Says in one line why something is not copied at all. Any thread.
    void refuse(const std::string& path, const std::string& why) {
        ++tally.failed;
        program.report(path, why);
    }
    void refuse(const std::string& path, const posix::Failure& failure, std::string_view advice) {
        ++tally.failed;
        program.report(path, failure, advice);
    }
    struct Copied {
        std::string_view type; // as type_name() has it, or "hard link"
        const std::string& path;
        const std::string& target;
    };
    // Counts one thing that was copied. With --json it becomes a line. Any thread.
    void copied(std::atomic<std::uint64_t>& count, const Copied& what);
    // Calls `copy` with each source of the line that is to become a file of its own, until the program is to stop.
    template <class Copy> void each_source(Destination& destination, Copy&& copy) {
        for (const std::string& source : options.operands.sources()) {
            if (program.stopping()) return;
            destination.is_free(source) ? copy(source) : static_cast<void>(++tally.failed);
        }
    }
    // True when nothing failed.
    bool note(const std::string& path, const posix::Failure& failure) {
        if (failure.happened()) fail(path, failure);
        return !failure.happened();
    }
    template <class T> bool note(const std::string& path, const posix::Expected<T>& outcome) {
        return note(path, outcome ? posix::Failure() : outcome.failure());
    }
    // Copies everything; true when it did.
    bool copy(Side from, Side to, const posix::Attributes& attributes, std::span<std::byte> buffer);

    // True if the attributes were set, or cannot be kept where the copy is, which is said once for each reason. With
    // --preserve the program leaves with 1 then, though the bytes are copied.
    bool settle(const std::string& path, const posix::Failure& kept);
    // The extended attributes that are kept; none where they cannot be read, which is said as settle() says it.
    Xattrs xattrs_of(int fd, const std::string& path);
    Xattrs xattrs_of(const std::string& remote);
    // Those of a symbolic link or a special file, which is not opened: `name` in the directory `parent`, or at the server.
    Xattrs unopened_xattrs_of(int parent, const std::string& name, std::uint32_t mode, const std::string& path);
    Xattrs unopened_xattrs_of(const std::string& remote, std::uint32_t mode);

    // Says once that files of several names become several files.
    void without_hard_links(const std::string& path, const posix::Failure& why);
    // False for a device node that was not asked for, which is said.
    bool wants_node(const std::string& path, std::uint32_t mode);

    // All jobs done: prints the sums where JSON is wanted. Throws Leave as Program::check().
    void finish();

    Program& program;
    const CopyOptions& options;
    posix::Mount& mount;
    const Keeping keeping;
    CopyTally tally;
    HardLinks links;
    Progress progress;
    std::mutex warned_mutex;
    std::set<wire::Errno> warned;
    bool warned_of_links = false;
    Workers workers; // ends before what its jobs use

private:
    Xattrs usable(posix::Expected<Xattrs> xattrs, const std::string& path);
    [[nodiscard]] KeptXattrs kept_unopened(std::uint32_t mode) const noexcept;
};

// Ends the directories above one that has ended, each where nobody else uses it. One after another: a tree may be deeper than
// a stack of nested destructors.
template <class Directory> void end_parents(std::shared_ptr<Directory> at) {
    while (at != nullptr && at.use_count() == 1) {
        at->end();
        at = std::shared_ptr<Directory>(std::move(at->parent));
    }
}

void run_get(Program& program, const CopyOptions& options);
void run_put(Program& program, const CopyOptions& options);
void run_cp(Program& program, const CopyOptions& options);

} // namespace vfsproto::cli
