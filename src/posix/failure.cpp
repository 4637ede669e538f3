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

abi::Errno Failure::as_errno() const noexcept {
    switch (errc) {
    case Errc::ok: return error;
    case Errc::bad_argument: return abi::Errno::einval;
    case Errc::too_large: return abi::Errno::e2big;
    case Errc::not_negotiated: return abi::Errno::eopnotsupp;
    case Errc::no_memory: return abi::Errno::enomem;
    case Errc::wrong_state: return abi::Errno::ebadf;
    case Errc::protocol_violation: return abi::Errno::eio;
    case Errc::timed_out: return abi::Errno::etimedout;
    case Errc::abandoned: return abi::Errno::eintr;
    case Errc::suspended: return abi::Errno::eagain;
    case Errc::unmapped_id: return abi::Errno::eoverflow;
    case Errc::file_lost: return abi::Errno::estale;
    case Errc::reply_lost:
    case Errc::writes_lost:
    case Errc::locks_lost: return abi::Errno::eio; // as Linux NFS has it where locks were lost
    default: return abi::Errno::enotconn;
    }
}

std::string Failure::text() const {
    const abi::Errno number = as_errno();
    const char* name = abi::errno_name(number);
    if (errc != Errc::ok) return fmt::format("{} ({})", to_string(errc), name);
    if (!abi::has_name(number)) return fmt::format("error {}", static_cast<int>(number));
    return fmt::format("{} ({})", abi::errno_text(number), name);
}

} // namespace vfsproto::posix
