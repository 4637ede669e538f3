// SPDX-License-Identifier: BSD-2-Clause
// Makes one call of a ReconnectingMount: on the session there is, and on the next one if that ends and the call may be repeated.
#pragma once

#include "vfsproto/posix/detail/mount_session.hpp"

#include <cstdint>
#include <memory>

namespace vfsproto::client {
enum class MayRepeat : std::uint8_t; // repeat.hpp
}
namespace vfsproto::wire {
enum class Opcode : std::uint32_t;
}

namespace vfsproto::posix {

class KeptFile;
class ReconnectingMount;
class SuspendGate;

// Says how a call passed a SuspendGate, for its end, and stays in place until then. Of the calls of one thread that lie within each
// other, the first counts.
struct GatePassage {
    enum class Kind : std::uint8_t { none, counted, within } kind = Kind::none;
    const SuspendGate* gate = nullptr;   // where it was counted
    const GatePassage* before = nullptr; // what this thread had passed last, of this or another mount
};

// It lives on the stack of its thread.
class SessionTries {
public:
    SessionTries(ReconnectingMount& owner, client::MayRepeat may) noexcept : owner_(owner), may_(may) {}
    // The call is about this open file.
    SessionTries(ReconnectingMount& owner, KeptFile& file, client::MayRepeat may) noexcept
        : owner_(owner), file_(&file), may_(may) {}
    ~SessionTries();
    SessionTries(const SessionTries&) = delete;
    SessionTries& operator=(const SessionTries&) = delete;

    // Finds what the next try is made on, and connects anew for it if need be. The first waits while the mount is suspended, or
    // fails, as ReconnectOptions has it. Returns why there is nothing to make the try on.
    [[nodiscard]] Failure begin();
    // These are valid from then on, until the next begin().
    [[nodiscard]] Mount& mount() const noexcept { return *session_->mount; }
    [[nodiscard]] const std::shared_ptr<const MountSession>& session() const noexcept { return session_; }
    [[nodiscard]] const File& file() const noexcept { return opened_->file; }

    enum class Verdict : std::uint8_t {
        over,  // what the try came to is what the call comes to
        again, // the session ended with it: begin() is due
        lost,  // the same, and it may not be made once more
    };
    [[nodiscard]] Verdict judge(const Failure& why);

    // These are for a call about an open file: what was written of it before a try, and what a try that asked for this came to.
    struct Written {
        std::uint64_t by_all = 0;  // who have the file open, on this session; 0 where the server keeps it
        std::uint64_t by_this = 0; // open file, on all sessions
    };
    [[nodiscard]] Written written() const;
    void note(wire::Opcode op, const Written& before, const Failure& why) const;
    // Returns what a call that succeeded has to say all the same: writes_lost, or what an FSYNC came to that nobody had asked for.
    // The file has said so then.
    [[nodiscard]] Failure take_owed(wire::Opcode op) const;

private:
    [[nodiscard]] Failure take_session();
    [[nodiscard]] bool finds_out_itself() const noexcept;

    ReconnectingMount& owner_;
    KeptFile* file_ = nullptr; // nullptr: of no open file
    client::MayRepeat may_;
    unsigned repeats_ = 0; // of the call so far
    GatePassage passage_{};
    std::shared_ptr<const MountSession> session_{};
    std::shared_ptr<const OpenedFile> opened_{};
};

} // namespace vfsproto::posix
