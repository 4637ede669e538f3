// SPDX-License-Identifier: BSD-2-Clause
#include "temporaries.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <vector>

namespace vfsproto::cli {
namespace {

struct Temporary {
    int directory;
    std::string name;
    friend bool operator==(const Temporary&, const Temporary&) = default;
};
struct Temporaries {
    std::mutex mutex;
    std::vector<Temporary> all;
};
Temporaries& temporaries() {
    static auto* const kept = new Temporaries; // never destroyed: threads may end after main()
    return *kept;
}

void forget(std::vector<Temporary>& all, int directory, const std::string& name) {
    std::erase(all, Temporary{directory, name});
}

int errno_of(int result) noexcept { return result == 0 ? 0 : errno; }

// A file system that cannot rename without replacing (EINVAL, ENOSYS) is asked for a link by that name, which replaces nothing
// either. One that has no links is asked first whether the name is free.
int rename_to_free_name(int directory, const char* name, const char* new_name) noexcept {
    int error = errno_of(::renameat2(directory, name, directory, new_name, RENAME_NOREPLACE));
    if (error != EINVAL && error != ENOSYS && error != EOPNOTSUPP) return error;
    error = errno_of(::linkat(directory, name, directory, new_name, 0));
    if (error == 0) return errno_of(::unlinkat(directory, name, 0));
    if (error == EEXIST) return error;
    struct stat there{};
    if (::fstatat(directory, new_name, &there, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
    return errno == ENOENT ? errno_of(::renameat(directory, name, directory, new_name)) : errno;
}

} // namespace

int make_temporary_file(int directory, const std::string& name) noexcept {
    Temporaries& kept = temporaries();
    const std::lock_guard lock(kept.mutex);
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const int fd = ::openat(directory, name.c_str(), kFlags, 0600);
    if (fd >= 0) kept.all.push_back({directory, name});
    return fd;
}

int make_temporary(int directory, const std::string& name, const MakeLocal& make) {
    Temporaries& kept = temporaries();
    const std::lock_guard lock(kept.mutex);
    const int error = make(name.c_str());
    if (error == 0) kept.all.push_back({directory, name});
    return error;
}

void remove_temporary(int directory, const std::string& name) noexcept {
    Temporaries& kept = temporaries();
    const std::lock_guard lock(kept.mutex);
    ::unlinkat(directory, name.c_str(), 0);
    forget(kept.all, directory, name);
}

int rename_temporary(int directory, const std::string& name, const std::string& new_name, Clobber clobber) noexcept {
    Temporaries& kept = temporaries();
    const std::lock_guard lock(kept.mutex);
    const int error = clobber == Clobber::never
                          ? rename_to_free_name(directory, name.c_str(), new_name.c_str())
                          : errno_of(::renameat(directory, name.c_str(), directory, new_name.c_str()));
    if (error == 0) forget(kept.all, directory, name);
    return error;
}

void remove_all_temporaries() noexcept {
    Temporaries& kept = temporaries();
    kept.mutex.lock(); // for good
    for (const Temporary& each : kept.all) ::unlinkat(each.directory, each.name.c_str(), 0);
}

} // namespace vfsproto::cli
