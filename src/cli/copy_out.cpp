// SPDX-License-Identifier: BSD-2-Clause
// The command get copies from the device to this host.
#include "copy.hpp"
#include "each_entry.hpp"
#include "fetch_file.hpp"
#include "local_directory.hpp"
#include "local_names.hpp"
#include "local_target.hpp"
#include "mode.hpp"
#include "paths.hpp"
#include "same_place.hpp"
#include "tree_path.hpp"

#include "vfsproto/backends/passthrough.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace vfsproto::cli {

using abi::Errno;
using posix::Failure;

namespace {

// A directory being filled. Its own attributes come last, when nobody has anything to do in it any more.
struct Filled {
    Filled(CopyRun& on, std::shared_ptr<Filled> in) : run(on), parent(std::move(in)) {}
    ~Filled() {
        end();
        end_parents(std::move(parent));
    }
    void end() {
        if (!std::exchange(has_attributes, false)) return;
        const auto fd = directory->open();
        const std::string path = local();
        if (!run.note(path, fd)) return;
        const Xattrs xattrs = run.xattrs_of(remote(), posix::LastLink::keep);
        run.keep(
            path, [&](XattrStep step) { return write_xattrs((*fd)->get(), xattrs, step); },
            [&] { return finish_directory((*fd)->get(), age, attributes, run.keeping); });
    }
    Filled(const Filled&) = delete;
    Filled& operator=(const Filled&) = delete;

    [[nodiscard]] std::string remote() const { return tree_path(*this, &Filled::own_remote); }
    [[nodiscard]] std::string local() const { return tree_path(*this, &Filled::own_local); } // for messages

    CopyRun& run;
    std::shared_ptr<Filled> parent;
    std::shared_ptr<LocalDirectory> directory;
    Age age = Age::old;
    std::string name;                      // on both sides, unless it has paths of its own
    std::optional<std::string> own_remote; // of the directory that the copy begins with
    std::optional<std::string> own_local;  // of the top
    bool has_attributes = false;
    posix::Attributes attributes{};
};

struct Found {
    std::shared_ptr<Filled> parent;
    std::string name;                      // here, and there unless it has a path of its own
    std::optional<std::string> own_remote; // of the file that the copy begins with
    posix::Attributes attributes{};

    [[nodiscard]] std::string remote() const { return own_remote ? *own_remote : join(parent->remote(), name); }
    [[nodiscard]] std::string local() const { return join(parent->local(), name); }
};

// The open directory that a copy is to be in; -1 where a dry run has not made it.
class Place {
public:
    Place(CopyRun& run, const Filled& filled) : known_(filled.directory == nullptr) {
        if (known_) return;
        const auto fd = filled.directory->open();
        known_ = fd || run.note(filled.local(), fd);
        if (known_) fd_ = *fd;
    }
    // False when it cannot be opened, which was said.
    [[nodiscard]] bool is_known() const noexcept { return known_; }
    [[nodiscard]] int fd() const noexcept { return fd_ == nullptr ? -1 : fd_->get(); }

private:
    bool known_;
    LocalDirectory::Descriptor fd_;
};

// Says whether a tree goes into a directory, by its own name, or becomes what has the name.
enum class Into : std::uint8_t { yes, no };

class CopyOut {
public:
    explicit CopyOut(CopyRun& run) : run_(run) {}

    // Copies a file with all that is below it. `local` is the path of the copy, or the directory it goes into.
    void tree(const std::string& remote, const std::string& local, Into into) {
        const auto attributes = run_.program.mount().stat(remote, posix::LastLink::keep); // as the user said it
        if (!run_.note(remote, attributes)) return;
        Found first{std::make_shared<Filled>(run_, nullptr), {}, remote, *attributes};
        source_ = remote;
        if (run_.leaves_out(source_, remote, attributes->mode)) return;
        if (!find_place(first, local, into)) return;
        top_ = first.parent;
        if (first.name.empty()) {
            // "/" has no name: what is in it goes straight into the directory.
            const auto fd = top_->directory->open();
            if (!run_.note(top_path_, fd)) return;
            if (is_target(*attributes, remote, (*fd)->get())) return say_same(remote, top_path_);
            target_ = *fd;
            target_directory_ = top_;
            top_->own_remote = remote;
            list(top_, remote);
            top_->attributes = *attributes;
            top_->has_attributes = !run_.options.dry_run;
        } else {
            take(std::move(first));
        }
        while (!waiting_.empty() && !run_.program.stopping()) {
            Found next = std::move(waiting_.back());
            waiting_.pop_back();
            enter(next);
        }
        waiting_.clear();
        run_.workers.finish();
        target_directory_.reset();
        top_.reset();
    }

private:
    // Opens the directory the first file is to be in, and says what it is to be called there.
    bool find_place(Found& first, const std::string& local, Into into) {
        const std::string_view name = base_name(into == Into::yes ? source_ : local);
        Filled& place = *first.parent;
        top_path_ = into == Into::yes || name.empty() ? local : directory_name(local);
        place.own_local = top_path_;
        first.name = name;
        FileDescriptor fd(::open(top_path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!fd) {
            run_.fail(top_path_, local_failure(errno));
            return false;
        }
        place.directory = std::make_shared<LocalDirectory>(std::move(fd));
        return true;
    }

    void list(const std::shared_ptr<Filled>& into, const std::string& remote) {
        const auto take_all = [&](std::vector<posix::DirectoryEntry>& entries) { take_entries(into, remote, entries); };
        run_.note(remote, each_entry(run_.mount, remote, client::DirectoryFormat::direntpluses, take_all));
    }

    void take_entries(const std::shared_ptr<Filled>& into, const std::string& remote,
                      std::vector<posix::DirectoryEntry>& entries) {
        for (posix::DirectoryEntry& entry : entries) {
            if (run_.program.stopping()) return;
            Found found{into, std::move(entry.name), {}, entry.attributes};
            const std::string path = join(remote, found.name);
            if (!is_single_component(found.name)) {
                run_.fail(path, Errc::protocol_violation);
                continue;
            }
            if (!entry.has_attributes) {
                const auto attributes = run_.mount.stat(path, posix::LastLink::keep);
                if (!run_.note(path, attributes)) continue;
                found.attributes = *attributes;
            }
            if (run_.leaves_out(source_, path, found.attributes.mode)) continue;
            take(std::move(found));
        }
    }

    void take(Found found) {
        switch (abi::file_type(found.attributes.mode)) {
        case abi::kSIfdir: waiting_.push_back(std::move(found)); break;
        case abi::kSIfreg: file(std::move(found)); break;
        case abi::kSIflnk: symlink(found); break;
        default: special(found); break;
        }
    }

    void enter(const Found& found) {
        const std::string remote = found.remote();
        if (target_ != nullptr && is_target(found.attributes, remote, target_->get())) {
            return run_.refuse(remote, "cannot copy a directory into itself, " + target_directory_->local());
        }
        const Place place(run_, *found.parent);
        if (!place.is_known()) return;
        const std::string local = found.local();
        auto made = make_directory_at(place, found);
        if (!run_.note(local, made)) return;
        const bool is_first = target_directory_ == nullptr;
        const bool exists = static_cast<bool>(made->fd); // not what a dry run leaves unmade
        if (is_first && exists && is_target(found.attributes, remote, made->fd.get())) return say_same(remote, local);
        auto filled = std::make_shared<Filled>(run_, found.parent);
        filled->age = made->age;
        if (exists) {
            filled->directory =
                std::make_shared<LocalDirectory>(found.parent->directory, found.name, std::move(made->fd));
        }
        if (is_first && exists) {
            const auto fd = filled->directory->open();
            if (!run_.note(local, fd)) return;
            target_ = *fd;
        }
        filled->name = found.name;
        filled->own_remote = found.own_remote;
        filled->attributes = found.attributes;
        filled->has_attributes = !run_.options.dry_run;
        run_.copied(run_.tally.directories, {"directory", remote, local});
        if (is_first) target_directory_ = filled;
        list(filled, remote);
    }

    // Makes a directory, or says in a dry run that it would.
    posix::Expected<MadeDirectory> make_directory_at(const Place& place, const Found& found) {
        if (!run_.options.dry_run) return make_directory(place.fd(), found.name);
        auto there = find_directory(place.fd(), found.name);
        if (there && !there->fd) run_.would("make directory", {}, found.local());
        return there;
    }

    // True if a directory of the share is the local one that `fd` is open on.
    bool is_target(const posix::Attributes& there, const std::string& remote, int fd) {
        if (!run_.options.dry_run) return shows_there(run_.mount, remote, there, fd);
        // A dry run may make nothing to find this out.
        return lead_to_one_file([fd] { return attributes_of(fd); }, [&] { return run_.mount.stat(remote); });
    }
    void say_same(const std::string& remote, const std::string& local) {
        run_.refuse(remote, "is the same directory as " + local);
    }
    void file(Found found) {
        const bool has_names = found.attributes.nlink > 1;
        if (!has_names) return copy(std::move(found), nullptr);
        const FileIdentity identity = identity_of(found.attributes, 0);
        const std::string remote = found.remote();
        const auto links =
            run_.links.find(identity, found.attributes.nlink, {remote, below_top(found)},
                            [&](const std::string& first) { return is_one_remote_file(run_.mount, remote, first); });
        if (links.first && link(found, links.first->copy)) return;
        copy(std::move(found), links.to_copy);
    }

    // Returns the path below the top.
    [[nodiscard]] std::string below_top(const Found& found) const {
        const std::string local = found.local();
        std::string_view below = std::string_view(local).substr(top_path_.size());
        while (below.starts_with('/')) below.remove_prefix(1);
        return std::string(below);
    }

    // Copies one file, and tells `linked`, if there is one, how that went: other names of the file become links to the
    // copy.
    void copy(Found found, HardLinks::Known* linked) {
        CopyRun& run = run_;
        run_.give([&run, linked, found = std::move(found)](std::span<std::byte> buffer) {
            const FileCopy copied = run.program.stopping() ? FileCopy::failed : copy_file(run, found, buffer);
            const bool is_copy = copied == FileCopy::copied || copied == FileCopy::same;
            if (linked != nullptr)
                run.links.copied(*linked, is_copy ? HardLinks::Copied::yes : HardLinks::Copied::failed);
        });
    }

    static FileCopy copy_file(CopyRun& run, const Found& found, std::span<std::byte> buffer) {
        const std::string local = found.local();
        const Place place(run, *found.parent);
        if (!place.is_known()) return FileCopy::failed;
        auto target = LocalTarget::at(place.fd(), found.name, run.target_options(Existing::replace));
        if (!run.note(local, target)) return FileCopy::failed;
        const std::string remote = found.remote();
        return fetch_file(run, {remote, local, found.attributes, posix::LastLink::keep}, *target, buffer);
    }

    // Looks at what has the name of a link or a special file, where that counts. True: it is to be made.
    template <class IsSame>
    bool is_to_be_made(const Found& found, const Place& place, const CopyRun::NewFile& made, IsSame&& is_same) {
        if (!place.is_known()) return false;
        if (!run_.looks_at_target()) return true;
        const auto target = LocalTarget::at(place.fd(), found.name, run_.target_options(Existing::replace));
        if (!run_.note(made.to, target)) return false;
        std::optional<posix::Attributes> there;
        if (target->there()) there = backends::attr_of(*target->there());
        const FileCopy wanted = run_.decide_made(made, found.attributes, there, [&] { return is_same(*there); });
        if (wanted == FileCopy::same) refresh(found, place, *there);
        return wanted == FileCopy::copied;
    }

    // True if the second name became a link, or is to be none. False: there can be no link; it is to be copied.
    bool link(const Found& found, const std::string& first) {
        const Place place(run_, *found.parent);
        const auto top = top_->directory->open();
        if (!place.is_known() || !run_.note(top_path_, top)) return true;
        const std::string local = found.local();
        if (run_.looks_at_target()) {
            const auto target = LocalTarget::at(place.fd(), found.name, run_.target_options(Existing::replace));
            if (!run_.note(local, target)) return true;
            std::optional<posix::Attributes> there;
            if (target->there()) there = backends::attr_of(*target->there());
            const std::string copy = join(top_path_, first);
            const auto is_linked = [&] {
                const auto below = find_below((*top)->get(), first);
                struct stat info{};
                return below &&
                       ::fstatat(below->directory.get(), below->name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                       info.st_ino == target->there()->st_ino && info.st_dev == target->there()->st_dev;
            };
            const CopyRun::NewFile made{"link", copy, local, Replaces::files_and_links, run_.tally.hard_links};
            const FileCopy wanted = run_.decide_link(made, found.attributes, there, is_linked);
            if (wanted != FileCopy::copied) return true;
        }
        const NewName at{place.fd(), found.name, run_.replaces(Replaces::files_and_links)};
        const Failure failure = make_link(at, (*top)->get(), first);
        if (failure.happened()) {
            const bool in_the_way = failure.error == Errno::eisdir || failure.error == Errno::eexist;
            if (in_the_way) return static_cast<void>(run_.made(local, failure)), true;
            run_.without_hard_links(local, failure);
            return false;
        }
        const std::string remote = found.remote();
        run_.copied(run_.tally.hard_links, {"hard link", remote, local});
        return true;
    }

    void symlink(const Found& found) {
        const std::string remote = found.remote();
        const auto target = run_.mount.readlink(remote);
        if (!run_.note(remote, target)) return;
        const Place place(run_, *found.parent);
        const std::string local = found.local();
        const auto is_same = [&](const posix::Attributes&) -> std::optional<bool> {
            std::string there(abi::kPathMax + 1, '\0');
            const ssize_t length = ::readlinkat(place.fd(), found.name.c_str(), there.data(), there.size());
            return length >= 0 && std::string_view(there).substr(0, static_cast<std::size_t>(length)) == *target;
        };
        const CopyRun::NewFile made{"copy", remote, local, Replaces::files_and_links, run_.tally.symlinks};
        if (!is_to_be_made(found, place, made, is_same)) return;
        const NewName at{place.fd(), found.name, run_.replaces(made.replaces)};
        if (!run_.made(local, make_symlink(at, *target))) return;
        run_.copied(made.count, {"symlink", remote, local});
        set_attributes_of(found, place);
    }

    void special(const Found& found) {
        const std::string remote = found.remote();
        if (!run_.wants_node(remote, found.attributes.mode)) return;
        const Place place(run_, *found.parent);
        const std::string local = found.local();
        // A FIFO has no device.
        const auto is_same = [&](const posix::Attributes& there) -> std::optional<bool> {
            return there.rdev == found.attributes.rdev;
        };
        const CopyRun::NewFile made{"copy", remote, local, Replaces::special_files_too, run_.tally.special_files};
        if (!is_to_be_made(found, place, made, is_same)) return;
        const std::uint32_t mode = node_mode(found.attributes.mode, run_.keeping);
        const NewName at{place.fd(), found.name, run_.replaces(made.replaces)};
        if (!run_.made(local, make_node(at, mode, found.attributes.rdev))) return;
        run_.copied(made.count, {type_name(mode), remote, local});
        set_attributes_of(found, place);
    }

    void set_attributes_of(const Found& found, const Place& place) {
        static_cast<void>(set_attributes(found, place, run_.unopened_xattrs_of(found.remote(), found.attributes.mode)));
    }

    bool set_attributes(const Found& found, const Place& place, const Xattrs& xattrs) {
        return run_.keep(
            found.local(), [&](XattrStep step) { return write_xattrs_at(place.fd(), found.name, xattrs, step); },
            [&] { return finish_at(place.fd(), found.name, found.attributes, run_.keeping); });
    }

    // The link or the node is there already. Its attributes are set where they are to be kept and differ.
    void refresh(const Found& found, const Place& place, const posix::Attributes& there) {
        const std::string local = found.local();
        const Xattrs xattrs = run_.unopened_xattrs_of(found.remote(), found.attributes.mode);
        run_.refresh(
            {local, there, found.attributes, xattrs},
            [&] { return run_.unopened_xattrs_of(place.fd(), found.name, there.mode, local); },
            [&] { return set_attributes(found, place, xattrs); });
    }

    CopyRun& run_;
    std::string source_;   // the path that the paths of all files begin with
    std::string top_path_; // here
    std::shared_ptr<Filled> top_;
    std::vector<Found> waiting_;        // directories to be entered
    LocalDirectory::Descriptor target_; // the directory that the tree becomes, once it is there
    std::shared_ptr<Filled> target_directory_;
};

bool is_standard_output(const std::string& local) {
    if (local == "-") return true;
    struct stat there{};
    struct stat out{};
    return ::stat(local.c_str(), &there) == 0 && ::fstat(STDOUT_FILENO, &out) == 0 && out.st_dev == there.st_dev &&
           out.st_ino == there.st_ino;
}

// Finds what the user named as the target of one file. Links are followed.
posix::Expected<LocalTarget> find_target(CopyRun& run, FileDescriptor& directory, const std::string& local) {
    struct stat there{};
    // /dev/stdout is not opened again: what was written before is not lost.
    if (is_standard_output(local)) return LocalTarget::inherited(STDOUT_FILENO);
    const bool exists = ::stat(local.c_str(), &there) == 0;
    if (exists && !S_ISREG(there.st_mode)) return LocalTarget::special(local);
    std::string path = local;
    if (struct stat link{}; ::lstat(local.c_str(), &link) == 0 && S_ISLNK(link.st_mode)) {
        const std::optional<std::string> real = real_path(local);
        if (!real) return local_failure(errno); // a link that leads nowhere is not written through
        path = *real;
    }
    if (base_name(path).empty() || path.back() == '/') return Errno::enoent;
    directory = FileDescriptor(::open(directory_name(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return local_failure(errno);
    return LocalTarget::at(directory.get(), std::string(base_name(path)), run.target_options(Existing::follow));
}

void copy_to(CopyRun& run, const posix::Attributes& attributes, const std::string& remote, const std::string& local,
             std::span<std::byte> buffer) {
    FileDescriptor directory;
    auto target = find_target(run, directory, local);
    if (!run.note(local, target)) return;
    static_cast<void>(fetch_file(run, {remote, local, attributes, posix::LastLink::follow}, *target, buffer));
}

// Copies one file to where the user says, links followed on both sides.
void get_file(CopyRun& run, const std::string& remote, const std::string& local) {
    const auto attributes = run.program.mount().stat(remote);
    if (!run.note(remote, attributes)) return;
    if (posix::is_directory(attributes->mode)) {
        return run.refuse(remote, Errno::eisdir, "get -r copies directories");
    }
    if (!posix::is_regular(attributes->mode)) return run.refuse(remote, "not a regular file: get -r copies those");
    if (run.leaves_out(remote, remote, attributes->mode)) return;
    run.give([&run, remote, local, attributes = *attributes](std::span<std::byte> buffer) {
        copy_to(run, attributes, remote, local, buffer);
    });
}

posix::Expected<bool> is_local_directory(const std::string& path) {
    if (path == "-") return false;
    struct stat there{};
    if (::stat(path.c_str(), &there) != 0) return local_failure(errno);
    return S_ISDIR(there.st_mode);
}

} // namespace

void get_tree(CopyRun& run, const std::string& source, const std::string& target) {
    const mode_t umask = ::umask(0); // special files get their modes when they are made
    CopyOut(run).tree(source, target, Into::no);
    ::umask(umask);
}

void run_get(Program& program, const CopyOptions& options) {
    options.operands.check(program);
    if (program.wants_json() && is_standard_output(options.operands.target())) {
        program.refuse(options.operands.target(), "the lines of --json go there: cat writes files to standard output");
    }
    Destination destination(program, options.operands, is_local_directory(options.operands.target()));
    CopyRun run(program, options);
    const mode_t umask = options.recursive ? ::umask(0) : 0; // special files get their modes when they are made
    run.each_source(destination, [&](const std::string& source) {
        if (options.recursive) {
            CopyOut(run).tree(source, options.operands.target(), destination.is_directory() ? Into::yes : Into::no);
        } else {
            get_file(run, source, destination.of(source));
        }
    });
    if (options.recursive) ::umask(umask);
    run.finish();
}

} // namespace vfsproto::cli
