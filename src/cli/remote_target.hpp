// SPDX-License-Identifier: BSD-2-Clause
// A copy at the server is written to a temporary file, which takes its name when it is whole. Until then a file of that
// name keeps its content, whatever happens to the program or to the server.
#pragma once

#include "local_target.hpp"

#include "vfsproto/posix/mount.hpp"

#include <optional>
#include <string>

namespace vfsproto::cli {

class RemoteTarget {
public:
    using Existing = LocalTarget::Existing;

    // Opens the target. `mount` must outlive the object. follow: symbolic links at the end of the path are followed, a
    // hard-linked file, a device or a FIFO is written in place. replace: they are replaced or refused (EEXIST, EISDIR).
    // The file is written in place, too, where the directory takes no new file or the owner would change.
    [[nodiscard]] static posix::Expected<RemoteTarget> open(posix::Mount& mount, const std::string& path,
                                                            Existing existing);

    RemoteTarget(RemoteTarget&& other) noexcept;
    RemoteTarget& operator=(RemoteTarget&&) = delete;
    // Removes the temporary file if commit() did not rename it. One that cannot be removed is named when the program ends.
    ~RemoteTarget();

    [[nodiscard]] const posix::File& file() const noexcept { return file_; }
    // Returns the name the file has until commit().
    [[nodiscard]] const std::string& path() const noexcept { return temporary_.empty() ? path_ : temporary_; }
    [[nodiscard]] bool is_regular() const noexcept { return regular_; }
    // Returns the regular file that the copy replaces, if there is one.
    [[nodiscard]] const std::optional<posix::Attributes>& replaced() const noexcept { return replaced_; }

    // Closes the file, whose failure is the copy's, then gives it its name.
    [[nodiscard]] posix::Failure commit();

private:
    RemoteTarget(posix::Mount& mount, std::string path) : mount_(&mount), path_(std::move(path)) {}
    [[nodiscard]] posix::Failure look_at(Existing existing);
    [[nodiscard]] posix::Failure follow_link();
    [[nodiscard]] posix::Failure make_temporary();
    void remove_temporary();
    [[nodiscard]] bool keeps_owner() const;
    [[nodiscard]] posix::Failure open_in_place();

    posix::Mount* mount_;
    std::string path_;
    std::string temporary_; // empty: written in place
    posix::File file_;
    std::optional<posix::Attributes> replaced_;
    bool regular_ = true;
};

} // namespace vfsproto::cli
