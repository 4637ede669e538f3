// SPDX-License-Identifier: BSD-2-Clause
// ReconnectingMount: its calls. How it connects anew stands in reconnect.cpp.
#include "vfsproto/posix/reconnecting_mount.hpp"

#include "vfsproto/fuse/client/repeat.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/kept_file.hpp"
#include "vfsproto/posix/detail/suspend_gate.hpp"
#include "vfsproto/posix/detail/whole_transfer.hpp"

namespace vfsproto::posix {

using wire::Opcode;

namespace {

constexpr std::size_t kFewFiles = 64; // so few are not looked through for those that have ended

// A transfer that the end of its session cut short says how far it came, and nothing of the piece that was under way: that is no
// answer to a caller who goes on with another session.
Expected<std::uint64_t> unless_cut_short(Mount& on, const Expected<std::uint64_t>& moved, std::size_t wanted) {
    if (!moved || *moved == wanted) return moved;
    const Errc ended = on.channel().find_failure();
    return ended == Errc::ok ? moved : Expected<std::uint64_t>(ended);
}

// Returns what a rename came to. Nobody knows what became of one whose answer is malformed.
KeptFile::Moved moved_by(const Failure& rename) {
    if (!rename.happened()) return KeptFile::Moved::yes;
    const bool undecided = rename.errc == Errc::reply_lost || rename.errc == Errc::protocol_violation;
    return undecided ? KeptFile::Moved::unknown : KeptFile::Moved::no;
}

} // namespace

Failure ReconnectingFile::lost() const { return kept_->lost(); }

ReconnectingMount::ReconnectingMount(ReconnectOptions options, Gate gate, SessionPtr first)
    : options_(std::move(options)),
      gate_(std::move(gate)),
      unsynced_(std::make_unique<UnsyncedFiles>()),
      session_(std::move(first)) {}

ReconnectingMount::~ReconnectingMount() = default;

Expected<std::unique_ptr<ReconnectingMount>> ReconnectingMount::open(ReconnectOptions options) {
    if (!options.open_device) return Errc::bad_argument;
    auto gate = std::make_shared<SuspendGate>();
    Expected<SessionPtr> first = open_session(options, gate, 1);
    if (!first) return first.failure();
    return std::unique_ptr<ReconnectingMount>(
        new ReconnectingMount(std::move(options), std::move(gate), *std::move(first)));
}

client::MayRepeat ReconnectingMount::may_repeat(Opcode op, const KeptFile* file) noexcept {
    const client::HandleFlags none{};
    return client::may_repeat(wire::op_info(op),
                              file != nullptr ? client::HandleFlags{file->flags(), file->granted()} : none);
}

Expected<ReconnectingFile> ReconnectingMount::open_file(std::string_view path, std::uint32_t flags,
                                                        std::uint32_t mode) {
    const std::uint32_t made_with = mode & ~options_.mount.credentials.umask;
    SessionTries tries(*this, client::may_repeat_open(flags, made_with));
    using Opened = Expected<std::shared_ptr<KeptFile>>;
    const Opened opened = try_until_over(tries, [&]() -> Opened {
        Expected<File> file = tries.mount().open_file(path, flags, mode);
        if (!file) return file.failure();
        const Expected<Attributes> seen = tries.mount().stat(*file);
        if (!seen) return seen.failure();
        std::shared_ptr<UnsyncedWrites> unsynced;
        if (options_.written == WrittenData::ends_with_server) unsynced = unsynced_->find_or_make(seen->ino);
        auto kept = std::make_shared<KeptFile>(path, FileIdentity::of(*seen),
                                               OpenedFile{tries.session(), *std::move(file)}, unsynced);
        // The file is told of a truncation that went with its server meanwhile: it knows all losses before.
        const bool truncates = (flags & abi::kOTrunc) != 0;
        if (unsynced != nullptr && truncates) unsynced->note_written(tries.session()->number);
        if (truncates) kept->note_written();
        return kept;
    });
    if (!opened) return opened.failure();
    if (const Failure why = keep(*opened)) return why;
    return ReconnectingFile(*opened);
}

// Another thread may have opened the next session since the file was opened.
Failure ReconnectingMount::keep(const std::shared_ptr<KeptFile>& file) {
    const MutexLock lock(reconnecting_);
    if (files_.size() >= most_files_) {
        std::erase_if(files_, [](const std::weak_ptr<KeptFile>& each) { return each.expired(); });
        most_files_ = 2 * files_.size() + kFewFiles;
    }
    files_.push_back(file);
    // A session that has ended is followed by one that all files are opened on again.
    static_cast<void>(file->restore(current()));
    return file->lost();
}

Failure ReconnectingMount::close(const ReconnectingFile& file) {
    return call(file, Opcode::flush, [](Mount& on, const File& open) { return on.close(open); });
}

Expected<std::uint64_t> ReconnectingMount::read(const ReconnectingFile& file, std::span<std::byte> into,
                                                std::uint64_t offset) {
    return call(file, Opcode::read, [&](Mount& on, const File& open) {
        return unless_cut_short(on, on.read(open, into, offset), into.size());
    });
}

Expected<std::uint64_t> ReconnectingMount::write(const ReconnectingFile& file, std::span<const std::byte> from,
                                                 std::uint64_t offset) {
    return call(file, Opcode::write, [&](Mount& on, const File& open) {
        return unless_cut_short(on, on.write(open, from, offset), from.size());
    });
}

Expected<std::uint64_t> ReconnectingMount::read_all(const ReconnectingFile& file, std::span<std::byte> into,
                                                    std::uint64_t offset) {
    return read_whole(into, offset, [&](std::span<std::byte> rest, std::uint64_t at) { return read(file, rest, at); });
}

Failure ReconnectingMount::write_all(const ReconnectingFile& file, std::span<const std::byte> from,
                                     std::uint64_t offset) {
    return write_whole(from, offset,
                       [&](std::span<const std::byte> rest, std::uint64_t at) { return write(file, rest, at); });
}

Failure ReconnectingMount::fsync(const ReconnectingFile& file, std::uint32_t flags) {
    return call(file, Opcode::fsync, [&](Mount& on, const File& open) { return on.fsync(open, flags); });
}

// The session may end at any time on the way, so each file has both places until it is known which one is right. The last copy
// of a file may end here: without the lock, as its end waits for the server.
Failure ReconnectingMount::rename(std::string_view from, std::string_view to, std::uint32_t flags) {
    using Kind = KeptFile::Move::Kind;
    const std::string old_path = KeptFile::from_root(from);
    const std::string new_path = KeptFile::from_root(to);
    const bool exchanges = (flags & abi::kRenameExchange) != 0;
    const KeptFile::Move move{old_path, new_path, exchanges ? Kind::exchange : Kind::one_way};
    const auto for_each_file = [this](const auto& use) {
        std::vector<std::shared_ptr<KeptFile>> open;
        const MutexLock lock(reconnecting_);
        open = files();
        for (const std::shared_ptr<KeptFile>& file : open) use(*file);
    };
    for_each_file([&move](KeptFile& file) { file.begin_move(move); });
    const Failure why = call(Opcode::rename, [&](Mount& on) { return on.rename(from, to, flags); });
    for_each_file([&move, moved = moved_by(why)](KeptFile& file) { file.end_move(move, moved); });
    return why;
}

} // namespace vfsproto::posix
