// SPDX-License-Identifier: BSD-2-Clause
// get: from the device to this host.
#include "copy.hpp"
#include "paths.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
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
        if (has_attributes) run.note(local, set_attributes(fd.get(), attributes, run.owner));
    }
    Filled(const Filled&) = delete;
    Filled& operator=(const Filled&) = delete;

    CopyRun& run;
    std::shared_ptr<Filled> parent;
    FileDescriptor fd;
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

class CopyOut {
public:
    explicit CopyOut(CopyRun& run) : run_(run) {}

    void tree(const std::string& remote, const std::string& local) {
        const auto attributes = run_.mount.stat(remote, posix::LastLink::keep);
        if (!run_.note(remote, attributes)) return;
        Found first{std::make_shared<Filled>(run_, nullptr), {}, remote, *attributes};
        if (!find_place(first, local)) return;
        top_ = first.parent;
        if (first.name.empty()) {
            list(top_, remote); // "/" has no name: what is in it goes straight into the directory
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
        top_.reset();
    }

private:
    // Opens the directory the first file is to be in, and says what it is to be called there.
    bool find_place(Found& first, const std::string& local) {
        struct stat there{};
        const bool into = ::stat(local.c_str(), &there) == 0 && S_ISDIR(there.st_mode);
        if (!into && base_name(local).empty()) {
            run_.fail(local, Errno::enoent);
            return false;
        }
        first.name = base_name(into ? std::string_view(first.remote) : std::string_view(local));
        Filled& place = *first.parent;
        place.local = into ? local : directory_name(local);
        place.fd = FileDescriptor(::open(place.local.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (place.fd) return true;
        run_.fail(place.local, local_failure(errno));
        return false;
    }

    void list(const std::shared_ptr<Filled>& into, const std::string& remote) {
        auto entries = run_.mount.list(remote);
        if (!run_.note(remote, entries)) return;
        for (posix::DirectoryEntry& entry : *entries) {
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
        auto made = make_directory(found.parent->fd.get(), found.name);
        if (!run_.note(found.local(), made)) return;
        auto filled = std::make_shared<Filled>(run_, found.parent);
        filled->fd = std::move(*made);
        filled->local = found.local();
        filled->relative = found.relative();
        filled->attributes = found.attributes;
        filled->has_attributes = true;
        ++run_.tally.directories;
        list(filled, found.remote);
    }

    void file(Found found) {
        const bool has_names = found.attributes.nlink > 1;
        const FileIdentity identity = identity_of(found.attributes, 0);
        if (has_names) {
            const auto place = run_.links.find(identity, found.attributes.nlink, found.relative());
            if (place) return link(found, *place);
        }
        CopyRun& run = run_;
        run_.workers.give([&run, has_names, identity, found = std::move(found)](std::span<std::byte> buffer) {
            if (!run.program.stopping()) copy_file(run, found, buffer);
            if (has_names) run.links.copied(identity);
        });
    }

    static void copy_file(CopyRun& run, const Found& found, std::span<std::byte> buffer) {
        const auto file = run.mount.open_file(found.remote, abi::kORdonly | abi::kONofollow);
        if (!run.note(found.remote, file)) return;
        const std::string local = found.local();
        const auto made = make_file(found.parent->fd.get(), found.name);
        if (!run.note(local, made)) return;
        RemoteContents from(run.mount, *file);
        LocalContents to(made->get());
        if (!run.copy({from, found.remote}, {to, local}, found.attributes, buffer)) return;
        if (!run.note(local, set_attributes(made->get(), found.attributes, run.owner))) return;
        ++run.tally.files;
        run.progress.file_done();
    }

    void link(const Found& found, const std::string& existing) {
        const Failure failure = make_link(top_->fd.get(), existing, found.parent->fd.get(), found.name);
        if (run_.note(found.local(), failure)) ++run_.tally.hard_links;
    }

    void symlink(const Found& found) {
        const auto target = run_.mount.readlink(found.remote);
        if (!run_.note(found.remote, target)) return;
        const int parent = found.parent->fd.get();
        if (!run_.note(found.local(), make_symlink(parent, found.name, *target))) return;
        ++run_.tally.symlinks;
        run_.note(found.local(), set_attributes_at(parent, found.name, found.attributes, run_.owner));
    }

    void special(const Found& found) {
        const int parent = found.parent->fd.get();
        if (!run_.note(found.local(), make_node(parent, found.name, found.attributes))) return;
        ++run_.tally.special_files;
        run_.note(found.local(), set_attributes_at(parent, found.name, found.attributes, run_.owner));
    }

    CopyRun& run_;
    std::shared_ptr<Filled> top_;
    std::vector<Found> waiting_; // directories to be entered
};

// One file, to where the user says, links followed on both sides.
void get_file(CopyRun& run, const std::string& remote, std::string local) {
    const auto attributes = run.mount.stat(remote);
    if (!run.note(remote, attributes)) return;
    if (posix::is_directory(attributes->mode)) {
        run.program.report(remote, Failure(Errno::eisdir).text() + ": get -r copies directories");
        return;
    }
    if (!posix::is_regular(attributes->mode))
        return run.program.report(remote, "not a regular file: get -r copies those");
    struct stat there{};
    const bool exists = ::stat(local.c_str(), &there) == 0;
    if (exists && S_ISDIR(there.st_mode)) local = join(local, base_name(remote));
    run.workers.give([&run, remote, local, attributes = *attributes](std::span<std::byte> buffer) {
        const auto file = run.mount.open_file(remote, abi::kORdonly);
        if (!run.note(remote, file)) return;
        const FileDescriptor made(::open(local.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
        if (!made) return run.fail(local, local_failure(errno));
        RemoteContents from(run.mount, *file);
        LocalContents to(made.get());
        if (!run.copy({from, remote}, {to, local}, attributes, buffer)) return;
        struct stat written{};
        // A pipe or a device keeps its own.
        const bool regular = ::fstat(made.get(), &written) == 0 && S_ISREG(written.st_mode);
        if (regular && !run.note(local, set_attributes(made.get(), attributes, run.owner))) return;
        ++run.tally.files;
    });
}

} // namespace

void run_get(Program& program, const CopyOptions& options) {
    CopyRun run(program, options);
    if (options.recursive) {
        const mode_t umask = ::umask(0); // special files get their modes when they are made
        CopyOut(run).tree(options.from, options.to);
        ::umask(umask);
    } else {
        get_file(run, options.from, options.to);
    }
    run.finish();
}

} // namespace vfsproto::cli
