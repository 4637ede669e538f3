// SPDX-License-Identifier: BSD-2-Clause
// A run of get, put, cp or sync-tree: what these commands share while they copy.
#pragma once

#include "comparison.hpp"
#include "contents.hpp"
#include "contents_comparison.hpp"
#include "exclusions.hpp"
#include "hard_links.hpp"
#include "interrupt.hpp"
#include "local_tree.hpp"
#include "operands.hpp"
#include "program.hpp"
#include "progress.hpp"
#include "stale_halves.hpp"
#include "target_options.hpp"
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
    bool no_clobber = false;
    bool update = false;
    bool force = false;
    bool dry_run = false;
    bool checksum = false;
    bool resume = false;
    bool by_time = false; // sync-tree: a file of equal size and time is there already
    std::vector<std::string> exclude;
};

struct CopyTally {
    std::atomic<std::uint64_t> files{0};
    std::atomic<std::uint64_t> directories{0};
    std::atomic<std::uint64_t> symlinks{0};
    std::atomic<std::uint64_t> hard_links{0};
    std::atomic<std::uint64_t> special_files{0};
    std::atomic<std::uint64_t> unchanged{0}; // what is there stays
    std::atomic<std::uint64_t> removed{0};   // by sync-tree
    std::atomic<std::uint64_t> failed{0};
};

// Says what became of a file. copied: also where it would be, in a dry run. same: the target is such a copy already. kept: the
// target stays as it is.
enum class FileCopy : std::uint8_t { copied, same, kept, failed };

// One run of get, put or cp. Only the thread that owns it walks the tree and gives work to the others.
class CopyRun {
public:
    // Throws Leave where the options make no sense, which is said.
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
        if (!interrupted()) program.report(path, why);
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
    // Counts one thing that was removed from the target, or would be, which is said. With --json it becomes a line.
    void removed(const std::string& path);
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
    // A link or a special file that is to be made.
    struct NewFile {
        const char* what; // to be done, in the words of would()
        const std::string& from;
        const std::string& to;
        Replaces replaces;
        std::atomic<std::uint64_t>& count; // in the tally
    };
    // Says what is to be done with a file, from what has the name of its copy: `copied` is yet to be done. `is_same` compares the
    // contents; nothing where that failed, which is said. Any thread.
    template <class IsSame>
    FileCopy decide(const posix::Attributes& source, const std::optional<posix::Attributes>& target, IsSame&& is_same) {
        const Verdict verdict = target ? comparison.of(source, *target) : Verdict::copy;
        if (verdict == Verdict::copy) return FileCopy::copied;
        if (verdict == Verdict::content_decides) {
            const std::optional<bool> same = is_same();
            if (!same || !*same) return same ? FileCopy::copied : FileCopy::failed;
        }
        ++tally.unchanged;
        return verdict == Verdict::kept ? FileCopy::kept : FileCopy::same;
    }
    // Decides so about a link or a special file that is to be made. In a dry run says what would be made, and `kept` then.
    template <class IsSame> FileCopy decide_made(const NewFile& made, const posix::Attributes& source,
                                                 const std::optional<posix::Attributes>& there, IsSame&& is_same) {
        const FileCopy wanted = decide(source, there, is_same);
        return wanted == FileCopy::copied && options.dry_run ? announce(made, there) : wanted;
    }
    // Decides so about the second name of a file whose first name has been copied. `is_linked`: that copy has this name, too.
    template <class IsLinked> FileCopy decide_link(const NewFile& made, const posix::Attributes& source,
                                                   const std::optional<posix::Attributes>& there,
                                                   IsLinked&& is_linked) {
        const Comparison times{comparison.overwrite, SameBy::nothing, comparison.keeps_times};
        const bool kept = there && times.of(source, *there) == Verdict::kept;
        const bool asks = there && posix::is_regular(there->mode) && comparison.same_by != SameBy::nothing;
        if (kept || (asks && is_linked())) {
            ++tally.unchanged;
            return kept ? FileCopy::kept : FileCopy::same;
        }
        return options.dry_run ? announce(made, there) : FileCopy::copied;
    }
    // Returns what a link or a special file may replace.
    [[nodiscard]] Replaces replaces(Replaces as_usual) const noexcept {
        return clobber == Clobber::never ? Replaces::nothing : as_usual;
    }
    // True if it was made; not if its name was taken meanwhile, which is a failure only where it may be replaced.
    bool made(const std::string& path, const posix::Failure& failure) {
        const bool taken = failure.error == abi::Errno::eexist && clobber == Clobber::never;
        if (!taken) return note(path, failure);
        ++tally.unchanged;
        return false;
    }
    // True if what has the name of a copy has to be looked at before something is made.
    [[nodiscard]] bool looks_at_target() const noexcept { return options.dry_run || comparison.looks_at_target(); }
    // Compares the bytes of both files; nothing where that fails, which is said.
    std::optional<ComparedContents> compare(Side from, Side to, std::span<std::byte> buffer);
    // True if both files hold the same bytes; nothing where that cannot be found out, which is said.
    std::optional<bool> are_equal(Side from, Side to, std::span<std::byte> buffer);
    // Takes what open() or commit() of a target returned: a name that was taken meanwhile is no failure where nothing is to be
    // replaced.
    FileCopy committed(const std::string& from, const std::string& to, const posix::Failure& failure);
    // Says in a dry run that a file would be copied. `obstacle`: why it cannot be.
    FileCopy announce_copy(const std::string& from, const std::string& to, const posix::Failure& obstacle);
    // Does a job in a worker; in a dry run, whose lines have an order, at once.
    void give(Workers::Job job);
    // Says what a dry run leaves undone: "copy", "a", "b".
    void would(const char* what, const std::string& from, const std::string& to);
    // True if --exclude leaves a file out: `path` as the source names it, below `top`. Says it of the source itself, which is
    // asked for its name alone, and not at all where that is followed by a slash.
    [[nodiscard]] bool leaves_out(const std::string& top, const std::string& path, std::uint32_t mode);
    [[nodiscard]] TargetOptions target_options(Existing existing) const noexcept { return {existing, clobber}; }

    // Copies everything from `size.begin` on; true when it did.
    bool copy(Side from, Side to, const ContentsSize& size, std::span<std::byte> buffer);

    // True if the attributes were set, or cannot be kept where the copy is, which is said once for each reason. With
    // --preserve the program leaves with 1 then, though the bytes are copied.
    bool settle(const std::string& path, const posix::Failure& kept);
    // Returns the extended attributes that are kept; none where they cannot be read, which is said as settle() says it.
    Xattrs xattrs_of(int fd, const std::string& path);
    Xattrs xattrs_of(const std::string& remote, posix::LastLink last);
    // Returns those of a symbolic link or a special file, which is not opened: `name` in the directory `parent`, or at the
    // server.
    Xattrs unopened_xattrs_of(int parent, const std::string& name, std::uint32_t mode, const std::string& path);
    Xattrs unopened_xattrs_of(const std::string& remote, std::uint32_t mode);
    // Gives a copy what is to be kept of its source: by `write` the extended attributes of one step, by `finish` the rest. Goes
    // on after a failure, which settle() says. True if none matters.
    template <class Write, class Finish> bool keep(const std::string& path, Write&& write, Finish&& finish) {
        const bool before = settle(path, write(XattrStep::before_owner));
        const bool between = settle(path, finish());
        return settle(path, write(XattrStep::after_owner)) && between && before;
    }
    // A file, a link or a node that is there, and what it is to have of its source.
    struct Refreshed {
        const std::string& path; // for messages
        const posix::Attributes& there;
        const posix::Attributes& source;
        const Xattrs& xattrs; // of the source
    };
    // Calls `set` where a file that is a copy already has not all that is to be kept; in a dry run says so instead. `read_xattrs`
    // returns those it has. False where `set` does so.
    template <class Read, class Set> bool refresh(const Refreshed& file, Read&& read_xattrs, Set&& set) {
        const bool lacks = !has_attributes(file.there, file.source, keeping) ||
                           (!file.xattrs.empty() && !includes(read_xattrs(), file.xattrs));
        if (!lacks) return true;
        if (!options.dry_run) return set();
        would("set the attributes of", {}, file.path);
        return true;
    }

    // Says once that files of several names become several files.
    void without_hard_links(const std::string& path, const posix::Failure& why);
    // False for a device node that was not asked for, which is said.
    bool wants_node(const std::string& path, std::uint32_t mode);

    // All jobs done: prints the sums where JSON is wanted. Throws Leave as Program::check().
    void finish();

    Program& program;
    const CopyOptions& options;
    posix::Mount& mount; // for trees, which may be deeper than a path may be long
    const Keeping keeping;
    const Comparison comparison;
    const Clobber clobber;
    Exclusions exclusions;
    CopyTally tally;
    HardLinks links;
    StaleHalves stale_halves;
    Progress progress;
    std::mutex warned_mutex;
    std::set<abi::Errno> warned;
    bool warned_of_links = false;
    Workers workers; // ends before what its jobs use

private:
    FileCopy announce(const NewFile& made, const std::optional<posix::Attributes>& there);

    std::vector<std::byte> buffer_; // of jobs that are done at once

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

// Add the options that get, put, cp and sync-tree have, and --resume.
void describe_choice(Arguments& sub, CopyOptions& options);
void describe_resume(Arguments& sub, CopyOptions& options);

// Makes a local directory, or one of the device, a copy of one of the other side, with all below it. Main thread.
void get_tree(CopyRun& run, const std::string& source, const std::string& target);
void put_tree(CopyRun& run, const std::string& source, const std::string& target);

void run_get(Program& program, const CopyOptions& options);
void run_put(Program& program, const CopyOptions& options);
void run_cp(Program& program, const CopyOptions& options);

} // namespace vfsproto::cli
