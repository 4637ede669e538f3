// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/kept_file.hpp"

#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/open_handle.hpp"

#include <algorithm>
#include <utility>

namespace vfsproto::posix {

namespace {

// True if somebody asked for a lock through it, also if it was given up since: only its end makes sure of that.
bool may_have_locks(const File& file) noexcept {
    using Locks = OpenHandle::Locks;
    const OpenHandle& handle = *file.handle();
    return handle.may_keep(Locks::records) || handle.may_keep(Locks::whole) || handle.may_keep(Locks::of_others);
}

// Returns `path` with `to` in place of `from`, if it is that or lies below; else an empty one.
std::string with_place(const std::string& path, const std::string& from, const std::string& to) {
    if (path == from) return to;
    const std::size_t above = from.size();
    const bool is_below = path.starts_with(from) && path.size() > above && path[above] == '/';
    return is_below ? to + path.substr(above) : std::string();
}

} // namespace

Errc MountSession::failure() const {
    if (mount == nullptr) return stopped == Errc::ok ? Errc::suspended : stopped;
    return mount->channel().find_failure();
}

bool MountSession::is_over() const { return mount == nullptr ? stopped == Errc::ok : mount->channel().is_over(); }

std::string KeptFile::from_root(std::string_view path) {
    std::string out;
    while (!path.empty()) {
        const std::size_t end = std::min(path.find('/'), path.size());
        const std::string_view name = path.substr(0, end);
        if (!name.empty() && name != ".") out.append("/").append(name);
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return out.empty() ? "/" : out;
}

KeptFile::KeptFile(std::string_view path, const FileIdentity& identity, OpenedFile opened,
                   std::shared_ptr<UnsyncedWrites> unsynced)
    : identity_(identity),
      flags_(opened.file.flags()),
      granted_(opened.file.open_flags()),
      unsynced_(std::move(unsynced)),
      places_{Place{from_root(path)}},
      opened_(std::make_shared<const OpenedFile>(std::move(opened))) {
    if (unsynced_ != nullptr) told_losses_ = unsynced_->losses(opened_->session->number);
}

std::vector<KeptFile::Place> KeptFile::places() const {
    const MutexLock lock(mutex_);
    return places_;
}

std::string KeptFile::path() const {
    const MutexLock lock(mutex_);
    return places_.front().path;
}

std::string KeptFile::Move::place_of(const std::string& path) const {
    std::string moved = with_place(path, from, to);
    return moved.empty() && kind == Kind::exchange ? with_place(path, to, from) : moved;
}

void KeptFile::begin_move(const Move& move) {
    const MutexLock lock(mutex_);
    const std::size_t count = places_.size();
    for (std::size_t i = 0; i < count && places_.size() < kMostPlaces; ++i) {
        std::string moved = move.place_of(places_[i].path);
        if (!moved.empty()) places_.push_back({std::move(moved), &move});
    }
}

// A file that was opened since begin_move() may be another one, which came to this path after the move: it stays.
void KeptFile::end_move(const Move& move, Moved moved) {
    const auto is_of_move = [&move](const Place& place) { return place.move == &move; };
    const auto is_left = [&move](const Place& place) {
        return place.move == nullptr && !move.place_of(place.path).empty();
    };
    const MutexLock lock(mutex_);
    if (moved == Moved::no) {
        std::erase_if(places_, is_of_move);
    } else if (moved == Moved::yes && std::any_of(places_.begin(), places_.end(), is_of_move)) {
        std::erase_if(places_, is_left);
    }
    for (Place& place : places_) {
        if (is_of_move(place)) place.move = nullptr;
    }
}

std::shared_ptr<const OpenedFile> KeptFile::opened() const {
    const MutexLock lock(mutex_);
    return opened_;
}

Failure KeptFile::lost() const {
    const MutexLock lock(mutex_);
    return lost_;
}

bool KeptFile::has_untold_losses(std::uint32_t session) const {
    if (unsynced_ == nullptr) return false;
    const MutexLock lock(mutex_);
    return unsynced_->losses(session) != told_losses_;
}

bool KeptFile::tell_losses(std::uint32_t session) {
    if (unsynced_ == nullptr) return false;
    const MutexLock lock(mutex_);
    const std::uint32_t losses = unsynced_->losses(session);
    return std::exchange(told_losses_, losses) != losses;
}

// The caller has a copy of what the file was open on, which ends after this: that may take a while, and needs no lock.
void KeptFile::reopen(const std::shared_ptr<const MountSession>& session, Found found) {
    auto opened = std::make_shared<const OpenedFile>(OpenedFile{session, std::move(found.file)});
    const MutexLock lock(mutex_);
    opened_ = std::move(opened);
    // It is in one place now. A move that is still under way may take it from there.
    std::vector<Place> left{Place{std::move(places_[found.place].path)}};
    for (std::size_t i = 0; i < places_.size(); ++i) {
        if (i != found.place && places_[i].move != nullptr) left.push_back(std::move(places_[i]));
    }
    places_ = std::move(left);
}

void KeptFile::lose(const Failure& why) {
    const MutexLock lock(mutex_);
    opened_ = nullptr;
    lost_ = why;
}

// The handle ends here, which waits for the server and needs no lock.
void KeptFile::give_up() {
    std::shared_ptr<const OpenedFile> ended;
    const MutexLock lock(mutex_);
    if (opened_ == nullptr) return;
    has_lost_locks_ = may_have_locks(opened_->file);
    ended.swap(opened_);
}

Failure KeptFile::take_owed() {
    const MutexLock lock(mutex_);
    return std::exchange(owed_, {});
}

void KeptFile::owe(const Failure& why) {
    const MutexLock lock(mutex_);
    owed_ = why;
}

bool KeptFile::owes_sync() const {
    if (written_.load(std::memory_order_acquire) != synced_.load(std::memory_order_acquire)) return true;
    const std::shared_ptr<const OpenedFile> now = opened();
    return unsynced_ != nullptr && now != nullptr && unsynced_->owes_sync(now->session->number);
}

void KeptFile::note_synced(std::uint64_t written) noexcept {
    std::uint64_t synced = synced_.load(std::memory_order_relaxed);
    while (synced < written && !synced_.compare_exchange_weak(synced, written, std::memory_order_acq_rel)) {}
}

KeptFile::Restored KeptFile::restore(const std::shared_ptr<const MountSession>& session) {
    const std::shared_ptr<const OpenedFile> before = opened();
    if (before == nullptr && lost().happened()) return Restored::unchanged;
    if (before != nullptr && before->session == session) return Restored::unchanged;
    if (before != nullptr ? may_have_locks(before->file) : has_lost_locks()) {
        lose(Errc::locks_lost);
        return Restored::lost;
    }
    Expected<Found> found = open_again(*session->mount);
    if (found) {
        reopen(session, *std::move(found));
        return Restored::reopened;
    }
    if (session->failure() != Errc::ok) return Restored::interrupted;
    lose({Errc::file_lost, found.failure().as_errno()});
    return Restored::lost;
}

// The reason is that of the first place: the file was known to be there.
Expected<KeptFile::Found> KeptFile::open_again(Mount& mount) const {
    Failure why;
    std::size_t at = 0;
    for (const Place& place : places()) {
        Expected<File> file = open_at(mount, place.path);
        if (file) return Found{*std::move(file), at};
        if (at == 0) why = file.failure();
        ++at;
    }
    return why;
}

bool KeptFile::has_lost_locks() const {
    const MutexLock lock(mutex_);
    return has_lost_locks_;
}

Failure KeptFile::find_at(Mount& mount, const std::string& path) const {
    const bool follows = (flags_ & abi::kONofollow) == 0;
    const Expected<Attributes> named = mount.stat(path, follows ? LastLink::follow : LastLink::keep);
    if (!named) return named.failure();
    return FileIdentity::of(*named) == identity_ ? Failure() : Failure(abi::Errno::estale);
}

// The server is asked anew: a name that is kept may be old.
Failure KeptFile::check_restorable(Mount& mount, const File& file) const {
    if (may_have_locks(file)) return Errc::locks_lost;
    const std::unique_ptr<Mount> anew = mount.looking_anew();
    Failure why;
    bool is_first = true;
    for (const Place& place : places()) {
        const Failure here = find_at(*anew, place.path);
        if (!here.happened()) return {};
        if (is_first) why = here;
        is_first = false;
    }
    return why.errc != Errc::ok ? why : Failure(Errc::file_lost, why.error);
}

// The name is looked at before, so that nothing else is opened, and the file after: its name may lead elsewhere by then.
Expected<File> KeptFile::open_at(Mount& mount, const std::string& path) const {
    if (const Failure why = find_at(mount, path)) return why;
    Expected<File> file = mount.open_file(path, flags_);
    if (!file) return file.failure();
    const Expected<Attributes> opened = mount.stat(*file);
    if (!opened) return opened.failure();
    if (FileIdentity::of(*opened) != identity_) return abi::Errno::estale;
    return file;
}

} // namespace vfsproto::posix
