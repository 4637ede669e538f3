// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/kept_file.hpp"

#include "vfsproto/posix/detail/channel.hpp"

#include <algorithm>
#include <utility>

namespace vfsproto::posix {

namespace {

// True if somebody asked for a lock through it, also if it was given up since: only its end makes sure of that.
bool may_have_locks(const File& file) noexcept {
    using Locks = OpenHandle::Locks;
    return file.share()->may_keep(Locks::records) || file.share()->may_keep(Locks::whole);
}

// Returns where the move leaves what has this path; empty if it stays where it is.
std::string path_after(const KeptFile::Move& move, const std::string& path) {
    if (path == move.from) return move.to;
    const std::size_t above = move.from.size();
    const bool is_below = path.starts_with(move.from) && path.size() > above && path[above] == '/';
    return is_below ? move.to + path.substr(above) : std::string();
}

} // namespace

Errc MountSession::failure() const { return mount->channel().failure(); }

bool MountSession::is_over() const { return mount->channel().is_over(); }

std::string KeptFile::plain(std::string_view path) {
    std::string out;
    while (!path.empty()) {
        const std::size_t end = std::min(path.find('/'), path.size());
        const std::string_view name = path.substr(0, end);
        if (!name.empty() && name != ".") out.append("/").append(name);
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return out.empty() ? "/" : out;
}

KeptFile::KeptFile(std::string_view path, const FileIdentity& identity, OpenedFile opened)
    : identity_(identity),
      flags_(opened.file.flags()),
      path_(plain(path)),
      opened_(std::make_shared<const OpenedFile>(std::move(opened))) {}

std::string KeptFile::path() const {
    const MutexLock lock(mutex_);
    return path_;
}

void KeptFile::begin_move(const Move& move) {
    const MutexLock lock(mutex_);
    std::string moved = path_after(move, path_);
    if (!moved.empty()) moved_path_ = std::move(moved);
}

// A file that was opened meanwhile may be another one, which came to this path after the move: it stays.
void KeptFile::end_move(const Move& move, Moved moved) {
    const MutexLock lock(mutex_);
    if (moved == Moved::unknown || moved_path_.empty() || moved_path_ != path_after(move, path_)) return;
    if (moved == Moved::yes) path_ = moved_path_;
    moved_path_.clear();
}

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

Expected<File> KeptFile::open_again(Mount& mount) const {
    std::string path;
    std::string moved_path;
    {
        const MutexLock lock(mutex_);
        path = path_;
        moved_path = moved_path_;
    }
    Expected<File> file = open_at(mount, path);
    if (file || moved_path.empty()) return file;
    Expected<File> moved = open_at(mount, moved_path);
    return moved ? std::move(moved) : std::move(file);
}

// The name is looked at before, so that nothing else is opened, and the file after: its name may lead elsewhere by then.
Expected<File> KeptFile::open_at(Mount& mount, const std::string& path) const {
    const bool follows = (flags_ & wire::linux_abi::kONofollow) == 0;
    const Expected<Attributes> named = mount.stat(path, follows ? LastLink::follow : LastLink::keep);
    if (!named) return named.failure();
    if (FileIdentity::of(*named) != identity_) return wire::Errno::estale;
    Expected<File> file = mount.open_file(path, flags_);
    if (!file) return file.failure();
    const Expected<Attributes> opened = mount.stat(*file);
    if (!opened) return opened.failure();
    if (FileIdentity::of(*opened) != identity_) return wire::Errno::estale;
    return file;
}

} // namespace vfsproto::posix
