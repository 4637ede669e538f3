// SPDX-License-Identifier: BSD-2-Clause
// A directory of this host over which a file system is mounted: by mount(2) where this process may, else by fusermount3.
#pragma once

#include "option_list.hpp"

#include "vfsproto/backends/file_descriptor.hpp"

#include <string>

namespace vfsproto::kernel_mount {

// The mount is taken away with the object, unless that was done before.
class MountPoint {
public:
    MountPoint() = default;
    ~MountPoint() { detach(); }
    MountPoint(const MountPoint&) = delete;
    MountPoint& operator=(const MountPoint&) = delete;

    // These return an empty text, or one line that says why not and what to try. Takes a directory to mount over.
    [[nodiscard]] std::string choose(const std::string& directory);
    // Mounts over it. The kernel speaks FUSE over take_device() then.
    [[nodiscard]] std::string attach(const OptionList& options);
    [[nodiscard]] backends::FileDescriptor take_device() noexcept { return std::move(device_); }
    // Returns the absolute path of the directory.
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

    // Takes the mount away, also from under those who use it: they keep what they have open until the connection ends. Once.
    void detach() noexcept;
    // Is told that the connection has ended. Where somebody else took the mount away, what is mounted there now is not ours.
    void note_ended() noexcept;

private:
    enum class By : std::uint8_t { nobody, kernel, helper };

    [[nodiscard]] std::string attach_by_kernel(const OptionList& options, int& error);
    [[nodiscard]] std::string attach_by_helper(const OptionList& options);

    std::string path_;
    backends::FileDescriptor device_;
    By attached_ = By::nobody;
};

} // namespace vfsproto::kernel_mount
