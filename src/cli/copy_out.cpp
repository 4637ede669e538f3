// SPDX-License-Identifier: BSD-2-Clause
// get: from the device to this host.
#include "copy.hpp"
#include "each_entry.hpp"
#include "local_directory.hpp"
#include "local_target.hpp"
#include "mode.hpp"
#include "paths.hpp"
#include "same_place.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

namespace vfsproto::cli {

using posix::Failure;
using wire::Errno;
namespace abi = wire::linux_abi;

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
        if (!run.note(local, fd)) return;
        const Xattrs xattrs = run.xattrs_of(remote);
        run.settle(local, write_xattrs((*fd)->get(), xattrs, XattrStep::before_owner));
        run.settle(local, finish_directory((*fd)->get(), age, attributes, run.keeping));
        run.settle(local, write_xattrs((*fd)->get(), xattrs, XattrStep::after_owner));
    }
    Filled(const Filled&) = delete;
    Filled& operator=(const Filled&) = delete;

    CopyRun& run;
    std::shared_ptr<Filled> parent;
    std::shared_ptr<LocalDirectory> directory;
    Age age = Age::old;
    std::string remote;
    std::string local;    // for messages
    std::string relative; // below the top
    bool has_attributes = false;
    posix::Attributes attributes{};
};

struct Found {
    std::shared_ptr<Filled> parent;
    std::string name; // there
    std::string remote;
    posix::Attributes attributes{};

    [[nodiscard]] std::string local() const { return join(parent->local, name); }
    [[nodiscard]] std::string relative() const {
        return parent->relative.empty() ? name : parent->relative + '/' + name;
    }
};

struct Ways {
    const std::string& remote;
    const std::string& local;
};

// Gives the copy its attributes; false when that failed, which is said.
bool finish(CopyRun& run, const Ways& ways, const LocalTarget& target, const posix::Attributes& attributes) {
    const Xattrs xattrs = run.xattrs_of(ways.remote);
    return run.settle(ways.local, write_xattrs(target.fd(), xattrs, XattrStep::before_owner)) &&
           run.settle(ways.local, finish_file(target.fd(), attributes, run.keeping, target.replaced())) &&
           run.settle(ways.local, write_xattrs(target.fd(), xattrs, XattrStep::after_owner));
}

class CopyOut {
public:
    explicit CopyOut(CopyRun& run) : run_(run) {}

    // `local` is what it becomes, or the directory it goes into.
    void tree(const std::string& remote, const std::string& local, const Destination& destination) {
        const auto attributes = run_.mount.stat(remote, posix::LastLink::keep);
        if (!run_.note(remote, attributes)) return;
        Found first{std::make_shared<Filled>(run_, nullptr), {}, remote, *attributes};
        if (!find_place(first, local, destination.is_directory())) return;
        top_ = first.parent;
        if (first.name.empty()) {
            // "/" has no name: what is in it goes straight into the directory.
            const auto fd = top_->directory->open();
            if (!run_.note(top_->local, fd)) return;
            if (is_target(*attributes, remote, (*fd)->get())) return say_same(remote, top_->local);
            target_ = *fd;
            target_directory_ = top_;
            list(top_, remote);
            top_->remote = remote;
            top_->attributes = *attributes;
            top_->has_attributes = true;
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
    bool find_place(Found& first, const std::string& local, bool into) {
        const std::string_view name = base_name(into ? first.remote : local);
        Filled& place = *first.parent;
        place.local = into || name.empty() ? local : directory_name(local);
        first.name = name;
        FileDescriptor fd(::open(place.local.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!fd) {
            run_.fail(place.local, local_failure(errno));
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
            found.remote = join(remote, found.name);
            if (!is_plain_name(found.name)) {
                run_.fail(found.remote, Errc::protocol_violation);
                continue;
            }
            if (!entry.has_attributes) {
                const auto attributes = run_.mount.stat(found.remote, posix::LastLink::keep);
                if (!run_.note(found.remote, attributes)) continue;
                found.attributes = *attributes;
            }
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
        if (target_ != nullptr && is_target(found.attributes, found.remote, target_->get())) {
            return run_.refuse(found.remote, "cannot copy a directory into itself, " + target_directory_->local);
        }
        const auto parent = found.parent->directory->open();
        if (!run_.note(found.parent->local, parent)) return;
        auto made = make_directory((*parent)->get(), found.name);
        if (!run_.note(found.local(), made)) return;
        const bool is_first = target_ == nullptr;
        if (is_first && is_target(found.attributes, found.remote, made->fd.get())) {
            return say_same(found.remote, found.local());
        }
        auto filled = std::make_shared<Filled>(run_, found.parent);
        filled->age = made->age;
        filled->directory = std::make_shared<LocalDirectory>(found.parent->directory, found.name, std::move(made->fd));
        if (is_first) {
            const auto fd = filled->directory->open();
            if (!run_.note(found.local(), fd)) return;
            target_ = *fd;
        }
        filled->remote = found.remote;
        filled->local = found.local();
        filled->relative = found.relative();
        filled->attributes = found.attributes;
        filled->has_attributes = true;
        run_.copied(run_.tally.directories, {"directory", filled->remote, filled->local});
        if (target_directory_ == nullptr) target_directory_ = filled;
        list(filled, found.remote);
    }

    // True if a directory of the share is the local one that `fd` is open on.
    bool is_target(const posix::Attributes& there, const std::string& remote, int fd) {
        return shows_there(run_.mount, remote, there, fd);
    }
    void say_same(const std::string& remote, const std::string& local) {
        run_.refuse(remote, "is the same directory as " + local);
    }
    void file(Found found) {
        const bool has_names = found.attributes.nlink > 1;
        if (!has_names) return copy(std::move(found), nullptr);
        const FileIdentity identity = identity_of(found.attributes, 0);
        const auto links = run_.links.find(identity, found.attributes.nlink, {found.remote, found.relative()},
                                           [&](const std::string& first) { return is_one_file(found.remote, first); });
        if (links.first && link(found, links.first->copy)) return;
        copy(std::move(found), links.to_copy);
    }

    // `linked` is told how it went, if there is one.
    void copy(Found found, HardLinks::Known* linked) {
        CopyRun& run = run_;
        run_.workers.give([&run, linked, found = std::move(found)](std::span<std::byte> buffer) {
            const bool copied = !run.program.stopping() && copy_file(run, found, buffer);
            if (linked != nullptr)
                run.links.copied(*linked, copied ? HardLinks::Copied::yes : HardLinks::Copied::failed);
        });
    }

    static bool copy_file(CopyRun& run, const Found& found, std::span<std::byte> buffer) {
        const auto file = run.mount.open_file(found.remote, abi::kORdonly | abi::kONofollow);
        if (!run.note(found.remote, file)) return false;
        const std::string local = found.local();
        const auto parent = found.parent->directory->open();
        if (!run.note(found.parent->local, parent)) return false;
        auto target = LocalTarget::open((*parent)->get(), found.name, LocalTarget::Existing::replace);
        if (!run.note(local, target)) return false;
        if (target->replaced() && is_same_file(found.attributes, *target->replaced())) {
            run.refuse(found.remote, "is the same file as " + local);
            return false;
        }
        RemoteContents from(run.mount, *file, Kind::regular);
        LocalContents to(target->fd());
        if (!run.copy({from, found.remote}, {to, local}, found.attributes, buffer)) return false;
        if (!finish(run, {found.remote, local}, *target, found.attributes)) return false;
        if (!run.note(local, target->commit())) return false;
        run.copied(run.tally.files, {"file", found.remote, local});
        run.progress.file_done();
        return true;
    }

    // True if the second name became a link. False: there can be no link; it is to be copied.
    bool link(const Found& found, const std::string& first) {
        const auto parent = found.parent->directory->open();
        const auto top = top_->directory->open();
        if (!run_.note(found.parent->local, parent) || !run_.note(top_->local, top)) return true;
        const Failure failure = make_link((*top)->get(), first, (*parent)->get(), found.name);
        if (failure.happened()) {
            if (failure.error == Errno::eisdir || failure.error == Errno::eexist)
                return run_.note(found.local(), failure);
            run_.without_hard_links(found.local(), failure);
            return false;
        }
        run_.copied(run_.tally.hard_links, {"hard link", found.remote, found.local()});
        return true;
    }

    // Two files of two file systems below one share may have one inode number. While both are open, the server has one
    // nodeid for one file.
    bool is_one_file(const std::string& a, const std::string& b) {
        const auto one = run_.mount.open_file(a, abi::kORdonly | abi::kONofollow);
        const auto other = run_.mount.open_file(b, abi::kORdonly | abi::kONofollow);
        return one && other && one->nodeid() == other->nodeid();
    }

    void symlink(const Found& found) {
        const auto target = run_.mount.readlink(found.remote);
        if (!run_.note(found.remote, target)) return;
        const auto parent = found.parent->directory->open();
        if (!run_.note(found.parent->local, parent)) return;
        if (!run_.note(found.local(), make_symlink((*parent)->get(), found.name, *target))) return;
        run_.copied(run_.tally.symlinks, {"symlink", found.remote, found.local()});
        set_attributes_of(found, (*parent)->get());
    }

    void special(const Found& found) {
        if (!run_.wants_node(found.remote, found.attributes.mode)) return;
        const auto parent = found.parent->directory->open();
        if (!run_.note(found.parent->local, parent)) return;
        const std::uint32_t mode = node_mode(found.attributes.mode, run_.keeping);
        const Failure failure = make_node((*parent)->get(), found.name, mode, found.attributes.rdev);
        if (!run_.note(found.local(), failure)) return;
        run_.copied(run_.tally.special_files, {type_name(mode), found.remote, found.local()});
        set_attributes_of(found, (*parent)->get());
    }

    void set_attributes_of(const Found& found, int parent) {
        const std::string local = found.local();
        const Xattrs xattrs = run_.unopened_xattrs_of(found.remote, found.attributes.mode);
        run_.settle(local, write_xattrs_at(parent, found.name, xattrs, XattrStep::before_owner));
        run_.settle(local, finish_at(parent, found.name, found.attributes, run_.keeping));
        run_.settle(local, write_xattrs_at(parent, found.name, xattrs, XattrStep::after_owner));
    }

    CopyRun& run_;
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

// Opens what the user named as the target of one file. Links are followed.
posix::Expected<LocalTarget> open_target(FileDescriptor& directory, const std::string& local) {
    struct stat there{};
    // /dev/stdout is not opened again: what was written before is not lost.
    if (is_standard_output(local)) return LocalTarget::inherited(STDOUT_FILENO);
    const bool exists = ::stat(local.c_str(), &there) == 0;
    if (exists && !S_ISREG(there.st_mode)) return LocalTarget::open_special(local);
    std::string path = local;
    if (struct stat link{}; ::lstat(local.c_str(), &link) == 0 && S_ISLNK(link.st_mode)) {
        const std::unique_ptr<char, void (*)(void*)> real(::realpath(local.c_str(), nullptr), std::free);
        if (real == nullptr) return local_failure(errno); // a link that leads nowhere is not written through
        path = real.get();
    }
    if (base_name(path).empty() || path.back() == '/') return Errno::enoent;
    directory = FileDescriptor(::open(directory_name(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return local_failure(errno);
    return LocalTarget::open(directory.get(), std::string(base_name(path)), LocalTarget::Existing::follow);
}

void copy_to(CopyRun& run, const posix::Attributes& attributes, const std::string& remote, const std::string& local,
             std::span<std::byte> buffer) {
    const auto file = run.mount.open_file(remote, abi::kORdonly);
    if (!run.note(remote, file)) return;
    FileDescriptor directory;
    auto target = open_target(directory, local);
    if (!run.note(local, target)) return;
    RemoteContents from(run.mount, *file, Kind::regular);
    LocalContents to(target->fd(),
                     target->is_in_order() ? LocalContents::Access::in_order : LocalContents::Access::at_offsets);
    if (!run.copy({from, remote}, {to, local}, attributes, buffer)) return;
    if (target->is_regular() && !finish(run, {remote, local}, *target, attributes)) return;
    if (!run.note(local, target->commit())) return;
    run.copied(run.tally.files, {"file", remote, local});
}

// Copies one file to where the user says, links followed on both sides.
void get_file(CopyRun& run, const std::string& remote, const std::string& local) {
    const auto attributes = run.mount.stat(remote);
    if (!run.note(remote, attributes)) return;
    if (posix::is_directory(attributes->mode)) {
        return run.refuse(remote, Errno::eisdir, "get -r copies directories");
    }
    if (!posix::is_regular(attributes->mode)) return run.refuse(remote, "not a regular file: get -r copies those");
    struct stat there{};
    const bool exists = ::stat(local.c_str(), &there) == 0;
    if (exists && is_same_file(*attributes, there)) return run.refuse(remote, "is the same file as " + local);
    run.workers.give([&run, remote, local, attributes = *attributes](std::span<std::byte> buffer) {
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
            CopyOut(run).tree(source, options.operands.target(), destination);
        } else {
            get_file(run, source, destination.of(source));
        }
    });
    if (options.recursive) ::umask(umask);
    run.finish();
}

} // namespace vfsproto::cli
