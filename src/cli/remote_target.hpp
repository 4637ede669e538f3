// SPDX-License-Identifier: BSD-2-Clause
// A copy at the server is written to a temporary file, which takes its name when it is whole. Until then a file of that
// name keeps its content, whatever happens to the program or to the server.
#pragma once

#include "target_options.hpp"

#include "vfsproto/posix/mount.hpp"

#include <optional>
#include <string>

namespace vfsproto::cli {

class RemoteTarget {
public:
    // Looks at what is there; changes nothing. `mount` must outlive the object.
    [[nodiscard]] static posix::Expected<RemoteTarget> at(posix::Mount& mount, const std::string& path,
                                                          const TargetOptions& options);

    RemoteTarget(RemoteTarget&& other) noexcept;
    RemoteTarget& operator=(RemoteTarget&&) = delete;
    // Removes the temporary file if commit() did not rename it, and it is no half. One that cannot be removed is named when the
    // program ends.
    ~RemoteTarget();

    // Returns what has the name, if something does.
    [[nodiscard]] const std::optional<posix::Attributes>& there() const noexcept { return there_; }
    // Returns why a copy cannot take the name: a directory or a special file has it. Nothing is to be done about that here.
    [[nodiscard]] posix::Failure obstacle() const noexcept;

    // Lets open() take a file of this name beside the target for the temporary file: a half (remote_half.hpp). It stays if commit()
    // does not rename it, unless it is empty.
    void resume_by(const std::string& half_name);
    // Opens the file to be written. It is written in place where the directory takes no new file or the owner would change.
    [[nodiscard]] posix::Failure open();

    [[nodiscard]] const posix::File& file() const noexcept { return file_; }
    // True if the file that is open is a half. It may hold bytes, whatever they are, and can be read.
    [[nodiscard]] bool is_half() const noexcept { return !temporary_.empty() && temporary_ == half_; }
    // Makes a half anew, and empty.
    [[nodiscard]] posix::Failure restart();
    // Returns the name the file has until commit().
    [[nodiscard]] const std::string& path() const noexcept { return temporary_.empty() ? path_ : temporary_; }
    [[nodiscard]] bool is_regular() const noexcept {
        return !there_ || posix::is_regular(there_->mode) || posix::is_symlink(there_->mode);
    }
    // Returns the regular file that the copy replaces, if there is one. None where a file that cannot be written gave its name
    // away: nothing of it goes over to the copy.
    [[nodiscard]] std::optional<posix::Attributes> replaced() const noexcept {
        return there_ && !is_new_ && posix::is_regular(there_->mode) ? there_ : std::nullopt;
    }

    // Closes the file, whose failure is the copy's, then gives it its name.
    [[nodiscard]] posix::Failure commit();

private:
    enum class Owner : std::uint8_t { as_before, any };

    RemoteTarget(posix::Mount& mount, std::string path, const TargetOptions& options)
        : mount_(&mount), path_(std::move(path)), options_(options) {}
    [[nodiscard]] posix::Failure look();
    [[nodiscard]] posix::Failure follow_link();
    [[nodiscard]] posix::Failure make_temporary(Owner owner);
    [[nodiscard]] posix::Failure open_temporary();
    [[nodiscard]] bool is_empty() const;
    void remove_temporary();
    [[nodiscard]] posix::Failure keep_owner() const; // EPERM: it cannot be kept
    [[nodiscard]] posix::Failure open_in_place();

    posix::Mount* mount_;
    std::string path_;
    TargetOptions options_;
    std::optional<posix::Attributes> there_;
    bool is_new_ = false;   // whatever was there
    std::string half_;      // empty: what is cut is removed
    std::string temporary_; // empty: written in place
    posix::File file_;
};

} // namespace vfsproto::cli
