// SPDX-License-Identifier: BSD-2-Clause
// The command cp copies from one place of the device to another. The server copies the bytes of a file itself where it
// can.
#include "copy.hpp"
#include "interrupt.hpp"
#include "mode.hpp"
#include "paths.hpp"
#include "remote_target.hpp"
#include "remote_tree.hpp"
#include "remote_walk.hpp"
#include "same_place.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace vfsproto::cli {

using abi::Errno;
using posix::Failure;
using posix::LastLink;

namespace {

// A pair is a file and what it is to become.
struct Pair {
    std::string from;
    std::string to;
    posix::Attributes attributes{};
    Existing existing = Existing::follow;

    // A link at the end of `from` is followed as one at the end of `to` is.
    [[nodiscard]] LastLink last() const noexcept {
        return existing == Existing::follow ? LastLink::follow : LastLink::keep;
    }
};

enum class Copied : std::uint8_t { all, nothing, failed };

// Lets the server copy the bytes, a piece at a time so that the program can be stopped. `nothing` where it does not, or not up
// to the end: then the target is as good as empty. Files of /proc hold more than their size tells.
Copied copy_by_server(CopyRun& run, const posix::File& from, const posix::File& to, const Pair& pair) {
    constexpr std::uint64_t kPiece = std::uint64_t{16} << 20; // bytes
    const ContentsSize size{pair.attributes.size, pair.attributes.blocks};
    if (size.bytes == 0 || size.has_holes()) return Copied::nothing;
    run.progress.expect(size.bytes);
    for (std::uint64_t at = 0;;) {
        if (run.program.stopping() || latest_interrupt() != 0) {
            ++run.tally.failed;
            return Copied::failed;
        }
        const auto count = run.mount.copy_range(from, at, to, at, kPiece);
        if (!count && at == 0 && !count.failure().is_fatal() && !is_unanswered(count))
            return Copied::nothing; // reading and writing may still do
        if (!run.note(pair.to, count)) return Copied::failed;
        // A server that stops before the told end may be wrong, so the file is read to find its end.
        if (*count == 0) return at < size.bytes ? Copied::nothing : Copied::all;
        at += *count;
        run.progress.moved(*count);
    }
}

bool copy_bytes(CopyRun& run, const posix::File& from, const RemoteTarget& target, const Pair& pair,
                std::span<std::byte> buffer) {
    if (target.is_regular()) {
        const Copied copied = copy_by_server(run, from, target.file(), pair);
        if (copied != Copied::nothing) return copied == Copied::all;
        // The server may have copied more than there is by now.
        if (!run.note(pair.to, run.mount.truncate(target.file(), 0))) return false;
    }
    RemoteContents source(run.mount, from, Kind::regular);
    RemoteContents copy(run.mount, target.file(), target.is_regular() ? Kind::regular : Kind::other);
    const ContentsSize size{pair.attributes.size, pair.attributes.blocks};
    return run.copy({source, pair.from}, {copy, pair.to}, size, buffer);
}

// Gives the copy its attributes; false when that failed, which is said.
bool finish(CopyRun& run, const RemoteTarget& target, const Pair& pair) {
    const Xattrs xattrs = run.xattrs_of(pair.from, pair.last());
    return run.keep(
        pair.to, [&](XattrStep step) { return write_xattrs(run.mount, target.path(), xattrs, step); },
        [&] { return finish_remote_file(run.mount, target.file(), pair.attributes, run.keeping, target.replaced()); });
}

std::optional<bool> are_equal(CopyRun& run, const posix::File& from, const RemoteTarget& target, const Pair& pair,
                              std::span<std::byte> buffer) {
    const auto there = run.mount.open_file(target.path(), abi::kORdonly | abi::kONofollow);
    if (!run.note(pair.to, there)) return std::nullopt;
    RemoteContents source(run.mount, from, Kind::regular);
    RemoteContents copy(run.mount, *there, Kind::regular);
    return run.are_equal({source, pair.from}, {copy, pair.to}, buffer);
}

FileCopy make_copy(CopyRun& run, const posix::File& from, RemoteTarget& target, const Pair& pair,
                   std::span<std::byte> buffer) {
    if (const Failure opened = target.open()) return run.committed(pair.from, pair.to, opened);
    if (!copy_bytes(run, from, target, pair, buffer)) return FileCopy::failed;
    if (target.is_regular() && !finish(run, target, pair)) return FileCopy::failed;
    return run.committed(pair.from, pair.to, target.commit());
}

// Sets the attributes of what is not opened for that; `path` is where the links at the end of `pair.to` lead.
bool set_attributes(CopyRun& run, const Pair& pair, const std::string& path, const Xattrs& xattrs) {
    return run.keep(
        pair.to, [&](XattrStep step) { return write_xattrs(run.mount, path, xattrs, step); },
        [&] { return finish_remote_at(run.mount, path, pair.attributes, run.keeping); });
}

Xattrs source_xattrs_of(CopyRun& run, const Pair& pair) {
    return posix::is_regular(pair.attributes.mode) ? run.xattrs_of(pair.from, pair.last())
                                                   : run.unopened_xattrs_of(pair.from, pair.attributes.mode);
}

// Called when the target is such a copy already. Its attributes are set where they are to be kept and differ.
void refresh(CopyRun& run, const Pair& pair, const std::string& path, const posix::Attributes& there) {
    const Xattrs xattrs = source_xattrs_of(run, pair);
    run.refresh(
        {pair.to, there, pair.attributes, xattrs}, [&] { return run.unopened_xattrs_of(path, there.mode); },
        [&] { return set_attributes(run, pair, path, xattrs); });
}

void copy_file(CopyRun& run, const Pair& pair, std::span<std::byte> buffer) {
    const LastLink last = pair.last();
    const auto from = run.mount.open_file(pair.from, abi::kORdonly | (last == LastLink::keep ? abi::kONofollow : 0));
    if (!run.note(pair.from, from)) return;
    // This is found out before the target is opened: a file of several names is emptied then. Nothing is lost of a file that
    // is to be left as it is.
    if (run.clobber != Clobber::never &&
        lead_to_one_file([&] { return run.mount.stat(*from); }, [&] { return run.mount.stat(pair.to, last); })) {
        return run.refuse(pair.from, "is the same file as " + pair.to);
    }
    auto target = RemoteTarget::at(run.mount, pair.to, run.target_options(pair.existing));
    if (!run.note(pair.to, target)) return;
    const auto is_same = [&] { return are_equal(run, *from, *target, pair, buffer); };
    const FileCopy wanted = run.decide(pair.attributes, target->there(), is_same);
    if (wanted == FileCopy::same) {
        refresh(run, pair, target->path(), *target->there());
    } else if (wanted == FileCopy::copied && run.options.dry_run) {
        static_cast<void>(run.announce_copy(pair.from, pair.to, target->obstacle()));
    } else if (wanted == FileCopy::copied) {
        static_cast<void>(make_copy(run, *from, *target, pair, buffer));
    }
}

void give_file(CopyRun& run, Pair pair) {
    run.give([&run, pair = std::move(pair)](std::span<std::byte> buffer) {
        if (!run.program.stopping()) copy_file(run, pair, buffer);
    });
}

// Copies one file to where the user says, links followed on both sides.
void copy_one(CopyRun& run, const std::string& from, const std::string& to) {
    const auto there = run.program.mount().stat(from);
    if (!run.note(from, there)) return;
    if (posix::is_directory(there->mode)) {
        return run.refuse(from, Errno::eisdir, "cp -r copies directories");
    }
    if (!posix::is_regular(there->mode)) return run.refuse(from, "not a regular file: cp -r copies those");
    if (run.leaves_out(from, from, there->mode)) return;
    give_file(run, {from, to, *there, Existing::follow});
}

// Copies a file with all that is below it.
class CopyWithin {
public:
    CopyWithin(CopyRun& run, std::string from, std::string to)
        : run_(run), from_(std::move(from)), to_(std::move(to)) {}

    void tree() {
        const Visitor visitor{[this](const Visited& file) { return take(file); }, {}};
        walk_remote(run_.program, from_, LastLink::keep, visitor);
        run_.workers.finish();
        // The attributes of directories come last, when nobody has anything to do in them any more.
        std::for_each(directories_.rbegin(), directories_.rend(), [this](const Made& made) { finish(made); });
    }

private:
    // A directory of the copy. Its paths are put together when they are asked for: if each kept its own, the memory of a deep tree
    // would grow with the square of its depth.
    struct Made {
        std::string name;   // "" of the one that the copy begins with
        std::size_t parent; // an index; smaller than its own
        posix::Attributes attributes;
        Age age;
    };

    Descend take(const Visited& file) {
        if (run_.program.stopping() || run_.leaves_out(from_, file.path, file.attributes.mode)) return Descend::no;
        Pair pair{file.path, copy_of(file), file.attributes, Existing::replace};
        switch (abi::file_type(file.attributes.mode)) {
        case abi::kSIfdir: return enter(pair, file.level);
        case abi::kSIfreg: give_file(run_, std::move(pair)); break;
        case abi::kSIflnk: symlink(pair); break;
        default: special(pair); break;
        }
        return Descend::no;
    }

    [[nodiscard]] std::string copy_of(const Visited& file) const {
        if (file.level == 0) return to_;
        std::string_view below = std::string_view(file.path).substr(from_.size());
        while (below.starts_with('/')) below.remove_prefix(1);
        return join(to_, below);
    }

    Descend enter(const Pair& pair, unsigned level) {
        if (is_target(pair.from)) {
            run_.refuse(pair.from,
                        level == 0 ? "is the same directory as " + to_ : "cannot copy a directory into itself, " + to_);
            return Descend::no;
        }
        const bool dry = run_.options.dry_run;
        const auto made = dry ? find_remote_directory(run_.mount, pair.to) : make_remote_directory(run_.mount, pair.to);
        if (!run_.note(pair.to, made)) return Descend::no;
        run_.copied(run_.tally.directories, {"directory", pair.from, pair.to});
        if (dry && *made) run_.would("make directory", {}, pair.to);
        if (dry) return Descend::yes;
        inside_.resize(level);
        const std::string name(level == 0 ? std::string_view() : base_name(pair.to));
        directories_.push_back({name, level == 0 ? 0 : inside_.back(), pair.attributes, *made ? Age::fresh : Age::old});
        inside_.push_back(directories_.size() - 1);
        return Descend::yes;
    }

    // True if a directory of the source is the one that the copy becomes. Files come into the copy meanwhile.
    bool is_target(const std::string& directory) {
        return lead_to_one_file([&] { return run_.mount.stat(to_); }, [&] { return run_.mount.stat(directory); });
    }

    // Looks at what has the name of a link or a special file, where that counts. True: it is to be made.
    template <class IsSame> bool is_to_be_made(const Pair& pair, const CopyRun::NewFile& made, IsSame&& is_same) {
        if (run_.clobber != Clobber::never && is_same_name(pair)) return false;
        if (!run_.looks_at_target()) return true;
        const auto target = RemoteTarget::at(run_.mount, pair.to, run_.target_options(Existing::replace));
        if (!run_.note(pair.to, target)) return false;
        const FileCopy wanted =
            run_.decide_made(made, pair.attributes, target->there(), [&] { return is_same(*target->there()); });
        if (wanted == FileCopy::same) refresh(run_, pair, pair.to, *target->there());
        return wanted == FileCopy::copied;
    }

    void symlink(const Pair& pair) {
        const auto target = run_.mount.readlink(pair.from);
        if (!run_.note(pair.from, target)) return;
        const auto is_same = [&](const posix::Attributes&) -> std::optional<bool> {
            const auto there = run_.mount.readlink(pair.to);
            return run_.note(pair.to, there) ? std::optional(*there == *target) : std::nullopt;
        };
        const CopyRun::NewFile made{"copy", pair.from, pair.to, Replaces::files_and_links, run_.tally.symlinks};
        if (!is_to_be_made(pair, made, is_same)) return;
        const NewPath at{pair.to, run_.replaces(made.replaces)};
        if (!run_.made(pair.to, make_remote_symlink(run_.mount, at, *target))) return;
        run_.copied(made.count, {"symlink", pair.from, pair.to});
        set_attributes(run_, pair, pair.to, source_xattrs_of(run_, pair));
    }

    void special(const Pair& pair) {
        if (!run_.wants_node(pair.from, pair.attributes.mode)) return;
        // A FIFO has no device.
        const auto is_same = [&](const posix::Attributes& there) -> std::optional<bool> {
            return there.rdev == pair.attributes.rdev;
        };
        const CopyRun::NewFile made{"copy", pair.from, pair.to, Replaces::special_files_too, run_.tally.special_files};
        if (!is_to_be_made(pair, made, is_same)) return;
        const std::uint32_t mode = node_mode(pair.attributes.mode, run_.keeping);
        const NewPath at{pair.to, run_.replaces(made.replaces)};
        if (!run_.made(pair.to, make_remote_node(run_.mount, at, mode, pair.attributes.rdev))) return;
        run_.copied(made.count, {type_name(mode), pair.from, pair.to});
        set_attributes(run_, pair, pair.to, source_xattrs_of(run_, pair));
    }

    // Refuses what would remove the source to make the copy.
    bool is_same_name(const Pair& pair) {
        const auto is_reached_by = [&](LastLink last) {
            return lead_to_one_file([&] { return run_.mount.stat(pair.from, last); },
                                    [&] { return run_.mount.stat(pair.to, LastLink::keep); });
        };
        // A link in the place of the file that it leads to would leave nothing of the file.
        const bool is_link = posix::is_symlink(pair.attributes.mode);
        const bool same = is_reached_by(LastLink::keep) || (is_link && is_reached_by(LastLink::follow));
        if (same) run_.refuse(pair.from, "is the same file as " + pair.to);
        return same;
    }

    void finish(const Made& made) {
        if (run_.program.stopping()) return;
        const Xattrs xattrs = run_.xattrs_of(path_of(made, from_), LastLink::keep);
        const std::string to = path_of(made, to_);
        run_.keep(
            to, [&](XattrStep step) { return write_xattrs(run_.mount, to, xattrs, step); },
            [&] { return finish_remote_directory(run_.mount, to, made.age, made.attributes, run_.keeping); });
    }

    // Returns the path of a directory below the one that the copy begins with on one side.
    [[nodiscard]] std::string path_of(const Made& made, std::string path) const {
        std::vector<std::string_view> names;
        for (const Made* at = &made; !at->name.empty(); at = &directories_[at->parent]) names.push_back(at->name);
        std::for_each(names.rbegin(), names.rend(), [&path](std::string_view name) { append_name(path, name); });
        return path;
    }

    CopyRun& run_;
    const std::string from_;
    const std::string to_;
    std::vector<Made> directories_;
    std::vector<std::size_t> inside_; // the directories that the walk is in
};

} // namespace

void run_cp(Program& program, const CopyOptions& options) {
    options.operands.check(program);
    Destination destination(program, options.operands, is_remote_directory(program.mount(), options.operands.target()));
    CopyRun run(program, options);
    run.each_source(destination, [&](const std::string& source) {
        if (options.recursive) {
            CopyWithin(run, source, destination.of(source)).tree();
        } else {
            copy_one(run, source, destination.of(source));
        }
    });
    run.finish();
}

} // namespace vfsproto::cli
