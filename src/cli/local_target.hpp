// SPDX-License-Identifier: BSD-2-Clause
// A copy on this host is written to a temporary file, which takes its name when it is whole. Until then a file of that
// name keeps its content, whatever happens to the program.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/posix/failure.hpp"

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

namespace vfsproto::cli {

class LocalTarget {
public:
    // Says what becomes of a file that has the name already. follow: a hard-linked file, a device or a FIFO is written in place.
    // replace: such a file is replaced or refused, so that nothing outside the tree is written (EEXIST, EISDIR).
    enum class Existing : std::uint8_t { follow, replace };

    // Opens the target `name` in `directory`, which must stay open as long as the object lives. The file is written in
    // place where a temporary file cannot be made beside it, or could not have its owner. Errors: those of open(2).
    [[nodiscard]] static posix::Expected<LocalTarget> open(int directory, const std::string& name, Existing existing);
    // Opens a path that names something else than a regular file, or a descriptor of this process.
    [[nodiscard]] static posix::Expected<LocalTarget> open_special(const std::string& path);
    // Takes a descriptor that is inherited, such as standard output. It is written in order.
    [[nodiscard]] static posix::Expected<LocalTarget> inherited(int fd);

    LocalTarget(LocalTarget&& other) noexcept;
    LocalTarget& operator=(LocalTarget&&) = delete;
    // Removes the temporary file if commit() did not rename it.
    ~LocalTarget();

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    [[nodiscard]] bool is_regular() const noexcept { return regular_; }
    [[nodiscard]] bool is_in_order() const noexcept { return in_order_; }
    // Returns the regular file that the copy replaces, if there is one.
    [[nodiscard]] const std::optional<struct stat>& replaced() const noexcept { return replaced_; }

    // Closes the file, whose failure is the copy's (EDQUOT, EIO), then gives it its name.
    [[nodiscard]] posix::Failure commit();

private:
    LocalTarget() = default;
    [[nodiscard]] posix::Failure look_at(Existing existing);
    [[nodiscard]] posix::Failure make_temporary();
    [[nodiscard]] bool keeps_owner() const;
    [[nodiscard]] posix::Failure open_in_place();

    int directory_ = -1;
    std::string name_;
    std::string temporary_; // empty: written in place
    backends::FileDescriptor fd_;
    std::optional<struct stat> replaced_;
    bool regular_ = true;
    bool in_order_ = false;
};

// Returns a name for a temporary file that nobody can guess or has used.
[[nodiscard]] std::string temporary_name();

} // namespace vfsproto::cli
