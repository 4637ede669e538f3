// SPDX-License-Identifier: BSD-2-Clause
// File modes as people write and read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::cli {

// "drwxr-sr-t".
[[nodiscard]] std::string mode_string(std::uint32_t mode);

// "file", "directory", "symlink", "fifo", "socket", "block device", "character device", "unknown".
[[nodiscard]] const char* type_name(std::uint32_t mode) noexcept;

// A change of mode in the words of chmod(1): "644", "u+x", "go-w,a+X", "u=rw,g=u". Octal digits replace the twelve
// bits, but for the set-id bits of a directory, which stay unless they are mentioned: by a letter s, or by five digits.
class ModeChange {
public:
    // `umask` holds where a clause names nobody ("+x"). Nothing when `text` is no mode.
    [[nodiscard]] static std::optional<ModeChange> parse(std::string_view text, std::uint32_t umask);
    [[nodiscard]] std::uint32_t apply(std::uint32_t mode) const noexcept;

private:
    struct Step {
        char action = '=';         // + - =
        std::uint32_t who = 07777; // the bits it may touch
        std::uint32_t bits = 0;
        bool all_mentioned = false; // five octal digits
        char copy = 0;              // u, g, o: these bits instead
        bool search_only = false;   // X: x where it makes sense
    };
    [[nodiscard]] bool parse_clause(std::string_view clause, std::uint32_t umask);
    // Adds what one letter of a clause says. False for a letter that cannot stand there.
    [[nodiscard]] static bool take_letter(Step& step, char letter) noexcept;
    [[nodiscard]] static std::uint32_t bits_of(const Step& step, std::uint32_t mode) noexcept;
    // The bits that the step leaves as they are, whatever it says.
    [[nodiscard]] static std::uint32_t kept_bits(const Step& step, std::uint32_t mode) noexcept;

    std::vector<Step> steps_;
};

} // namespace vfsproto::cli
