// SPDX-License-Identifier: BSD-2-Clause
// The options of a mount in the words of mount(8): "ro,allow_other,fsname=share".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vfsproto::kernel_mount {

struct OptionList {
    unsigned long flags = kDefaultFlags; // MS_… of mount(2)
    bool allow_other = false;            // users other than the one who mounts may use it
    // The kernel judges by modes and owners, as it does for every virtio-fs mount: servers make new files for the caller, and do all
    // else with their own rights.
    bool default_permissions = true;
    std::uint32_t max_read = 0; // bytes of one READ at most; 0: what the session allows
    std::string fsname;         // empty: the caller's choice
    std::string subtype = "vfsproto";

    // MS_NOSUID | MS_NODEV: what a server says of set-id bits and devices is not believed unless the user asks for that.
    static const unsigned long kDefaultFlags;

    // Takes a list of words. Returns an empty text, or why one of them is refused; what stands before that is taken.
    [[nodiscard]] std::string add(std::string_view words);

    // Returns the words for fusermount3, which wants commas and backslashes of a value escaped.
    [[nodiscard]] std::string for_helper() const;
    // Returns what mount(2) takes beside the flags, for the descriptor of /dev/fuse and the user who mounts.
    [[nodiscard]] std::string for_kernel(int device, std::uint32_t uid, std::uint32_t gid) const;

private:
    [[nodiscard]] std::string add_word(std::string_view word);
    [[nodiscard]] bool add_flag(std::string_view word);
};

} // namespace vfsproto::kernel_mount
