// SPDX-License-Identifier: BSD-2-Clause
#include "temporaries.hpp"

#include <fcntl.h>
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

} // namespace

int make_temporary_file(int directory, const std::string& name) noexcept {
    Temporaries& kept = temporaries();
    const std::lock_guard lock(kept.mutex);
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const int fd = ::openat(directory, name.c_str(), kFlags, 0600);
    if (fd >= 0) kept.all.push_back({directory, name});
    return fd;
}

void remove_temporary(int directory, const std::string& name) noexcept {
    Temporaries& kept = temporaries();
    const std::lock_guard lock(kept.mutex);
    ::unlinkat(directory, name.c_str(), 0);
    forget(kept.all, directory, name);
}

int rename_temporary(int directory, const std::string& name, const std::string& new_name) noexcept {
    Temporaries& kept = temporaries();
    const std::lock_guard lock(kept.mutex);
    if (::renameat(directory, name.c_str(), directory, new_name.c_str()) != 0) return errno;
    forget(kept.all, directory, name);
    return 0;
}

void remove_all_temporaries() noexcept {
    Temporaries& kept = temporaries();
    kept.mutex.lock(); // for good
    for (const Temporary& each : kept.all) ::unlinkat(each.directory, each.name.c_str(), 0);
}

} // namespace vfsproto::cli
