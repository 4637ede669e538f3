// SPDX-License-Identifier: BSD-2-Clause
// A tree of the device.
#pragma once

#include "tree_side.hpp"

#include "vfsproto/posix/mount.hpp"

namespace vfsproto::cli {

class RemoteSide final : public TreeSide {
public:
    // `mount` must outlive the object.
    RemoteSide(posix::Mount& mount, std::string path) : mount_(mount), path_(std::move(path)) {}

    posix::Failure look(const std::string& path) override;
    posix::Expected<std::vector<Entry>> list(const std::string& path) override;
    posix::Failure remove(const std::string& path, Type type) override;
    posix::Expected<abi::Attributes> attributes(const std::string& directory) override;
    posix::Failure set_times(const std::string& directory, const abi::Attributes& had) override;
    [[nodiscard]] std::string shown(const std::string& path) const override;

private:
    posix::Mount& mount_;
    std::string path_;
};

} // namespace vfsproto::cli
