// SPDX-License-Identifier: BSD-2-Clause
#include "local_names.hpp"

#include "paths.hpp"
#include "program.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

namespace vfsproto::cli {

posix::Failure list_names(int directory, std::vector<std::string>& names) {
    const int again = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* const stream = again < 0 ? nullptr : ::fdopendir(again);
    if (stream == nullptr) {
        const int error = errno;
        if (again >= 0) ::close(again);
        return local_failure(error);
    }
    errno = 0;
    while (const dirent* entry = ::readdir(stream)) {
        if (is_single_component(entry->d_name)) names.emplace_back(entry->d_name);
    }
    const int error = errno;
    ::closedir(stream);
    return local_failure(error);
}

std::optional<std::string> real_path(const std::string& path) {
    const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
    return real == nullptr ? std::nullopt : std::optional<std::string>(real.get());
}

} // namespace vfsproto::cli
