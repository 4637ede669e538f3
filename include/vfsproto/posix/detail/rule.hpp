// SPDX-License-Identifier: BSD-2-Clause
// Rules of use that no call can answer with a Failure: what is looked at, or destroyed, is wrong already.
#pragma once

#include "vfsproto/config.hpp"

// Ends the program where a rule of use is broken, in a build that checks (VFSPROTO_ASSERTIONS). `rule` says on standard error,
// in one line, which it was.
#define VFSPROTO_RULE(condition, rule)                                                                                 \
    (VFSPROTO_ASSERTIONS == 0 || static_cast<bool>(condition) ? static_cast<void>(0)                                   \
                                                              : ::vfsproto::posix::break_rule(rule))

namespace vfsproto::posix {

[[noreturn, gnu::cold]] void break_rule(const char* rule) noexcept;

} // namespace vfsproto::posix
