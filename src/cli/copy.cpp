// SPDX-License-Identifier: BSD-2-Clause
// The commands get, put and cp: their options, and the steps they have in common.
#include "copy.hpp"

#include "commands.hpp"
#include "interrupt.hpp"
#include "json.hpp"

#include <utility>

namespace vfsproto::cli {

namespace {

KeptXattrs kept_xattrs(const CopyOptions& options) noexcept {
    if (options.xattrs) return KeptXattrs::all;
    return options.preserve ? KeptXattrs::acls : KeptXattrs::none;
}

} // namespace

CopyRun::CopyRun(Program& a_program, const CopyOptions& a_options)
    : program(a_program),
      options(a_options),
      mount(a_program.mount()),
      keeping{a_options.preserve ? Preserve::all : Preserve::nothing, a_program.umask(), kept_xattrs(a_options)},
      progress(a_program),
      workers(mount) {}

void CopyRun::fail(const std::string& path, const posix::Failure& failure) {
    ++tally.failed;
    if (program.stopping() && !failure.is_fatal()) return;
    program.report(path, failure);
}

void CopyRun::copied(std::atomic<std::uint64_t>& count, const Copied& what) {
    ++count;
    if (!program.wants_json()) return;
    Json line;
    line.set("type", what.type);
    add_text(line, "path", what.path);
    add_text(line, "target", what.target);
    program.put_lines(line.dump() + '\n');
}

bool CopyRun::copy(Side from, Side to, const posix::Attributes& attributes, std::span<std::byte> buffer) {
    progress.expect(attributes.blocks * 512 < attributes.size ? attributes.blocks * 512 : attributes.size);
    const auto result = copy_contents(from.contents, to.contents, {attributes.size, attributes.blocks}, buffer,
                                      [this](std::uint64_t n) {
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

Xattrs CopyRun::xattrs_of(const std::string& remote) {
    return usable(read_xattrs(mount, remote, keeping.xattrs), remote);
}

// A symbolic link has no access control list.
KeptXattrs CopyRun::kept_unopened(std::uint32_t mode) const noexcept {
    return posix::is_symlink(mode) && keeping.xattrs != KeptXattrs::all ? KeptXattrs::none : keeping.xattrs;
}

Xattrs CopyRun::unopened_xattrs_of(int parent, const std::string& name, std::uint32_t mode, const std::string& path) {
    return usable(read_xattrs_at(parent, name, kept_unopened(mode)), path);
}

Xattrs CopyRun::unopened_xattrs_of(const std::string& remote, std::uint32_t mode) {
    return usable(read_xattrs(mount, remote, kept_unopened(mode)), remote);
}

void CopyRun::without_hard_links(const std::string& path, const posix::Failure& why) {
    const std::lock_guard lock(warned_mutex);
    if (std::exchange(warned_of_links, true)) return;
    program.warn(path, why, "no hard links there, each name becomes a file; this is said once");
}

bool CopyRun::wants_node(const std::string& path, std::uint32_t mode) {
    const std::uint32_t type = wire::linux_abi::file_type(mode);
    if (options.devices || (type != wire::linux_abi::kSIfchr && type != wire::linux_abi::kSIfblk)) return true;
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
        sums.set("failed", tally.failed.load());
        Json line;
        line.set("copied", sums);
        print_json(program, line);
    }
    program.check();
}

namespace {

void describe(Arguments& sub, CopyOptions& options) {
    options.operands.describe(sub);
    sub.add_flag("-r,-R,--recursive", options.recursive, "directories with all below them");
    sub.add_flag("-p,--preserve", options.preserve,
                 "owner, mode with its set-id bits, access control lists, and times of the originals");
    sub.add_flag("-X,--xattrs", options.xattrs, "extended attributes too");
    sub.add_flag("--devices", options.devices, "make device nodes");
}

} // namespace

void add_copying(Commands& commands) {
    commands.add<CopyOptions>(
        {"get", "Copy files from the device to this host"},
        [](Arguments& sub, CopyOptions& options) {
            sub.add_option("remote", options.operands.paths,
                           "what to copy, then where to: into it, if it is a directory; - is standard output")
                .required()
                .written_as("REMOTE... LOCAL");
            describe(sub, options);
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
