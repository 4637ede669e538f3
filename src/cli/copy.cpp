// SPDX-License-Identifier: BSD-2-Clause
// Holds the options of get, put, cp and sync-tree, and the steps that all four take.
#include "copy.hpp"

#include "commands.hpp"
#include "interrupt.hpp"
#include "json.hpp"
#include "paths.hpp"

#include <algorithm>
#include <utility>

namespace vfsproto::cli {

namespace {

KeptXattrs kept_xattrs(const CopyOptions& options) noexcept {
    if (options.xattrs) return KeptXattrs::all;
    return options.preserve ? KeptXattrs::acls : KeptXattrs::none;
}

// As cp(1) has it, -n takes the meaning from -u and -f.
Comparison comparison_of(const CopyOptions& options) noexcept {
    Comparison comparison;
    if (options.update) comparison.overwrite = Overwrite::when_older;
    if (options.no_clobber) comparison.overwrite = Overwrite::never;
    if (options.by_time) comparison.same_by = SameBy::size_and_time;
    if (options.checksum) comparison.same_by = SameBy::content;
    comparison.keeps_times = options.preserve;
    return comparison;
}

Clobber clobber_of(const CopyOptions& options) noexcept {
    if (options.no_clobber) return Clobber::never;
    return options.force ? Clobber::forced : Clobber::allowed;
}

} // namespace

CopyRun::CopyRun(Program& a_program, const CopyOptions& a_options)
    : program(a_program),
      options(a_options),
      mount(a_program.deep_mount()),
      keeping{a_options.preserve ? Preserve::all : Preserve::nothing, a_program.umask(), kept_xattrs(a_options)},
      comparison(comparison_of(a_options)),
      clobber(clobber_of(a_options)),
      progress(a_program),
      workers(mount) {
    for (const std::string& pattern : options.exclude) {
        if (!exclusions.add(pattern)) program.refuse("--exclude", "'" + pattern + "' names no file below the source");
    }
}

void CopyRun::fail(const std::string& path, const posix::Failure& failure) {
    ++tally.failed;
    if (program.stopping() && !failure.is_fatal()) return;
    program.report(path, failure);
}

void CopyRun::copied(std::atomic<std::uint64_t>& count, const Copied& what) {
    ++count;
    if (!program.wants_json() || options.dry_run) return;
    Json line;
    line.set("type", what.type);
    add_text(line, "path", what.path);
    add_text(line, "target", what.target);
    program.put_lines(line.dump() + '\n');
}

void CopyRun::removed(const std::string& path) {
    ++tally.removed;
    if (options.dry_run) return would("remove", {}, path);
    if (!program.wants_json()) return;
    Json line;
    add_text(line, "removed", path);
    program.put_lines(line.dump() + '\n');
}

bool CopyRun::copy(Side from, Side to, const ContentsSize& size, std::span<std::byte> buffer) {
    const std::uint64_t data = size.has_holes() ? size.blocks * 512 : size.bytes;
    progress.expect(data - std::min(data, size.begin));
    const auto result = copy_contents(from.contents, to.contents, size, buffer, [this](std::uint64_t n) {
        progress.moved(n);
        return !program.stopping();
    });
    if (result.side != CopyResult::Side::none) {
        fail(result, from.path, to.path);
        return false;
    }
    // A source that ended because the user stopped it is not whole.
    const bool stopped = program.stopping() || latest_interrupt() != 0;
    if (stopped) ++tally.failed;
    return !stopped;
}

std::optional<ComparedContents> CopyRun::compare(Side from, Side to, std::span<std::byte> buffer) {
    const ComparedContents compared =
        compare_contents(from.contents, to.contents, buffer, [this](std::uint64_t) { return !program.stopping(); });
    if (compared.failed.side == CopyResult::Side::none) return compared;
    fail(compared.failed, from.path, to.path);
    return std::nullopt;
}

std::optional<bool> CopyRun::are_equal(Side from, Side to, std::span<std::byte> buffer) {
    const auto compared = compare(from, to, buffer);
    return compared ? std::optional(compared->are_equal()) : std::nullopt;
}

FileCopy CopyRun::committed(const std::string& from, const std::string& to, const posix::Failure& failure) {
    if (failure.error == abi::Errno::eexist && clobber == Clobber::never) {
        ++tally.unchanged;
        return FileCopy::kept;
    }
    if (!note(to, failure)) return FileCopy::failed;
    copied(tally.files, {"file", from, to});
    progress.file_done();
    return FileCopy::copied;
}

FileCopy CopyRun::announce_copy(const std::string& from, const std::string& to, const posix::Failure& obstacle) {
    if (!note(to, obstacle)) return FileCopy::failed;
    would("copy", from, to);
    ++tally.files;
    return FileCopy::copied;
}

FileCopy CopyRun::announce(const NewFile& made, const std::optional<posix::Attributes>& there) {
    if (there && !may_replace(made.replaces, there->mode)) {
        fail(made.to, posix::is_directory(there->mode) ? abi::Errno::eisdir : abi::Errno::eexist);
        return FileCopy::failed;
    }
    would(made.what, made.from, made.to);
    ++made.count;
    return FileCopy::kept;
}

void CopyRun::give(Workers::Job job) {
    if (!options.dry_run) return workers.give(std::move(job));
    constexpr std::size_t kBufferSize = std::size_t{1} << 20; // bytes
    buffer_.resize(kBufferSize);
    job(buffer_);
}

void CopyRun::would(const char* what, const std::string& from, const std::string& to) {
    if (program.wants_json()) {
        Json step;
        step.set("would", what);
        if (!from.empty()) add_text(step, "path", from);
        add_text(step, "target", to);
        return print_json(program, step);
    }
    Output& out = program.out();
    if (from.empty()) {
        out.print("would {} {}\n", what, out.name(to));
    } else {
        out.print("would {} {} to {}\n", what, out.name(from), out.name(to));
    }
}

bool CopyRun::leaves_out(const std::string& top, const std::string& path, std::uint32_t mode) {
    if (exclusions.empty()) return false;
    using Type = Exclusions::Type;
    const Type type = posix::is_directory(mode) ? Type::directory : Type::other;
    if (path != top) return exclusions.leave_out(std::string_view(path).substr(top.size()), type);
    if (path.ends_with('/') || !exclusions.leave_out_source(base_name(path), type)) return false;
    program.warn(path, "is left out: --exclude names it");
    return true;
}

bool CopyRun::settle(const std::string& path, const posix::Failure& kept) {
    if (!kept.happened()) return true;
    if (!cannot_be_kept(kept)) {
        fail(path, kept);
        return false;
    }
    const std::lock_guard lock(warned_mutex);
    if (!warned.insert(kept.error).second) return true;
    const char* const why = "attributes cannot be kept there; this is said once";
    if (options.preserve || options.xattrs) {
        program.report(path, kept, why);
    } else {
        program.warn(path, kept, why);
    }
    return true;
}

Xattrs CopyRun::usable(posix::Expected<Xattrs> xattrs, const std::string& path) {
    if (xattrs) return std::move(*xattrs);
    settle(path, xattrs.failure());
    return {};
}

Xattrs CopyRun::xattrs_of(int fd, const std::string& path) { return usable(read_xattrs(fd, keeping.xattrs), path); }

Xattrs CopyRun::xattrs_of(const std::string& remote, posix::LastLink last) {
    return usable(read_xattrs(mount, remote, keeping.xattrs, last), remote);
}

// A symbolic link has no access control list.
KeptXattrs CopyRun::kept_unopened(std::uint32_t mode) const noexcept {
    return posix::is_symlink(mode) && keeping.xattrs != KeptXattrs::all ? KeptXattrs::none : keeping.xattrs;
}

Xattrs CopyRun::unopened_xattrs_of(int parent, const std::string& name, std::uint32_t mode, const std::string& path) {
    return usable(read_xattrs_at(parent, name, kept_unopened(mode)), path);
}

Xattrs CopyRun::unopened_xattrs_of(const std::string& remote, std::uint32_t mode) {
    return usable(read_xattrs(mount, remote, kept_unopened(mode), posix::LastLink::keep), remote);
}

void CopyRun::without_hard_links(const std::string& path, const posix::Failure& why) {
    const std::lock_guard lock(warned_mutex);
    if (std::exchange(warned_of_links, true)) return;
    program.warn(path, why, "no hard links there, each name becomes a file; this is said once");
}

bool CopyRun::wants_node(const std::string& path, std::uint32_t mode) {
    const std::uint32_t type = abi::file_type(mode);
    if (options.devices || (type != abi::kSIfchr && type != abi::kSIfblk)) return true;
    ++tally.failed;
    program.report(path, "a device node: --devices copies those");
    return false;
}

void CopyRun::finish() {
    workers.finish();
    if (program.wants_json()) {
        Json sums;
        sums.set("files", tally.files.load());
        sums.set("directories", tally.directories.load());
        sums.set("symlinks", tally.symlinks.load());
        sums.set("hard_links", tally.hard_links.load());
        sums.set("special_files", tally.special_files.load());
        sums.set("bytes", progress.bytes());
        sums.set("unchanged", tally.unchanged.load());
        if (options.by_time) sums.set("removed", tally.removed.load());
        sums.set("failed", tally.failed.load());
        Json line;
        line.set("copied", sums);
        print_json(program, line);
    }
    program.check();
}

namespace {

constexpr const char* kExcludeHelp = "leave out files of this name, with all below them; may be given again. So is\n"
                                     "a source of that name, which is said, unless a slash follows it. *, ? and\n"
                                     "[...] match within a name. A pattern that begins with / is compared with the\n"
                                     "whole path below the source, one with a / inside with the end of that path;\n"
                                     "the source itself is never left out by those. ** between slashes is any\n"
                                     "number of names. A / at the end of the pattern stands for directories alone";

void describe(Arguments& sub, CopyOptions& options) {
    options.operands.describe(sub);
    sub.add_flag("-r,-R,--recursive", options.recursive, "directories with all below them");
    sub.add_flag("-p,--preserve", options.preserve,
                 "owner, mode with its set-id bits, access control lists, and times of the originals");
    sub.add_flag("-n,--no-clobber", options.no_clobber, "replace nothing; -u and -f mean nothing then");
    sub.add_flag("-u,--update", options.update, "copy only what is newer than what is there, or missing there");
    sub.add_flag("-f,--force", options.force, "a file that cannot be written gives its name to a new one");
    sub.add_flag("--checksum", options.checksum, "do not copy a file that is there already, byte for byte");
    describe_choice(sub, options);
}

} // namespace

void describe_choice(Arguments& sub, CopyOptions& options) {
    sub.add_flag("-X,--xattrs", options.xattrs, "extended attributes too");
    sub.add_flag("--devices", options.devices, "make device nodes");
    sub.add_flag("--dry-run", options.dry_run, "only say what would be done; nothing is changed, here or there");
    sub.add_option("--exclude", options.exclude, kExcludeHelp).shown_as("PATTERN");
}

void describe_resume(Arguments& sub, CopyOptions& options) {
    sub.add_flag("--resume", options.resume,
                 "what arrived of a file stays when its copy is cut, beside the target, and the next copy with\n"
                 "this option goes on with it");
}

void add_copying(Commands& commands) {
    commands.add<CopyOptions>(
        {"get", "Copy files from the device to this host", Effect::writes_here},
        [](Arguments& sub, CopyOptions& options) {
            sub.add_option("remote", options.operands.paths,
                           "what to copy, then where to: into it, if it is a directory; - is standard output")
                .required()
                .written_as("REMOTE... LOCAL");
            describe(sub, options);
            describe_resume(sub, options);
        },
        run_get);
    commands.add<CopyOptions>(
        {"put", "Copy files from this host to the device", Effect::changes},
        [](Arguments& sub, CopyOptions& options) {
            sub.add_option("local", options.operands.paths,
                           "what to copy (- is standard input), then where to: into it, if it is a directory")
                .required()
                .written_as("LOCAL... REMOTE");
            describe(sub, options);
            describe_resume(sub, options);
        },
        run_put);
    commands.add<CopyOptions>(
        {"cp", "Copy files from one place of the device to another", Effect::changes},
        [](Arguments& sub, CopyOptions& options) {
            sub.add_option("path", options.operands.paths, "what to copy, then where to: into it, if it is a directory")
                .required()
                .written_as("SOURCE... TARGET");
            describe(sub, options);
        },
        run_cp);
}

} // namespace vfsproto::cli
