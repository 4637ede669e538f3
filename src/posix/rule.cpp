// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/rule.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string_view>

namespace vfsproto::posix {

void break_rule(const char* rule) noexcept {
    static constexpr std::string_view kBefore = "vfsproto: a rule of use was broken: ";
    static constexpr std::string_view kAfter = "\n";
    const auto piece = [](std::string_view text) { return iovec{const_cast<char*>(text.data()), text.size()}; };
    const iovec line[] = {piece(kBefore), piece(rule), piece(kAfter)};
    [[maybe_unused]] const ssize_t written = ::writev(STDERR_FILENO, line, std::size(line));
    std::abort();
}

} // namespace vfsproto::posix
