// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/kept_file.hpp"

#include "vfsproto/posix/detail/channel.hpp"

#include <utility>

namespace vfsproto::posix {

namespace {

// True if somebody asked for a lock through it, also if it was given up since: only its end makes sure of that.
bool may_have_locks(const File& file) noexcept {
    using Locks = OpenHandle::Locks;
    return file.share()->may_keep(Locks::records) || file.share()->may_keep(Locks::whole);
}

} // namespace

Errc MountSession::failure() const { return mount->channel().failure(); }

bool MountSession::is_over() const { return mount->channel().is_over(); }

KeptFile::KeptFile(std::string path, const FileIdentity& identity, OpenedFile opened)
    : path_(std::move(path)),
      identity_(identity),
      flags_(opened.file.flags()),
      opened_(std::make_shared<const OpenedFile>(std::move(opened))) {}

std::shared_ptr<const OpenedFile> KeptFile::opened() const {
    const MutexLock lock(mutex_);
    return opened_;
}

Failure KeptFile::lost() const {
    const MutexLock lock(mutex_);
    return lost_;
}

// The caller has a copy of what the file was open on, which ends after this: that may take a while, and needs no lock.
void KeptFile::set(std::shared_ptr<const OpenedFile> opened, const Failure& lost) {
    const MutexLock lock(mutex_);
    opened_ = std::move(opened);
    lost_ = lost;
}

KeptFile::Restored KeptFile::restore(const std::shared_ptr<const MountSession>& session) {
    const std::shared_ptr<const OpenedFile> before = opened();
    if (before == nullptr || before->session == session) return Restored::unchanged;
    if (may_have_locks(before->file)) {
        set(nullptr, Errc::locks_lost);
        return Restored::lost;
    }
    Expected<File> again = open_again(*session->mount);
    if (again) {
        set(std::make_shared<const OpenedFile>(OpenedFile{session, *std::move(again)}), {});
        return Restored::reopened;
    }
    if (session->failure() != Errc::ok) return Restored::interrupted;
    set(nullptr, {Errc::file_lost, again.failure().as_errno()});
    return Restored::lost;
}

// The name is looked at before, so that nothing else is opened, and the file after: its name may lead elsewhere by then.
Expected<File> KeptFile::open_again(Mount& mount) const {
    const bool follows = (flags_ & wire::linux_abi::kONofollow) == 0;
    const Expected<Attributes> named = mount.stat(path_, follows ? LastLink::follow : LastLink::keep);
    if (!named) return named.failure();
    if (FileIdentity::of(*named) != identity_) return wire::Errno::estale;
    Expected<File> file = mount.open_file(path_, flags_);
    if (!file) return file.failure();
    const Expected<Attributes> opened = mount.stat(*file);
    if (!opened) return opened.failure();
    if (FileIdentity::of(*opened) != identity_) return wire::Errno::estale;
    return file;
}

} // namespace vfsproto::posix
