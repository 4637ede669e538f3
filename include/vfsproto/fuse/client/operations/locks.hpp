// SPDX-License-Identifier: BSD-2-Clause
// Operations on the advisory locks of open files: record locks (fcntl) and locks of the whole file (flock). Each kind is the
// server's only if INIT agreed on it, POSIX_LOCKS for the one and FLOCK_LOCKS for the other. Without that an operation ends with
// not_negotiated before anything is sent: a lock that the server does not know protects from nobody else.
#pragma once

#include "vfsproto/fuse/client/operations/operation.hpp"

#include <cstdint>

namespace vfsproto::client {

// Asks with GETLK. Set call.args, then start(). The reply has the type kLockUnlock if nobody stands in the way, else the first lock that
// does. Errors beside the server's: not_negotiated; protocol_violation for an answer that is no lock.
class TestLock final : public Operation {
public:
    Call<wire::Opcode::getlk> call;

    void start(Client& client, const Caller& caller, std::uint64_t nodeid) noexcept;

private:
    void answered() noexcept;
};

// Tells whether a lock that is taken may be waited for, at the server.
enum class LockWait : std::uint8_t { none, at_server };

// Sends SETLK, or SETLKW where the lock is waited for. `wanted` has the handle, the owner, the range (`end` is the last byte), the type
// and, in lk_flags, the kind. EAGAIN says that another owner stands in the way. A server that cannot wait refuses SETLKW with
// EOPNOTSUPP or ENOSYS: it is asked with SETLK then, now and later, so that EAGAIN also ends an operation that was to wait. Its
// caller asks again after a while of its own. An unlock never waits.
// Errors beside the server's: not_negotiated.
class SetLock final : public Operation {
public:
    void start(Client& client, const Caller& caller, std::uint64_t nodeid, const wire::LkIn& wanted,
               LockWait wait) noexcept;

private:
    void answered_wait() noexcept;
    void try_now() noexcept;
    void answered_try() noexcept;

    Call<wire::Opcode::setlkw> wait_;
    Call<wire::Opcode::setlk> try_;
    std::uint64_t nodeid_ = 0;
    enum class Waiting : std::uint8_t { untried, refused } waiting_ = Waiting::untried;
};

} // namespace vfsproto::client
