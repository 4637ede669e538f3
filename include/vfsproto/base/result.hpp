// SPDX-License-Identifier: BSD-2-Clause
// A value, or the reason there is none.
#pragma once

#include "vfsproto/base/errc.hpp"
#include "vfsproto/config.hpp"

#include <type_traits>

namespace vfsproto {

template <class T> class [[nodiscard]] Result {
    static_assert(std::is_trivially_copyable_v<T>, "core results are handles, counts and views");
    T value_{};
    Errc errc_{Errc::ok};

public:
    constexpr Result(T value) noexcept : value_(value) {}                                  // NOLINT: implicit by design
    constexpr Result(Errc why) noexcept : errc_(why) { VFSPROTO_ASSERT(why != Errc::ok); } // NOLINT

    [[nodiscard]] constexpr explicit operator bool() const noexcept { return errc_ == Errc::ok; }
    [[nodiscard]] constexpr Errc error() const noexcept { return errc_; }
    [[nodiscard]] constexpr const T& operator*() const noexcept {
        VFSPROTO_ASSERT(errc_ == Errc::ok);
        return value_;
    }
    [[nodiscard]] constexpr const T* operator->() const noexcept { return &**this; }
};

} // namespace vfsproto
