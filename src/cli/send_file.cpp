// SPDX-License-Identifier: BSD-2-Clause
#include "send_file.hpp"

#include "half_name.hpp"
#include "paths.hpp"
#include "remote_target.hpp"
#include "remote_tree.hpp"
#include "same_place.hpp"

namespace vfsproto::cli {

namespace {

class Sending {
public:
    Sending(CopyRun& run, const OutgoingFile& file, std::span<std::byte> buffer)
        : run_(run), file_(file), buffer_(buffer) {}

    FileCopy run() {
        auto target = RemoteTarget::at(run_.mount, file_.remote, run_.target_options(file_.existing));
        if (!run_.note(file_.remote, target)) return FileCopy::failed;
        if (is_same(*target)) {
            run_.refuse(file_.local, "is the same file as " + file_.remote);
            return FileCopy::failed;
        }
        const FileCopy wanted = run_.decide(file_.attributes, target->there(), [&] { return are_equal(*target); });
        if (wanted == FileCopy::same) return keep_attributes(*target);
        if (wanted != FileCopy::copied) return wanted;
        if (run_.options.dry_run) return run_.announce_copy(file_.local, file_.remote, target->obstacle());
        return copy(*target);
    }

private:
    // Nothing is lost of a file that is to be left as it is.
    bool is_same(const RemoteTarget& target) const {
        return target.replaced() && run_.clobber != Clobber::never &&
               lead_to_one_file([&] { return attributes_of(file_.fd); },
                                [&] { return run_.mount.stat(target.path(), posix::LastLink::keep); });
    }

    [[nodiscard]] LocalContents contents() const {
        return LocalContents(file_.fd,
                             file_.local == "-" ? LocalContents::Access::in_order : LocalContents::Access::at_offsets);
    }

    std::optional<bool> are_equal(const RemoteTarget& target) {
        if (file_.local == "-") return false; // what was read to be compared would be missing in the copy
        const auto there = run_.mount.open_file(target.path(), abi::kORdonly | abi::kONofollow);
        if (!run_.note(file_.remote, there)) return std::nullopt;
        LocalContents from = contents();
        RemoteContents to(run_.mount, *there, Kind::regular);
        return run_.are_equal({from, file_.local}, {to, file_.remote}, buffer_);
    }

    // Returns how much of the source a half holds already. Where it holds anything else it is made anew, and that is 0. Nothing
    // where one of them cannot be read, which is said.
    std::optional<std::uint64_t> half_size(RemoteTarget& target) {
        if (!target.is_half()) return 0;
        const auto held = run_.mount.stat(target.file());
        if (!run_.note(file_.remote, held)) return std::nullopt;
        if (held->size == 0) return 0;
        LocalContents from = contents();
        RemoteContents to(run_.mount, target.file(), Kind::regular);
        const auto compared = run_.compare({from, file_.local}, {to, file_.remote}, buffer_);
        if (!compared) return std::nullopt;
        if (compared->second_is_beginning()) return compared->equal_bytes;
        return run_.note(file_.remote, target.restart()) ? std::optional<std::uint64_t>(0) : std::nullopt;
    }

    FileCopy copy(RemoteTarget& target) {
        // Pipes and standard input cannot be read again.
        const bool resumes = run_.options.resume && posix::is_regular(file_.attributes.mode) && file_.local != "-";
        if (resumes) target.resume_by(half_name(base_name(target.path()), file_.attributes));
        if (const posix::Failure opened = target.open()) return run_.committed(file_.local, file_.remote, opened);
        const auto held = half_size(target);
        if (!held) return FileCopy::failed;
        LocalContents from = contents();
        RemoteContents to(run_.mount, target.file(), target.is_regular() ? Kind::regular : Kind::other);
        const ContentsSize size{file_.attributes.size, file_.attributes.blocks, *held};
        if (!run_.copy({from, file_.local}, {to, file_.remote}, size, buffer_)) return FileCopy::failed;
        if (target.is_regular() && !finish(target)) return FileCopy::failed;
        const FileCopy copied = run_.committed(file_.local, file_.remote, target.commit());
        if (resumes && copied == FileCopy::copied) run_.stale_halves.remove_beside(run_.mount, target.path());
        return copied;
    }

    // Gives the copy its attributes; false when that failed, which is said.
    bool finish(const RemoteTarget& target) {
        if (!posix::is_regular(file_.attributes.mode)) { // what comes out of a pipe has no attributes to be kept
            posix::Attributes ordinary = file_.attributes;
            ordinary.mode = abi::kSIfreg | 0666;
            const Keeping fresh{Preserve::nothing, run_.keeping.umask, KeptXattrs::none};
            return run_.settle(file_.remote,
                               finish_remote_file(run_.mount, target.file(), ordinary, fresh, target.replaced()));
        }
        const Xattrs xattrs = run_.xattrs_of(file_.fd, file_.local);
        return run_.keep(
            file_.remote, [&](XattrStep step) { return write_xattrs(run_.mount, target.path(), xattrs, step); },
            [&] {
                return finish_remote_file(run_.mount, target.file(), file_.attributes, run_.keeping, target.replaced());
            });
    }

    // The bytes are there already. The attributes are set where they are to be kept and differ.
    FileCopy keep_attributes(const RemoteTarget& target) {
        if (run_.keeping.preserve == Preserve::nothing && run_.keeping.xattrs == KeptXattrs::none)
            return FileCopy::same;
        const Xattrs xattrs = run_.xattrs_of(file_.fd, file_.local);
        const std::string& path = target.path();
        const auto write = [&](XattrStep step) { return write_xattrs(run_.mount, path, xattrs, step); };
        const auto finish = [&] { return finish_remote_at(run_.mount, path, file_.attributes, run_.keeping); };
        const bool kept = run_.refresh(
            {file_.remote, *target.there(), file_.attributes, xattrs},
            [&] { return run_.xattrs_of(path, posix::LastLink::keep); },
            [&] { return run_.keep(file_.remote, write, finish); });
        return kept ? FileCopy::same : FileCopy::failed;
    }

    CopyRun& run_;
    const OutgoingFile& file_;
    std::span<std::byte> buffer_;
};

} // namespace

FileCopy send_file(CopyRun& run, const OutgoingFile& file, std::span<std::byte> buffer) {
    return Sending(run, file, buffer).run();
}

bool wants_pipe(CopyRun& run, const Pipe& pipe) {
    if (!run.looks_at_target()) return true;
    const auto target = RemoteTarget::at(run.mount, pipe.remote, run.target_options(Existing::follow));
    if (!run.note(pipe.remote, target)) return false;
    const auto is_same = [] { return std::optional(false); }; // nobody knows before it is read
    if (run.decide(pipe.attributes, target->there(), is_same) != FileCopy::copied) return false;
    if (!run.options.dry_run) return true;
    static_cast<void>(run.announce_copy(pipe.local, pipe.remote, target->obstacle()));
    return false;
}

} // namespace vfsproto::cli
