// SPDX-License-Identifier: BSD-2-Clause
#include "own_directory.hpp"

#include <cstdlib>
#include <memory>

namespace vfsproto::cli {

namespace {

// Returns an empty text if the path leads nowhere.
std::string real_path(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
    return real == nullptr ? std::string() : std::string(real.get());
}

} // namespace

void refuse_own_directory(Program& program, const std::string& share, const std::string& point) {
    const std::string served = real_path(share);
    const std::string place = real_path(point);
    const bool lies_in = !served.empty() && (served == "/" || place == served || place.starts_with(served + '/'));
    if (!lies_in) return;
    program.report(point, "lies in the directory that is to be mounted there: name one outside of " + served);
    throw Leave{ExitCode::failed};
}

} // namespace vfsproto::cli
