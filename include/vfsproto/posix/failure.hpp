// SPDX-License-Identifier: BSD-2-Clause
// Failure says why a hosted call did not work: the engine's reason or the server's. It has both where the first has an errno as its
// cause: init_refused, file_lost. Expected is a value, or a Failure.
#pragma once

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/base/errc.hpp"
#include "vfsproto/posix/detail/rule.hpp"

#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace vfsproto::posix {

// True in a condition if something failed:  if (Failure failure = mount.mkdir("/a")) return failure;
struct Failure {
    Errc errc = Errc::ok;
    abi::Errno error = abi::Errno::none;

    Failure() = default;
    Failure(Errc why) : errc(why) {}        // NOLINT: implicit by design
    Failure(abi::Errno why) : error(why) {} // NOLINT
    Failure(Errc e, abi::Errno n) : errc(e), error(n) {}

    [[nodiscard]] explicit operator bool() const noexcept { return happened(); }
    [[nodiscard]] bool happened() const noexcept { return errc != Errc::ok || error != abi::Errno::none; }
    // True if the device or the protocol failed, rather than one operation.
    [[nodiscard]] bool is_fatal() const noexcept;
    // Returns the number a system call would set: the server's, or one for the engine's reason (ENOTCONN, EIO …).
    [[nodiscard]] abi::Errno as_errno() const noexcept;
    // Returns text such as "No such file or directory (ENOENT)".
    [[nodiscard]] std::string text() const;
};

// Returns what a finished client::Operation says.
template <class Op> [[nodiscard]] Failure failure_of(const Op& operation) {
    return {operation.errc(), operation.error()};
}

// A value, or why there is none. Default-constructed it has neither a value nor a reason (wrong_state).
template <class T> class [[nodiscard]] Expected {
public:
    Expected() : failure_(Errc::wrong_state) {}
    Expected(T value) : value_(std::move(value)) {} // NOLINT: implicit by design
    Expected(Failure why) : failure_(why) {}        // NOLINT
    Expected(Errc why) : failure_(why) {}           // NOLINT
    Expected(abi::Errno why) : failure_(why) {}     // NOLINT

    // True if there is a value: then, and only then, it may be looked at. A checked build says so and aborts otherwise.
    [[nodiscard]] explicit operator bool() const noexcept { return value_.has_value(); }
    // Returns why there is no value; a Failure that did not happen if there is one.
    [[nodiscard]] const Failure& failure() const noexcept { return failure_; }
    [[nodiscard]] T& operator*() & noexcept { return checked(); }
    [[nodiscard]] const T& operator*() const& noexcept { return checked(); }
    // Returns the value itself, so that a loop keeps it:  for (auto& entry : *mount.list("/")) …
    [[nodiscard]] T operator*() && noexcept(std::is_nothrow_move_constructible_v<T>) { return std::move(checked()); }
    [[nodiscard]] T* operator->() noexcept { return &checked(); }
    [[nodiscard]] const T* operator->() const noexcept { return &checked(); }

private:
    [[nodiscard]] T& checked() noexcept {
        check();
        return *value_;
    }
    [[nodiscard]] const T& checked() const noexcept {
        check();
        return *value_;
    }
    void check() const noexcept {
        VFSPROTO_RULE(value_.has_value(), "an Expected that failed has no value; look at it in a condition first");
    }

    std::optional<T> value_{};
    Failure failure_{};
};

} // namespace vfsproto::posix
