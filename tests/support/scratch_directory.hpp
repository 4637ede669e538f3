// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace vfsproto::test {

// The place of a scratch directory. In memory, making a file costs a tenth of the system time; on the disk there are
// extended attributes on every kernel.
enum class Scratch { disk, memory };

// A directory that goes with its owner.
class ScratchDirectory {
public:
    explicit ScratchDirectory(Scratch where = Scratch::disk) {
        std::error_code absent;
        const bool in_memory = where == Scratch::memory && std::filesystem::is_directory("/dev/shm", absent);
        const std::filesystem::path above = in_memory ? "/dev/shm" : std::filesystem::temp_directory_path();
        std::string name = (above / "vfsproto-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no scratch directory");
        path_ = name;
    }
    ~ScratchDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

} // namespace vfsproto::test
