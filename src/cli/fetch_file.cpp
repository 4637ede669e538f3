// SPDX-License-Identifier: BSD-2-Clause
#include "fetch_file.hpp"

#include "half_name.hpp"
#include "same_place.hpp"

#include "vfsproto/backends/passthrough.hpp"

#include <utility>

namespace vfsproto::cli {

namespace {

class Fetching {
public:
    Fetching(CopyRun& run, const IncomingFile& file, LocalTarget& target, std::span<std::byte> buffer)
        : run_(run), file_(file), target_(target), buffer_(buffer) {}

    FileCopy run() {
        if (is_target()) {
            run_.refuse(file_.remote, "is the same file as " + file_.local);
            return FileCopy::failed;
        }
        std::optional<posix::Attributes> there;
        if (target_.there()) there = backends::attr_of(*target_.there());
        const FileCopy wanted = run_.decide(file_.attributes, there, [&] { return are_equal(); });
        if (wanted == FileCopy::same) return keep_attributes(*there);
        if (wanted != FileCopy::copied) return wanted;
        if (run_.options.dry_run) return run_.announce_copy(file_.remote, file_.local, target_.obstacle());
        return copy();
    }

private:
    // Nothing is lost of a file that is to be left as it is.
    bool is_target() {
        const auto here = [&] {
            const auto changed = target_.changed();
            return changed ? std::optional(backends::attr_of(*changed)) : std::nullopt;
        };
        return run_.clobber != Clobber::never &&
               lead_to_one_file(here, [&] { return run_.mount.stat(file_.remote, file_.last); });
    }

    // Opens the source where that was not done yet. False when it fails, which is said.
    bool has_source() {
        if (source_) return true;
        auto opened = run_.mount.open_file(file_.remote,
                                           abi::kORdonly | (file_.last == posix::LastLink::keep ? abi::kONofollow : 0));
        if (!run_.note(file_.remote, opened)) return false;
        source_ = std::move(*opened);
        return true;
    }

    std::optional<bool> are_equal() {
        const auto there = target_.open_there();
        if (!run_.note(file_.local, there) || !has_source()) return std::nullopt;
        RemoteContents from(run_.mount, source_, Kind::regular);
        LocalContents to(there->get());
        return run_.are_equal({from, file_.remote}, {to, file_.local}, buffer_);
    }

    // Returns how much of the source a half holds already. Where it holds anything else it is made anew, and that is 0. Nothing
    // where one of them cannot be read, which is said.
    std::optional<std::uint64_t> half_size() {
        if (!target_.is_half()) return 0;
        const auto held = attributes_of(target_.fd());
        if (held && held->size == 0) return 0;
        RemoteContents from(run_.mount, source_, Kind::regular);
        LocalContents to(target_.fd());
        const auto compared = run_.compare({from, file_.remote}, {to, file_.local}, buffer_);
        if (!compared) return std::nullopt;
        if (compared->second_is_beginning()) return compared->equal_bytes;
        return run_.note(file_.local, target_.restart()) ? std::optional<std::uint64_t>(0) : std::nullopt;
    }

    FileCopy copy() {
        if (!has_source()) return FileCopy::failed;
        const bool resumes = run_.options.resume && target_.is_regular();
        if (resumes) target_.resume_by(half_name(target_.name(), file_.attributes));
        if (const posix::Failure opened = target_.open()) return run_.committed(file_.remote, file_.local, opened);
        const auto held = half_size();
        if (!held) return FileCopy::failed;
        RemoteContents from(run_.mount, source_, Kind::regular);
        LocalContents to(target_.fd(),
                         target_.is_in_order() ? LocalContents::Access::in_order : LocalContents::Access::at_offsets);
        const ContentsSize size{file_.attributes.size, file_.attributes.blocks, *held};
        if (!run_.copy({from, file_.remote}, {to, file_.local}, size, buffer_)) return FileCopy::failed;
        if (target_.is_regular() && !finish()) return FileCopy::failed;
        const FileCopy copied = run_.committed(file_.remote, file_.local, target_.commit());
        const bool has_stale = resumes && copied == FileCopy::copied;
        if (has_stale) run_.stale_halves.remove_beside(target_.directory(), target_.name());
        return copied;
    }

    // Gives the copy its attributes; false when that failed, which is said.
    bool finish() {
        const Xattrs xattrs = run_.xattrs_of(file_.remote, file_.last);
        const int fd = target_.fd();
        return run_.keep(
            file_.local, [&](XattrStep step) { return write_xattrs(fd, xattrs, step); },
            [&] { return finish_file(fd, file_.attributes, run_.keeping, target_.replaced()); });
    }

    // The bytes are there already. The attributes are set where they are to be kept and differ.
    FileCopy keep_attributes(const posix::Attributes& there) {
        if (run_.keeping.preserve == Preserve::nothing && run_.keeping.xattrs == KeptXattrs::none)
            return FileCopy::same;
        const auto file = target_.open_there();
        if (!run_.note(file_.local, file)) return FileCopy::failed;
        const Xattrs xattrs = run_.xattrs_of(file_.remote, file_.last);
        const int fd = file->get();
        const auto write = [&](XattrStep step) { return write_xattrs(fd, xattrs, step); };
        const auto finish = [&] { return refresh_file(fd, file_.attributes, run_.keeping); };
        const bool kept = run_.refresh(
            {file_.local, there, file_.attributes, xattrs}, [&] { return run_.xattrs_of(fd, file_.local); },
            [&] { return run_.keep(file_.local, write, finish); });
        return kept ? FileCopy::same : FileCopy::failed;
    }

    CopyRun& run_;
    const IncomingFile& file_;
    LocalTarget& target_;
    std::span<std::byte> buffer_;
    posix::File source_; // open once it is read
};

} // namespace

FileCopy fetch_file(CopyRun& run, const IncomingFile& file, LocalTarget& target, std::span<std::byte> buffer) {
    return Fetching(run, file, target, buffer).run();
}

} // namespace vfsproto::cli
