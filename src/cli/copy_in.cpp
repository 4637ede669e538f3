// SPDX-License-Identifier: BSD-2-Clause
// put: from this host to the device.
#include "copy.hpp"
#include "paths.hpp"
#include "remote_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

namespace vfsproto::cli {

using posix::Failure;
using wire::Errno;
namespace abi = wire::linux_abi;

namespace {

posix::Attributes attributes_of(const struct stat& from) noexcept {
    posix::Attributes a{};
    a.ino = from.st_ino;
    a.size = static_cast<std::uint64_t>(from.st_size);
    a.blocks = static_cast<std::uint64_t>(from.st_blocks);
    a.atime = static_cast<std::uint64_t>(from.st_atim.tv_sec);
    a.mtime = static_cast<std::uint64_t>(from.st_mtim.tv_sec);
    a.ctime = static_cast<std::uint64_t>(from.st_ctim.tv_sec);
    a.atimensec = static_cast<std::uint32_t>(from.st_atim.tv_nsec);
    a.mtimensec = static_cast<std::uint32_t>(from.st_mtim.tv_nsec);
    a.ctimensec = static_cast<std::uint32_t>(from.st_ctim.tv_nsec);
    a.mode = from.st_mode;
    a.nlink = static_cast<std::uint32_t>(from.st_nlink);
    a.uid = from.st_uid;
    a.gid = from.st_gid;
    a.rdev = abi::encode_device(major(from.st_rdev), minor(from.st_rdev));
    return a;
}

// A directory being sent. The copy's own attributes come last, when nobody has anything to do in it any more.
struct Sent {
    Sent(CopyRun& on, std::shared_ptr<Sent> in) : run(on), parent(std::move(in)) {}
    ~Sent() {
        if (!has_attributes || run.program.stopping()) return;
        run.note(remote, set_remote_attributes(run.mount, remote, attributes, run.owner));
    }
    Sent(const Sent&) = delete;
    Sent& operator=(const Sent&) = delete;

    CopyRun& run;
    std::shared_ptr<Sent> parent;
    FileDescriptor fd;
    std::string local; // for messages
    std::string remote;
    bool has_attributes = false;
    posix::Attributes attributes{};
};

struct Found {
    std::shared_ptr<Sent> parent;
    std::string name; // here
    std::string remote;
    posix::Attributes attributes{};
    std::uint64_t device = 0; // st_dev

    [[nodiscard]] std::string local() const { return join(parent->local, name); }
};

class CopyIn {
public:
    explicit CopyIn(CopyRun& run) : run_(run) {}

    void tree(const std::string& local, const std::string& remote) {
        const auto there = run_.mount.stat(remote);
        const bool into = there && posix::is_directory(there->mode);
        auto top = std::make_shared<Sent>(run_, nullptr);
        // A path without a name of its own (".", "/") is opened itself, and its entries go straight into the copy.
        const bool nameless = base_name(local).empty();
        top->local = nameless ? local : directory_name(local);
        top->fd = FileDescriptor(::open(top->local.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!top->fd) return run_.fail(top->local, local_failure(errno));
        if (nameless) {
            send_itself(top, remote);
        } else {
            const std::string name(base_name(local));
            take(top, name, into ? join(remote, name) : remote);
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
    void send_itself(const std::shared_ptr<Sent>& top, const std::string& remote) {
        struct stat info{};
        if (::fstat(top->fd.get(), &info) != 0) return run_.fail(top->local, local_failure(errno));
        if (!run_.note(remote, make_remote_directory(run_.mount, remote))) return;
        ++run_.tally.directories;
        top->remote = remote;
        top->attributes = attributes_of(info);
        top->has_attributes = true;
        list(top);
    }

    // Names alone, and all of them at once: the directory is not held open for reading while its files are sent.
    std::vector<std::string> names_in(const Sent& directory) {
        std::vector<std::string> names;
        const int again = ::openat(directory.fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR* const stream = again < 0 ? nullptr : ::fdopendir(again);
        if (stream == nullptr) {
            run_.fail(directory.local, local_failure(errno));
            if (again >= 0) ::close(again);
            return names;
        }
        errno = 0;
        while (const dirent* entry = ::readdir(stream)) {
            if (is_plain_name(entry->d_name)) names.emplace_back(entry->d_name);
        }
        if (errno != 0) run_.fail(directory.local, local_failure(errno));
        ::closedir(stream);
        return names;
    }

    void list(const std::shared_ptr<Sent>& directory) {
        for (const std::string& name : names_in(*directory)) {
            if (run_.program.stopping()) return;
            take(directory, name, join(directory->remote, name));
        }
    }

    void take(const std::shared_ptr<Sent>& parent, const std::string& name, std::string remote) {
        Found found{parent, name, std::move(remote)};
        struct stat info{};
        if (::fstatat(parent->fd.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
            return run_.fail(found.local(), local_failure(errno));
        }
        found.attributes = attributes_of(info);
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
        sent->local = found.local();
        constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        sent->fd = FileDescriptor(::openat(found.parent->fd.get(), found.name.c_str(), kFlags));
        if (!sent->fd) return run_.fail(sent->local, local_failure(errno));
        if (!run_.note(found.remote, make_remote_directory(run_.mount, found.remote))) return;
        sent->remote = found.remote;
        sent->attributes = found.attributes;
        sent->has_attributes = true;
        ++run_.tally.directories;
        list(sent);
    }

    void file(Found found) {
        const bool has_names = found.attributes.nlink > 1;
        const FileIdentity identity = identity_of(found.attributes, found.device);
        if (has_names) {
            const auto place = run_.links.find(identity, found.attributes.nlink, found.remote);
            if (place) return link(found, *place);
        }
        CopyRun& run = run_;
        run_.workers.give([&run, has_names, identity, found = std::move(found)](std::span<std::byte> buffer) {
            if (!run.program.stopping()) copy_file(run, found, buffer);
            if (has_names) run.links.copied(identity);
        });
    }

    static void copy_file(CopyRun& run, const Found& found, std::span<std::byte> buffer) {
        const std::string local = found.local();
        // Should it have become a pipe meanwhile, nobody is to wait for it.
        constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
        const FileDescriptor fd(::openat(found.parent->fd.get(), found.name.c_str(), kFlags));
        if (!fd) return run.fail(local, local_failure(errno));
        auto made = make_remote_file(run.mount, found.remote);
        if (!run.note(found.remote, made)) return;
        LocalContents from(fd.get());
        RemoteContents to(run.mount, *made);
        if (!run.copy({from, local}, {to, found.remote}, found.attributes, buffer)) return;
        if (!run.note(found.remote, set_remote_attributes(run.mount, *made, found.attributes, run.owner))) return;
        if (!run.note(found.remote, run.mount.close(std::move(*made)))) return;
        ++run.tally.files;
        run.progress.file_done();
    }

    void link(const Found& found, const std::string& existing) {
        if (run_.note(found.remote, make_remote_link(run_.mount, existing, found.remote))) ++run_.tally.hard_links;
    }

    void symlink(const Found& found) {
        std::string target(abi::kPathMax + 1, '\0');
        const ssize_t length = ::readlinkat(found.parent->fd.get(), found.name.c_str(), target.data(), target.size());
        if (length < 0) return run_.fail(found.local(), local_failure(errno));
        target.resize(static_cast<std::size_t>(length));
        if (!run_.note(found.remote, make_remote_symlink(run_.mount, found.remote, target))) return;
        ++run_.tally.symlinks;
        set_attributes_of(found);
    }

    void special(const Found& found) {
        if (!run_.note(found.remote, make_remote_node(run_.mount, found.remote, found.attributes))) return;
        ++run_.tally.special_files;
        set_attributes_of(found);
    }

    void set_attributes_of(const Found& found) {
        run_.note(found.remote, set_remote_attributes(run_.mount, found.remote, found.attributes, run_.owner));
    }

    CopyRun& run_;
    std::vector<Found> waiting_; // directories to be entered
};

// One file, or what comes out of a pipe, to where the user says.
void put_file(CopyRun& run, const std::string& local, std::string remote) {
    struct stat info{};
    if (::stat(local.c_str(), &info) != 0) return run.fail(local, local_failure(errno));
    if (S_ISDIR(info.st_mode)) {
        run.program.report(local, Failure(Errno::eisdir).text() + ": put -r copies directories");
        return;
    }
    const auto there = run.mount.stat(remote);
    if (there && posix::is_directory(there->mode)) remote = join(remote, base_name(local));
    run.workers.give([&run, local, remote, info](std::span<std::byte> buffer) {
        const FileDescriptor fd(::open(local.c_str(), O_RDONLY | O_CLOEXEC));
        if (!fd) return run.fail(local, local_failure(errno));
        auto made = run.mount.open_file(remote, abi::kOWronly | abi::kOCreat | abi::kOTrunc, 0666);
        if (!run.note(remote, made)) return;
        LocalContents from(fd.get());
        RemoteContents to(run.mount, *made);
        const posix::Attributes attributes = attributes_of(info);
        if (!run.copy({from, local}, {to, remote}, attributes, buffer)) return;
        if (S_ISREG(info.st_mode) &&
            !run.note(remote, set_remote_attributes(run.mount, *made, attributes, run.owner))) {
            return;
        }
        if (!run.note(remote, run.mount.close(std::move(*made)))) return;
        ++run.tally.files;
    });
}

} // namespace

void run_put(Program& program, const CopyOptions& options) {
    CopyRun run(program, options);
    if (options.recursive) {
        CopyIn(run).tree(options.from, options.to);
    } else {
        put_file(run, options.from, options.to);
    }
    run.finish();
}

} // namespace vfsproto::cli
