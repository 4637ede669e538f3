// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/failure.hpp"

#include <fmt/format.h>

namespace vfsproto::posix {

bool Failure::is_fatal() const noexcept {
    switch (errc) {
    case Errc::ok:
    case Errc::no_slot:
    case Errc::queue_full:
    case Errc::bad_argument:
    case Errc::too_large:
    case Errc::not_negotiated:
    case Errc::wrong_state:
    case Errc::no_memory:
    case Errc::timed_out:
    case Errc::abandoned:
    case Errc::suspended:
    case Errc::unmapped_id:
    case Errc::protocol_violation:
    case Errc::reply_lost:
    case Errc::file_lost:
    case Errc::locks_lost:
    case Errc::writes_lost: return false;
    default: return true;
    }
}

wire::Errno Failure::as_errno() const noexcept {
    switch (errc) {
    case Errc::ok: return error;
    case Errc::bad_argument: return wire::Errno::einval;
    case Errc::too_large: return wire::Errno::e2big;
    case Errc::not_negotiated: return wire::Errno::eopnotsupp;
    case Errc::no_memory: return wire::Errno::enomem;
    case Errc::wrong_state: return wire::Errno::ebadf;
    case Errc::protocol_violation: return wire::Errno::eio;
    case Errc::timed_out: return wire::Errno::etimedout;
    case Errc::abandoned: return wire::Errno::eintr;
    case Errc::suspended: return wire::Errno::eagain;
    case Errc::unmapped_id: return wire::Errno::eoverflow;
    case Errc::file_lost: return wire::Errno::estale;
    case Errc::reply_lost:
    case Errc::writes_lost:
    case Errc::locks_lost: return wire::Errno::eio; // as Linux NFS has it where locks were lost
    default: return wire::Errno::enotconn;
    }
}

std::string Failure::text() const {
    const wire::Errno number = as_errno();
    const char* name = wire::errno_name(number);
    if (errc != Errc::ok) return fmt::format("{} ({})", to_string(errc), name);
    if (!wire::has_name(number)) return fmt::format("error {}", static_cast<int>(number));
    return fmt::format("{} ({})", wire::errno_text(number), name);
}

} // namespace vfsproto::posix
