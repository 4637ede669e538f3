// SPDX-License-Identifier: BSD-2-Clause
// A tree of this host.
#pragma once

#include "tree_side.hpp"

#include "vfsproto/backends/file_descriptor.hpp"

namespace vfsproto::cli {

class LocalSide final : public TreeSide {
public:
    // Takes an open directory, and its path for messages.
    LocalSide(backends::FileDescriptor top, std::string path) : top_(std::move(top)), path_(std::move(path)) {}

    posix::Failure look(const std::string& path) override;
    posix::Expected<std::vector<Entry>> list(const std::string& path) override;
    posix::Failure remove(const std::string& path, Type type) override;
    posix::Expected<abi::Attributes> attributes(const std::string& directory) override;
    posix::Failure set_times(const std::string& directory, const abi::Attributes& had) override;
    [[nodiscard]] std::string shown(const std::string& path) const override;

private:
    backends::FileDescriptor top_;
    std::string path_;
};

} // namespace vfsproto::cli
