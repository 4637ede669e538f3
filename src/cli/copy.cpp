// SPDX-License-Identifier: BSD-2-Clause
// The commands get and put: their options, and the steps both have in common.
#include "copy.hpp"

#include "commands.hpp"
#include "json.hpp"

#include <unistd.h>

namespace vfsproto::cli {

CopyRun::CopyRun(Program& a_program, const CopyOptions& a_options)
    : program(a_program),
      options(a_options),
      mount(a_program.mount()),
      owner(a_options.recursive && ::geteuid() == 0 ? KeepOwner::yes : KeepOwner::no),
      progress(a_program),
      workers(mount) {}

void CopyRun::fail(const std::string& path, const posix::Failure& failure) {
    ++tally.failed;
    if (program.stopping() && !failure.is_fatal()) return;
    program.report(path, failure);
}

bool CopyRun::copy(Side from, Side to, const posix::Attributes& attributes, std::span<std::byte> buffer) {
    progress.expect(attributes.blocks * 512 < attributes.size ? attributes.blocks * 512 : attributes.size);
    const auto result = copy_contents(from.contents, to.contents, {attributes.size, attributes.blocks}, buffer,
                                      [this](std::uint64_t n) {
                                          progress.moved(n);
                                          return !program.stopping();
                                      });
    if (result.side == CopyResult::Side::none) return true;
    fail(result, from.path, to.path);
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
        print_json(program, sums);
    }
    program.check();
}

FileIdentity identity_of(const posix::Attributes& attributes, std::uint64_t space) noexcept {
    return {attributes.ino, space, attributes.size, attributes.ctime, attributes.ctimensec};
}

void add_copying(Commands& commands) {
    commands.add<CopyOptions>(
        "get", "Copy files from the device to this host",
        [](Arguments& sub, CopyOptions& options) {
            sub.add_option("remote", options.from, "what to copy").required();
            sub.add_option("local", options.to, "where to; into it, if it is a directory").required();
            sub.add_flag("-r,--recursive", options.recursive, "directories with all below them");
        },
        run_get);
    commands.add<CopyOptions>(
        "put", "Copy files from this host to the device",
        [](Arguments& sub, CopyOptions& options) {
            sub.add_option("local", options.from, "what to copy").required();
            sub.add_option("remote", options.to, "where to; into it, if it is a directory").required();
            sub.add_flag("-r,--recursive", options.recursive, "directories with all below them");
        },
        run_put);
}

} // namespace vfsproto::cli
