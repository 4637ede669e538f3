// SPDX-License-Identifier: BSD-2-Clause
#include "local_tree.hpp"

#include "comparison.hpp"
#include "local_target.hpp"
#include "paths.hpp"
#include "program.hpp"
#include "temporaries.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace vfsproto::cli {

using abi::Errno;
using posix::Expected;
using posix::Failure;

namespace {

// Makes something by a temporary name, and renames it over what has the name: that stays as it is if either fails.
Failure replace(int parent, const std::string& name, const MakeLocal& make) {
    const std::string temporary = temporary_name();
    if (const int error = make_temporary(parent, temporary, make)) return local_failure(error);
    const int renamed = ::renameat(parent, temporary.c_str(), parent, name.c_str());
    const Failure failure = renamed == 0 ? Failure() : local_failure(errno);
    // Between two names of one file a rename does nothing: then the temporary name is still there.
    remove_temporary(parent, temporary);
    return failure;
}

// Calls `make` with the name; where something is in the way that may be replaced, what is made takes its place in one step.
Failure make_anew(const NewName& at, const MakeLocal& make) {
    const auto& [parent, name, replaces] = at;
    if (!is_single_component(name)) return Errno::einval;
    const int error = make(name.c_str());
    if (error != EEXIST) return error == 0 ? Failure() : local_failure(error);
    struct stat there{};
    if (::fstatat(parent, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) return local_failure(errno);
    if (S_ISDIR(there.st_mode)) return Errno::eisdir;
    if (!may_replace(replaces, there.st_mode)) return Errno::eexist;
    return replace(parent, name, make);
}

int errno_of(int result) noexcept { return result >= 0 ? 0 : errno; }

} // namespace

std::array<timespec, 2> times_of(const posix::Attributes& a) noexcept {
    return {timespec{static_cast<time_t>(a.atime), static_cast<long>(a.atimensec)},
            timespec{static_cast<time_t>(a.mtime), static_cast<long>(a.mtimensec)}};
}

Expected<FileDescriptor> open_below(int root, std::string_view directory) {
    FileDescriptor at(::fcntl(root, F_DUPFD_CLOEXEC, 0));
    if (!at) return local_failure(errno);
    while (!directory.empty()) {
        const std::size_t slash = directory.find('/');
        const std::string name(directory.substr(0, slash));
        directory.remove_prefix(slash == std::string_view::npos ? directory.size() : slash + 1);
        if (!is_single_component(name)) return Errno::einval;
        at = FileDescriptor(::openat(at.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!at) return local_failure(errno);
    }
    return at;
}

Expected<Below> find_below(int root, std::string_view path) {
    const std::size_t slash = path.rfind('/');
    const bool is_deep = slash != std::string_view::npos;
    auto directory = open_below(root, path.substr(0, is_deep ? slash : 0));
    if (!directory) return directory.failure();
    return Below{std::move(*directory), std::string(is_deep ? path.substr(slash + 1) : path)};
}

Expected<MadeDirectory> make_directory(int parent, const std::string& name) {
    if (!is_single_component(name)) return Errno::einval;
    MadeDirectory made;
    made.age = ::mkdirat(parent, name.c_str(), 0700) == 0 ? Age::fresh : Age::old;
    if (made.age == Age::old && errno != EEXIST) return local_failure(errno);
    made.fd = FileDescriptor(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!made.fd) return local_failure(errno);
    return made;
}

Expected<MadeDirectory> find_directory(int parent, const std::string& name) {
    if (!is_single_component(name)) return Errno::einval;
    MadeDirectory found;
    if (parent < 0) return found;
    found.fd = FileDescriptor(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!found.fd && errno != ENOENT) return local_failure(errno);
    found.age = found.fd ? Age::old : Age::fresh;
    return found;
}

Failure make_symlink(const NewName& at, const std::string& target) {
    return make_anew(at, [&](const char* name) { return errno_of(::symlinkat(target.c_str(), at.parent, name)); });
}

Failure make_node(const NewName& at, std::uint32_t mode, std::uint32_t rdev) {
    return make_anew(at, [&](const char* name) {
        const dev_t device = makedev(abi::device_major(rdev), abi::device_minor(rdev));
        return errno_of(::mknodat(at.parent, name, mode, device));
    });
}

Failure make_link(const NewName& at, int root, const std::string& existing) {
    const auto first = find_below(root, existing);
    if (!first) return first.failure();
    return make_anew(at, [&](const char* name) {
        return errno_of(::linkat(first->directory.get(), first->name.c_str(), at.parent, name, 0));
    });
}

namespace {

constexpr std::uint32_t kWithoutSetId = abi::kSIallugo & ~(abi::kSIsuid | abi::kSIsgid);

// Keeps the first failure of several steps, but lets one that matters replace one that only cannot be kept.
class Steps {
public:
    void take(int result) {
        if (result == 0) return;
        const Failure failure = local_failure(errno);
        if (!first_.happened() || (cannot_be_kept(first_) && !cannot_be_kept(failure))) first_ = failure;
    }
    [[nodiscard]] Failure first() const { return first_; }

private:
    Failure first_;
};

// Only root may give files away: for anybody else that is no failure, as cp -p has it.
void take_owner(Steps& steps, int result) {
    if (result != 0 && errno == EPERM && ::geteuid() != 0) return;
    steps.take(result);
}

// Gives a special file its mode; 0, or -1 and errno. A link has none. The file is not opened for that, only its name.
int set_node_mode(int parent, const std::string& name, std::uint32_t mode) {
    const FileDescriptor fd(::openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat there{};
    if (!fd || ::fstat(fd.get(), &there) != 0) return -1;
    const bool has_mode = !S_ISLNK(there.st_mode) && !posix::is_symlink(mode);
    return has_mode ? ::chmod(fmt::format("/proc/self/fd/{}", fd.get()).c_str(), mode & kWithoutSetId) : 0;
}

Failure preserve_all(int fd, const posix::Attributes& a) {
    Steps steps;
    take_owner(steps, ::fchown(fd, a.uid, a.gid));
    struct stat now{};
    const bool owned = ::fstat(fd, &now) == 0 && now.st_uid == a.uid && now.st_gid == a.gid;
    const std::uint32_t bits = owned ? abi::kSIallugo : kWithoutSetId;
    steps.take(::fchmod(fd, a.mode & bits));
    steps.take(::futimens(fd, times_of(a).data()));
    return steps.first();
}

} // namespace

bool has_attributes(const posix::Attributes& file, const posix::Attributes& original, const Keeping& keeping) noexcept {
    if (keeping.preserve == Preserve::nothing) return true;
    if (!is_same_time(original, file)) return false;
    const bool same_owner = file.uid == original.uid && file.gid == original.gid;
    if (!same_owner && ::geteuid() == 0) return false;
    if (posix::is_symlink(file.mode)) return true;
    const bool has_set_id = same_owner && (posix::is_regular(file.mode) || posix::is_directory(file.mode));
    const std::uint32_t bits = has_set_id ? abi::kSIallugo : kWithoutSetId;
    return ((file.mode ^ original.mode) & bits) == 0;
}

bool cannot_be_kept(const Failure& failure) noexcept {
    return failure.error == Errno::eperm || failure.error == Errno::eopnotsupp || failure.error == Errno::enosys;
}

Failure finish_file(int fd, const posix::Attributes& original, const Keeping& keeping,
                    const std::optional<struct stat>& replaced) {
    if (keeping.preserve == Preserve::all) return preserve_all(fd, original);
    const mode_t mode = replaced ? without_set_id(replaced->st_mode) : fresh_mode(original.mode, keeping);
    return ::fchmod(fd, mode) == 0 ? Failure() : local_failure(errno);
}

Failure refresh_file(int fd, const posix::Attributes& original, const Keeping& keeping) {
    return keeping.preserve == Preserve::all ? preserve_all(fd, original) : Failure();
}

Failure finish_directory(int fd, Age age, const posix::Attributes& original, const Keeping& keeping) {
    if (keeping.preserve == Preserve::all) return preserve_all(fd, original);
    struct stat now{};
    if (age == Age::old || ::fstat(fd, &now) != 0) return {};
    // A directory inherits S_ISGID of its parent; chmod(2) would take it away.
    const mode_t mode = fresh_mode(original.mode, keeping) | (now.st_mode & abi::kSIsgid);
    return ::fchmod(fd, mode) == 0 ? Failure() : local_failure(errno);
}

Failure finish_at(int parent, const std::string& name, const posix::Attributes& original, const Keeping& keeping) {
    if (keeping.preserve == Preserve::nothing) return {};
    Steps steps;
    take_owner(steps, ::fchownat(parent, name.c_str(), original.uid, original.gid, AT_SYMLINK_NOFOLLOW));
    steps.take(set_node_mode(parent, name, original.mode));
    steps.take(::utimensat(parent, name.c_str(), times_of(original).data(), AT_SYMLINK_NOFOLLOW));
    return steps.first();
}

} // namespace vfsproto::cli
