// SPDX-License-Identifier: BSD-2-Clause
// A reader reads a file of the share from any offset to its end.
#pragma once

#include "program.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace vfsproto::cli {

class RemoteReader {
public:
    explicit RemoteReader(Program& program) : program_(program) {}

    // Opens a file that can be read; false, which is said, when there is none.
    [[nodiscard]] bool open(const std::string& path) { return program_.succeeded(path, try_open(path)); }
    // Opens it as open() does, but says nothing; not ok where that failed.
    [[nodiscard]] posix::Failure try_open(const std::string& path);
    // Returns the size the server told when the file was opened. Files of /proc say 0, files of /sys say 4096.
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    // Returns the open file, for reads into memory of the caller.
    [[nodiscard]] const posix::File& file() const noexcept { return file_; }
    // Reads at `offset`, less than asked for only at the end. Empty there, and after a failure, which is said: then failed().
    // The bytes stay until the next call.
    [[nodiscard]] std::span<const std::byte> read(std::uint64_t offset, std::size_t most);
    [[nodiscard]] bool failed() const noexcept { return failed_; }

    static constexpr std::size_t kPiece = std::size_t{128} << 10; // bytes of one read

private:
    Program& program_;
    std::string path_;
    posix::File file_;
    std::uint64_t size_ = 0;
    bool failed_ = false;
    std::vector<std::byte> buffer_;
};

} // namespace vfsproto::cli
