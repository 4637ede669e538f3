// SPDX-License-Identifier: BSD-2-Clause
#include "remote_temporaries.hpp"

#include <mutex>
#include <utility>

namespace vfsproto::cli {
namespace {

struct RemoteTemporaries {
    std::mutex mutex;
    std::vector<std::string> paths;
};
RemoteTemporaries& remote_temporaries() {
    static auto* const kept = new RemoteTemporaries; // never destroyed: threads may end after main()
    return *kept;
}

} // namespace

void note_remote_temporary(const std::string& path) {
    RemoteTemporaries& kept = remote_temporaries();
    const std::lock_guard lock(kept.mutex);
    kept.paths.push_back(path);
}

posix::Expected<posix::File> make_remote_temporary(posix::Mount& mount, const std::string& path) {
    note_remote_temporary(path); // the answer may never come
    namespace abi = wire::linux_abi;
    constexpr std::uint32_t kFlags = abi::kOWronly | abi::kOCreat | abi::kOExcl | abi::kONofollow;
    auto made = mount.open_file(path, kFlags, 0600);
    if (!made) settle_unmade_temporary(mount, path, made.failure());
    return made;
}

void settle_unmade_temporary(posix::Mount& mount, const std::string& path, const posix::Failure& why) {
    if (why.is_fatal()) return; // the answer was lost: it may be there
    const bool half_made = why.error == wire::Errno::emfile || why.error == wire::Errno::enfile;
    half_made ? remove_remote_temporary(mount, path) : forget_remote_temporary(path);
}

void remove_remote_temporary(posix::Mount& mount, const std::string& path) {
    const posix::Failure failure = mount.unlink(path);
    if (!failure.happened() || failure.error == wire::Errno::enoent) forget_remote_temporary(path);
}

void forget_remote_temporary(const std::string& path) noexcept {
    RemoteTemporaries& kept = remote_temporaries();
    const std::lock_guard lock(kept.mutex);
    std::erase(kept.paths, path);
}

std::vector<std::string> take_remote_temporaries() {
    RemoteTemporaries& kept = remote_temporaries();
    const std::lock_guard lock(kept.mutex);
    return std::exchange(kept.paths, {});
}

} // namespace vfsproto::cli
