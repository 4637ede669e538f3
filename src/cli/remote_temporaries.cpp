// SPDX-License-Identifier: BSD-2-Clause
#include "remote_temporaries.hpp"

#include "cleaning_up.hpp"
#include "rename_no_clobber.hpp"

#include "vfsproto/posix/mount_stats.hpp"

#include <mutex>
#include <utility>

namespace vfsproto::cli {

using abi::Errno;
using posix::Failure;

namespace {

struct RemoteTemporaries {
    std::mutex mutex;
    std::vector<std::string> paths;
};
RemoteTemporaries& remote_temporaries() {
    static auto* const kept = new RemoteTemporaries; // never destroyed: threads may end after main()
    return *kept;
}

// True if links cannot be made there at all.
bool has_no_links(const Failure& failure) noexcept {
    return failure.error == Errno::eperm || failure.error == Errno::enosys || failure.error == Errno::eopnotsupp ||
           failure.error == Errno::emlink;
}

} // namespace

bool may_be_done(const Failure& why) noexcept {
    return why.errc != Errc::ok || why.error == Errno::emfile || why.error == Errno::enfile;
}

void note_remote_temporary(const std::string& path) {
    RemoteTemporaries& kept = remote_temporaries();
    const std::lock_guard lock(kept.mutex);
    kept.paths.push_back(path);
}

posix::Expected<posix::File> make_remote_temporary(posix::Mount& mount, const std::string& path) {
    note_remote_temporary(path); // the answer may never come
    constexpr std::uint32_t kFlags = abi::kOWronly | abi::kOCreat | abi::kOExcl | abi::kONofollow;
    auto made = mount.open_file(path, kFlags, 0600);
    if (!made) settle_unmade_temporary(mount, path, made.failure());
    return made;
}

void settle_unmade_temporary(posix::Mount& mount, const std::string& path, const posix::Failure& why) {
    if (why.is_fatal()) return; // the answer was lost: it may be there
    if (!may_be_done(why)) return forget_remote_temporary(path);
    // The server may still have the request that makes the file. Which of those that were let go of it is, nobody says.
    const posix::MountStats asked = mount.mount_stats();
    const bool may_come_yet = asked.abandoned != asked.late;
    const CleaningUp cleaning(mount);
    const Failure removed = cleaning.mount().unlink(path);
    const bool is_absent = removed.error == Errno::enoent;
    if (!removed.happened() || (is_absent && !may_come_yet)) forget_remote_temporary(path);
}

void remove_remote_temporary(posix::Mount& mount, const std::string& path) {
    const Failure failure = mount.unlink(path);
    if (!failure.happened() || failure.error == Errno::enoent) forget_remote_temporary(path);
}

Failure rename_remote_temporary(posix::Mount& mount, const std::string& path, const std::string& new_path,
                                Clobber clobber) {
    Failure failure = mount.rename(path, new_path, clobber == Clobber::never ? abi::kRenameNoreplace : 0);
    if (clobber == Clobber::never && cannot_keep_from_replacing(failure)) {
        failure = mount.link(path, new_path);
        if (!failure.happened()) {
            const CleaningUp cleaning(mount);
            remove_remote_temporary(cleaning.mount(), path);
            return {};
        }
        if (has_no_links(failure)) failure = rename_no_clobber(mount, path, new_path);
    }
    if (!failure.happened()) forget_remote_temporary(path);
    return failure;
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
