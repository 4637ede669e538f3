// SPDX-License-Identifier: BSD-2-Clause
// A copy on this host is written to a temporary file, which takes its name when it is whole. Until then a file of that
// name keeps its content, whatever happens to the program.
#pragma once

#include "target_options.hpp"

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/posix/failure.hpp"

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace vfsproto::cli {

class LocalTarget {
public:
    // Looks at what has the name `name` in `directory`, which must stay open as long as the object lives; -1: there is no such
    // directory, and nothing is there. Changes nothing.
    [[nodiscard]] static posix::Expected<LocalTarget> at(int directory, const std::string& name,
                                                         const TargetOptions& options);
    // Looks at a path that names something else than a regular file.
    [[nodiscard]] static posix::Expected<LocalTarget> special(const std::string& path);
    // Takes a descriptor that is inherited, such as standard output. It is written in order.
    [[nodiscard]] static LocalTarget inherited(int fd);

    LocalTarget(LocalTarget&& other) noexcept;
    LocalTarget& operator=(LocalTarget&&) = delete;
    // Removes the temporary file if commit() did not rename it, and it is no half.
    ~LocalTarget();

    // Returns what has the name, if something does.
    [[nodiscard]] const std::optional<struct stat>& there() const noexcept { return there_; }
    // Returns why a copy cannot take the name: a directory or a special file has it. Nothing is to be done about that here.
    [[nodiscard]] posix::Failure obstacle() const noexcept;

    // Opens the regular file that has the name for reading. Errors: EEXIST where another file has it by now; those of open(2).
    [[nodiscard]] posix::Expected<backends::FileDescriptor> open_there() const;

    // Lets open() take a file of this name for the temporary file: a half (local_half.hpp). It stays if commit() does not rename it,
    // unless it is empty.
    void resume_by(std::string half_name) { half_name_ = std::move(half_name); }
    // Opens the file to be written. It is written in place where a temporary file cannot be made beside it, or could not have
    // its owner. Errors: those of open(2).
    [[nodiscard]] posix::Failure open();

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    // True if the file that is open is a half. It may hold bytes, whatever they are, and can be read.
    [[nodiscard]] bool is_half() const noexcept { return !temporary_.empty() && temporary_ == half_name_; }
    // Makes a half anew, and empty.
    [[nodiscard]] posix::Failure restart();
    // Return where the copy gets its name.
    [[nodiscard]] int directory() const noexcept { return directory_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] bool is_regular() const noexcept { return kind_ == Kind::regular; }
    [[nodiscard]] bool is_in_order() const noexcept { return kind_ == Kind::inherited; }
    // Returns the regular file that the copy replaces, if there is one. None where a file that cannot be written gave its name
    // away: nothing of it goes over to the copy.
    [[nodiscard]] std::optional<struct stat> replaced() const noexcept;
    // Looks again, and returns the regular file whose bytes the copy changes or takes the place of, also one that was inherited.
    [[nodiscard]] std::optional<struct stat> changed() const noexcept;

    // Closes the file, whose failure is the copy's (EDQUOT, EIO), then gives it its name.
    [[nodiscard]] posix::Failure commit();

private:
    enum class Kind : std::uint8_t { regular, special, inherited };
    enum class Owner : std::uint8_t { as_before, any };

    LocalTarget() = default;
    [[nodiscard]] posix::Failure open_file();
    [[nodiscard]] posix::Failure make_temporary(Owner owner);
    [[nodiscard]] posix::Failure open_temporary();
    [[nodiscard]] bool is_empty() const noexcept;
    [[nodiscard]] bool keeps_owner() const;
    [[nodiscard]] posix::Expected<backends::FileDescriptor> open_itself(int access) const;
    [[nodiscard]] posix::Failure open_in_place();

    Kind kind_ = Kind::regular;
    int directory_ = -1; // or the inherited descriptor
    std::string name_;   // or the special file's path
    TargetOptions options_;
    std::optional<struct stat> there_;
    bool is_new_ = false;   // whatever was there
    std::string half_name_; // empty: what is cut is removed
    std::string temporary_; // empty: written in place
    backends::FileDescriptor fd_;
};

// Returns a name for a temporary file that nobody can guess or has used.
[[nodiscard]] std::string temporary_name();

} // namespace vfsproto::cli
