// SPDX-License-Identifier: BSD-2-Clause
// The SHA-256 sums of files of the device and of standard input.
#pragma once

#include "remote_reader.hpp"

#include <cstdint>
#include <string>

namespace vfsproto::cli {

class FileSums {
public:
    explicit FileSums(Program& program) : program_(program), reader_(program) {}

    struct Sum {
        enum class Kind : std::uint8_t { computed, absent, unread } kind = Kind::unread;
        std::string digits; // 64, if it was computed
    };
    // Says whether a file that is not there is a failure.
    enum class Absent : std::uint8_t { fails, is_passed_over };

    // Reads a file to its end; "-" is standard input. Why one is unread is said.
    [[nodiscard]] Sum of(const std::string& path, Absent absent = Absent::fails);

private:
    [[nodiscard]] Sum of_input();

    Program& program_;
    RemoteReader reader_;
};

} // namespace vfsproto::cli
