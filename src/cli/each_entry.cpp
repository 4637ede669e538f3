// SPDX-License-Identifier: BSD-2-Clause
#include "each_entry.hpp"

namespace vfsproto::cli {

posix::Failure each_entry(posix::Mount& mount, const std::string& path, client::DirectoryFormat format,
                          const std::function<void(std::vector<posix::DirectoryEntry>&)>& take) {
    auto directory = mount.open_directory(path, format);
    if (!directory) return directory.failure();
    std::vector<posix::DirectoryEntry> named;
    for (;;) {
        auto some = directory->read();
        if (!some) return some.failure();
        if (some->empty()) return {};
        named.clear();
        posix::append_names(*some, named);
        take(named);
    }
}

} // namespace vfsproto::cli
