// SPDX-License-Identifier: BSD-2-Clause
// The command put copies from this host to the device.
#include "copy.hpp"
#include "interrupt.hpp"
#include "local_directory.hpp"
#include "local_names.hpp"
#include "mode.hpp"
#include "paths.hpp"
#include "remote_target.hpp"
#include "remote_tree.hpp"
#include "same_place.hpp"
#include "send_file.hpp"
#include "tree_path.hpp"

#include "vfsproto/backends/passthrough.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace vfsproto::cli {

using abi::Errno;
using posix::Failure;

namespace {

// A directory being sent. The copy's own attributes come last, when nobody has anything to do in it any more.
struct Sent {
    Sent(CopyRun& on, std::shared_ptr<Sent> in) : run(on), parent(std::move(in)) {}
    ~Sent() {
        end();
        end_parents(std::move(parent));
    }
    void end() {
        if (!std::exchange(has_attributes, false) || run.program.stopping()) return;
        const auto fd = directory->open();
        if (!fd) return run.fail(local(), fd.failure());
        const Xattrs xattrs = run.xattrs_of((*fd)->get(), local());
        const std::string path = remote();
        run.keep(
            path, [&](XattrStep step) { return write_xattrs(run.mount, path, xattrs, step); },
            [&] { return finish_remote_directory(run.mount, path, age, attributes, run.keeping); });
    }
    Sent(const Sent&) = delete;
    Sent& operator=(const Sent&) = delete;

    [[nodiscard]] std::string local() const { return tree_path(*this, &Sent::own_local); } // for messages
    [[nodiscard]] std::string remote() const { return tree_path(*this, &Sent::own_remote); }

    CopyRun& run;
    std::shared_ptr<Sent> parent;
    std::shared_ptr<LocalDirectory> directory;
    std::string name;                      // on both sides, unless it has paths of its own
    std::optional<std::string> own_local;  // of the top
    std::optional<std::string> own_remote; // of the directory that the copy begins with
    Age age = Age::old;
    bool has_attributes = false;
    posix::Attributes attributes{};
};

struct Found {
    std::shared_ptr<Sent> parent;
    std::string name;                      // here, and there unless it has a path of its own
    std::optional<std::string> own_remote; // of the file that the copy begins with
    posix::Attributes attributes{};
    std::uint64_t device = 0; // st_dev

    [[nodiscard]] std::string local() const { return join(parent->local(), name); }
    [[nodiscard]] std::string remote() const { return own_remote ? *own_remote : join(parent->remote(), name); }
};

class CopyIn {
public:
    explicit CopyIn(CopyRun& run) : run_(run) {}

    // Copies a file with all that is below it. `remote` is the path of the copy.
    void tree(const std::string& local, const std::string& remote) {
        auto top = std::make_shared<Sent>(run_, nullptr);
        // A path without a name of its own (".", "/") is opened itself, and its entries go straight into the copy. So is one
        // that ends in a slash, which leads through a symbolic link.
        const bool opened_itself = base_name(local).empty() || local.ends_with('/');
        const std::string top_path = opened_itself ? local : directory_name(local);
        top->own_local = top_path;
        FileDescriptor fd(::open(top_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!fd) return run_.fail(top_path, local_failure(errno));
        top->directory = std::make_shared<LocalDirectory>(std::move(fd));
        if (opened_itself) {
            source_ = local;
            send_itself(top, local, remote);
        } else {
            source_ = join(top_path, base_name(local));
            take(top, std::string(base_name(local)), remote);
        }
        top.reset();
        while (!waiting_.empty() && !run_.program.stopping()) {
            Found next = std::move(waiting_.back());
            waiting_.pop_back();
            enter(next);
        }
        waiting_.clear();
        run_.workers.finish();
    }

private:
    void send_itself(const std::shared_ptr<Sent>& top, const std::string& local, const std::string& remote) {
        struct stat info{};
        const auto fd = top->directory->open();
        if (!run_.note(local, fd)) return;
        if (::fstat((*fd)->get(), &info) != 0) return run_.fail(local, local_failure(errno));
        const auto made = make_directory(remote);
        if (!run_.note(remote, made)) return;
        if (!note_target(remote)) return;
        if (is_target(info, (*fd)->get())) return say_same(local, remote);
        run_.copied(run_.tally.directories, {"directory", local, remote});
        top->own_remote = remote;
        top->age = *made ? Age::fresh : Age::old;
        top->attributes = backends::attr_of(info);
        top->has_attributes = !run_.options.dry_run;
        list(top);
    }

    // Makes a directory, or says in a dry run that it would. True: it is new.
    posix::Expected<bool> make_directory(const std::string& remote) {
        if (!run_.options.dry_run) return make_remote_directory(run_.mount, remote);
        auto missing = find_remote_directory(run_.mount, remote);
        if (missing && *missing) run_.would("make directory", {}, remote);
        return missing;
    }

    // Returns names alone, and all of them at once: the directory is not held open for reading while its files are sent.
    std::vector<std::string> names_of(const Sent& directory) {
        std::vector<std::string> names;
        const auto fd = directory.directory->open();
        const std::string local = directory.local();
        if (run_.note(local, fd)) run_.note(local, list_names((*fd)->get(), names));
        return names;
    }

    void list(const std::shared_ptr<Sent>& directory) {
        for (const std::string& name : names_of(*directory)) {
            if (run_.program.stopping()) return;
            take(directory, name, std::nullopt);
        }
    }

    // `own_remote` is for the first file alone.
    void take(const std::shared_ptr<Sent>& parent, const std::string& name, std::optional<std::string> own_remote) {
        Found found{parent, name, std::move(own_remote)};
        struct stat info{};
        const auto fd = parent->directory->open();
        if (!fd) return run_.fail(parent->local(), fd.failure());
        if (::fstatat((*fd)->get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
            return run_.fail(found.local(), local_failure(errno));
        }
        if (run_.leaves_out(source_, found.local(), info.st_mode)) return;
        found.attributes = backends::attr_of(info);
        found.device = info.st_dev;
        switch (info.st_mode & S_IFMT) {
        case S_IFDIR: waiting_.push_back(std::move(found)); break;
        case S_IFREG: file(std::move(found)); break;
        case S_IFLNK: symlink(found); break;
        default: special(found); break;
        }
    }

    void enter(const Found& found) {
        auto sent = std::make_shared<Sent>(run_, found.parent);
        sent->name = found.name;
        sent->own_remote = found.own_remote;
        const std::string local = found.local();
        const std::string remote = found.remote();
        constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        const auto parent = found.parent->directory->open();
        if (!parent) return run_.fail(found.parent->local(), parent.failure());
        FileDescriptor fd(::openat((*parent)->get(), found.name.c_str(), kFlags));
        struct stat info{};
        if (!fd || ::fstat(fd.get(), &info) != 0) return run_.fail(local, local_failure(errno));
        if (!target_.empty() && is_target(info, fd.get())) {
            return run_.refuse(local, "cannot copy a directory into itself, " + target_);
        }
        const auto made = make_directory(remote);
        if (!run_.note(remote, made)) return;
        if (target_.empty()) {
            if (!note_target(remote)) return;
            if (is_target(info, fd.get())) return say_same(local, remote);
        }
        sent->directory = std::make_shared<LocalDirectory>(found.parent->directory, found.name, std::move(fd));
        sent->age = *made ? Age::fresh : Age::old;
        sent->attributes = found.attributes;
        sent->has_attributes = !run_.options.dry_run;
        run_.copied(run_.tally.directories, {"directory", local, remote});
        list(sent);
    }

    // Looks at the remote directory that the tree becomes. False when that fails, which is said.
    bool note_target(const std::string& remote) {
        const auto there = run_.mount.stat(remote);
        const bool unmade = run_.options.dry_run && !there && there.failure().error == Errno::enoent;
        if (!unmade && !run_.note(remote, there)) return false;
        target_ = remote;
        if (!unmade) target_attributes_ = *there;
        return true;
    }
    bool is_target(const struct stat& here, int fd) {
        if (!target_attributes_ || here.st_ino != target_attributes_->ino) return false;
        if (run_.options.dry_run) {
            // A dry run may make nothing to find this out.
            return lead_to_one_file([fd] { return attributes_of(fd); }, [&] { return run_.mount.stat(target_); });
        }
        return shows_here(run_.mount, target_, *target_attributes_, fd);
    }
    void say_same(const std::string& local, const std::string& remote) {
        run_.refuse(local, "is the same directory as " + remote);
    }

    void file(Found found) {
        const bool has_names = found.attributes.nlink > 1;
        if (!has_names) return copy(std::move(found), nullptr);
        const FileIdentity identity = identity_of(found.attributes, found.device);
        const auto links = run_.links.find(identity, found.attributes.nlink, {found.local(), found.remote()},
                                           [](const std::string&) { return true; });
        if (links.first && link(found, links.first->copy)) return;
        copy(std::move(found), links.to_copy);
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
        const std::string remote = found.remote();
        // O_NONBLOCK keeps open(2) from waiting if the file has become a FIFO meanwhile.
        constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
        const auto parent = found.parent->directory->open();
        if (!parent) {
            run.fail(found.parent->local(), parent.failure());
            return FileCopy::failed;
        }
        const FileDescriptor fd(::openat((*parent)->get(), found.name.c_str(), kFlags));
        struct stat info{};
        if (!fd || ::fstat(fd.get(), &info) != 0) {
            run.fail(local, local_failure(errno));
            return FileCopy::failed;
        }
        if (!S_ISREG(info.st_mode)) {
            run.refuse(local, "is no regular file any more");
            return FileCopy::failed;
        }
        return send_file(run, {fd.get(), local, remote, found.attributes, Existing::replace}, buffer);
    }

    // Looks at what has the name of a link or a special file, where that counts. True: it is to be made.
    template <class IsSame> bool is_to_be_made(const Found& found, const CopyRun::NewFile& made, IsSame&& is_same) {
        if (!run_.looks_at_target()) return true;
        const auto target = RemoteTarget::at(run_.mount, made.to, run_.target_options(Existing::replace));
        if (!run_.note(made.to, target)) return false;
        const FileCopy wanted =
            run_.decide_made(made, found.attributes, target->there(), [&] { return is_same(*target->there()); });
        if (wanted == FileCopy::same) refresh(found, *target->there());
        return wanted == FileCopy::copied;
    }

    // True if the second name became a link, or is to be none. False: it is to be copied.
    bool link(const Found& found, const std::string& existing) {
        const std::string remote = found.remote();
        if (run_.looks_at_target()) {
            const auto target = RemoteTarget::at(run_.mount, remote, run_.target_options(Existing::replace));
            if (!run_.note(remote, target)) return true;
            const auto is_linked = [&] { return is_one_remote_file(run_.mount, existing, remote); };
            const CopyRun::NewFile made{"link", existing, remote, Replaces::files_and_links, run_.tally.hard_links};
            const FileCopy wanted = run_.decide_link(made, found.attributes, target->there(), is_linked);
            if (wanted != FileCopy::copied) return true;
        }
        const NewPath at{remote, run_.replaces(Replaces::files_and_links)};
        const Failure failure = make_remote_link(run_.mount, at, existing);
        if (failure.happened()) {
            const bool in_the_way = failure.error == Errno::eisdir || failure.error == Errno::eexist;
            if (in_the_way || is_unanswered(failure) || failure.is_fatal())
                return static_cast<void>(run_.made(remote, failure)), true;
            run_.without_hard_links(remote, failure);
            return false;
        }
        run_.copied(run_.tally.hard_links, {"hard link", found.local(), remote});
        return true;
    }

    void symlink(const Found& found) {
        std::string target(abi::kPathMax + 1, '\0');
        const auto parent = found.parent->directory->open();
        if (!parent) return run_.fail(found.parent->local(), parent.failure());
        const ssize_t length = ::readlinkat((*parent)->get(), found.name.c_str(), target.data(), target.size());
        if (length < 0) return run_.fail(found.local(), local_failure(errno));
        target.resize(static_cast<std::size_t>(length));
        const std::string remote = found.remote();
        const auto is_same = [&](const posix::Attributes&) -> std::optional<bool> {
            const auto there = run_.mount.readlink(remote);
            return run_.note(remote, there) ? std::optional(*there == target) : std::nullopt;
        };
        const std::string local = found.local();
        const CopyRun::NewFile made{"copy", local, remote, Replaces::files_and_links, run_.tally.symlinks};
        if (!is_to_be_made(found, made, is_same)) return;
        const NewPath at{remote, run_.replaces(made.replaces)};
        if (!run_.made(remote, make_remote_symlink(run_.mount, at, target))) return;
        run_.copied(made.count, {"symlink", local, remote});
        set_attributes_of(found);
    }

    void special(const Found& found) {
        const std::string local = found.local();
        if (!run_.wants_node(local, found.attributes.mode)) return;
        // A FIFO has no device.
        const auto is_same = [&](const posix::Attributes& there) -> std::optional<bool> {
            return there.rdev == found.attributes.rdev;
        };
        const std::string remote = found.remote();
        const CopyRun::NewFile made{"copy", local, remote, Replaces::special_files_too, run_.tally.special_files};
        if (!is_to_be_made(found, made, is_same)) return;
        const std::uint32_t mode = node_mode(found.attributes.mode, run_.keeping);
        const NewPath at{remote, run_.replaces(made.replaces)};
        if (!run_.made(remote, make_remote_node(run_.mount, at, mode, found.attributes.rdev))) return;
        run_.copied(made.count, {type_name(mode), local, remote});
        set_attributes_of(found);
    }

    Xattrs unopened_xattrs_of(const Found& found) {
        const auto parent = found.parent->directory->open();
        if (!run_.note(found.parent->local(), parent)) return {};
        return run_.unopened_xattrs_of((*parent)->get(), found.name, found.attributes.mode, found.local());
    }

    void set_attributes_of(const Found& found) { static_cast<void>(set_attributes(found, unopened_xattrs_of(found))); }

    bool set_attributes(const Found& found, const Xattrs& xattrs) {
        const std::string remote = found.remote();
        return run_.keep(
            remote, [&](XattrStep step) { return write_xattrs(run_.mount, remote, xattrs, step); },
            [&] { return finish_remote_at(run_.mount, remote, found.attributes, run_.keeping); });
    }

    // The link or the node is there already. Its attributes are set where they are to be kept and differ.
    void refresh(const Found& found, const posix::Attributes& there) {
        const Xattrs xattrs = unopened_xattrs_of(found);
        const std::string remote = found.remote();
        run_.refresh(
            {remote, there, found.attributes, xattrs}, [&] { return run_.unopened_xattrs_of(remote, there.mode); },
            [&] { return set_attributes(found, xattrs); });
    }

    CopyRun& run_;
    std::string source_;         // the path that the paths of all files begin with
    std::vector<Found> waiting_; // directories to be entered
    std::string target_;         // the directory that the tree becomes, once it is there
    std::optional<posix::Attributes> target_attributes_;
};

// Copies what an open local file holds to a path of the share.
void copy_from(CopyRun& run, int fd, const std::string& local, const std::string& remote, std::span<std::byte> buffer) {
    struct stat info{};
    if (::fstat(fd, &info) != 0) return run.fail(local, local_failure(errno));
    static_cast<void>(send_file(run, {fd, local, remote, backends::attr_of(info), Existing::follow}, buffer));
}

FileDescriptor inherited_input() { return FileDescriptor(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)); }

// Opening a FIFO waits until somebody writes to it.
FileDescriptor open_source(const std::string& path) {
    const LocalCall may_wait;
    return FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

// Copies one file, or what comes out of a pipe, to where the user says.
void put_file(CopyRun& run, const std::string& local, const std::string& remote) {
    struct stat info{};
    const bool standard_input = local == "-";
    const int looked = standard_input ? ::fstat(STDIN_FILENO, &info) : ::stat(local.c_str(), &info);
    if (looked != 0) return run.fail(local, local_failure(errno));
    if (S_ISDIR(info.st_mode)) {
        return run.refuse(local, Errno::eisdir, "put -r copies directories");
    }
    if (!standard_input && run.leaves_out(local, local, info.st_mode)) return;
    run.give([&run, local, remote, standard_input, info](std::span<std::byte> buffer) {
        const bool is_pipe = !standard_input && (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode));
        if (is_pipe && !wants_pipe(run, {local, remote, backends::attr_of(info)})) return;
        const FileDescriptor fd = standard_input ? inherited_input() : open_source(local);
        if (!fd) return run.fail(local, local_failure(errno));
        copy_from(run, fd.get(), local, remote, buffer);
    });
}

} // namespace

void put_tree(CopyRun& run, const std::string& source, const std::string& target) { CopyIn(run).tree(source, target); }

void run_put(Program& program, const CopyOptions& options) {
    options.operands.check(program);
    Destination destination(program, options.operands, is_remote_directory(program.mount(), options.operands.target()));
    CopyRun run(program, options);
    run.each_source(destination, [&](const std::string& source) {
        const bool nameless = source == "-" && !options.recursive; // goes into no directory
        const std::string remote = nameless ? options.operands.target() : destination.of(source);
        options.recursive ? CopyIn(run).tree(source, remote) : put_file(run, source, remote);
    });
    run.finish();
}

} // namespace vfsproto::cli
