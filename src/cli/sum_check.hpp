// SPDX-License-Identifier: BSD-2-Clause
// sha256sum -c: the sums of a list are compared with those of the files.
#pragma once

#include "file_sums.hpp"
#include "sum_lines.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace vfsproto::cli {

struct SumCheckOptions {
    bool ignore_missing = false; // files that are not there are neither said nor a failure
    bool quiet = false;          // only what does not match is printed
    bool status = false;         // nothing is printed: the exit status says it
    bool strict = false;         // a line of another form is a failure
    bool warn = false;           // each such line is named
};

class SumCheck {
public:
    // The program and the options outlive the object.
    SumCheck(Program& program, const SumCheckOptions& options)
        : program_(program), options_(options), sums_(program), list_(program) {}

    // Reads a list of the device, or with "-" of standard input, and compares what it names. Returns whether all is well.
    [[nodiscard]] bool check(const std::string& path);

private:
    // Counts what the lines of one list came to.
    struct Count {
        std::uint64_t lines = 0;
        std::uint64_t formed = 0; // lines that name a file
        std::uint64_t malformed = 0;
        std::uint64_t matched = 0;
        std::uint64_t mismatched = 0;
        std::uint64_t unread = 0;
    };
    using Take = std::function<void(std::span<const std::byte>)>;

    // Calls `take` with each piece. False if the list cannot be read to its end, which is said.
    [[nodiscard]] bool read_list(const std::string& path, const Take& take);
    [[nodiscard]] bool read_input(const Take& take);
    void check_line(const Subject& list, std::string_view line, Count& count);
    void compare(const ListedSum& listed, Count& count);
    void show(const std::string& name, const FileSums::Sum& sum, bool matches);
    // Says what was wrong with a list. Returns whether nothing was.
    [[nodiscard]] bool conclude(const Subject& list, const Count& count);

    Program& program_;
    const SumCheckOptions& options_;
    FileSums sums_;
    RemoteReader list_;
    SumLines lines_;
};

} // namespace vfsproto::cli
