// SPDX-License-Identifier: BSD-2-Clause
// Removes what cut copies of a file have left, once the file is whole: halves of other versions, which nobody goes on with.
#pragma once

#include "vfsproto/posix/mount.hpp"

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace vfsproto::cli {

class StaleHalves {
public:
    // Remove the halves of a target that lay beside it when its directory was listed first. Each directory is listed once. Any
    // thread. What cannot be listed or removed stays.
    void remove_beside(int directory, const std::string& name);
    void remove_beside(posix::Mount& mount, const std::string& remote_target);

private:
    using Names = std::vector<std::string>;
    // Takes those of one target out of the list of a directory.
    [[nodiscard]] Names take(const std::string& directory, const std::string& target,
                             const std::function<Names()>& list);

    std::mutex mutex_;
    std::map<std::string, Names> halves_; // by directory, those that are not removed yet
};

} // namespace vfsproto::cli
