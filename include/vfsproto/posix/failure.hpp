// SPDX-License-Identifier: BSD-2-Clause
// Why a hosted call did not work: the engine's reason or the server's, never both; and a value-or-failure.
#pragma once

#include "vfsproto/base/errc.hpp"
#include "vfsproto/fuse/wire/linux_abi.hpp"

#include <optional>
#include <string>
#include <utility>

namespace vfsproto::posix {

struct Failure {
    Errc errc = Errc::ok;
    wire::Errno error = wire::Errno::none;

    Failure() = default;
    Failure(Errc why) : errc(why) {}         // NOLINT: implicit by design
    Failure(wire::Errno why) : error(why) {} // NOLINT
    Failure(Errc e, wire::Errno n) : errc(e), error(n) {}

    [[nodiscard]] bool happened() const noexcept { return errc != Errc::ok || error != wire::Errno::none; }
    // Did the device or the protocol fail, rather than one operation?
    [[nodiscard]] bool is_fatal() const noexcept;
    // The number a system call would set: the server's, or ENOTCONN, EIO … for the engine's own.
    [[nodiscard]] wire::Errno as_errno() const noexcept;
    // "No such file or directory (ENOENT)".
    [[nodiscard]] std::string text() const;
};

// What a finished client::Operation says.
template <class Op> [[nodiscard]] Failure failure_of(const Op& operation) {
    return {operation.errc(), operation.error()};
}

template <class T> class [[nodiscard]] Outcome {
public:
    Outcome(T value) : value_(std::move(value)) {} // NOLINT: implicit by design
    Outcome(Failure why) : failure_(why) {}        // NOLINT
    Outcome(Errc why) : failure_(why) {}           // NOLINT
    Outcome(wire::Errno why) : failure_(why) {}    // NOLINT

    [[nodiscard]] explicit operator bool() const noexcept { return value_.has_value(); }
    [[nodiscard]] const Failure& failure() const noexcept { return failure_; }
    [[nodiscard]] T& operator*() & noexcept { return *value_; }
    [[nodiscard]] const T& operator*() const& noexcept { return *value_; }
    [[nodiscard]] T&& operator*() && noexcept { return std::move(*value_); }
    [[nodiscard]] T* operator->() noexcept { return &*value_; }
    [[nodiscard]] const T* operator->() const noexcept { return &*value_; }

private:
    std::optional<T> value_{};
    Failure failure_{};
};

} // namespace vfsproto::posix
