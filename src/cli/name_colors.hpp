// SPDX-License-Identifier: BSD-2-Clause
// Colors of names, as ls(1) has them: by LS_COLORS, or without it those that it has by itself.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vfsproto::cli {

class NameColors {
public:
    // Reads the environment. There are no colors where LS_COLORS is not set and TERM names no terminal that is known to have some.
    [[nodiscard]] static NameColors of_environment();
    // Takes the text of LS_COLORS: "di=01;34:*.tar=01;31". What is no number of a color is passed over.
    explicit NameColors(std::string_view text);
    NameColors() = default; // no colors at all

    // Tells what is known of the file that a name leads to.
    struct File {
        std::uint32_t mode = 0; // with its type; of a link its own
        std::uint32_t nlink = 1;
        enum class Target : std::uint8_t { unknown, there, missing } target = Target::unknown; // of a link
    };

    [[nodiscard]] bool empty() const noexcept { return by_kind_.empty() && by_ending_.empty(); }
    // True if links that lead nowhere have a color of their own: then paint() wants to know where they lead.
    [[nodiscard]] bool asks_for_targets() const { return is_colored("or") || is_colored("mi"); }
    // Returns `shown`, which is how `name` is to be shown, with its color around it.
    [[nodiscard]] std::string paint(std::string_view name, std::string_view shown, const File& file);
    // Returns the same for what a link leads to, which has no name if it is missing.
    [[nodiscard]] std::string paint_missing(std::string_view shown);

private:
    [[nodiscard]] bool is_colored(std::string_view kind) const;
    [[nodiscard]] std::string_view kind_of(const File& file) const;
    [[nodiscard]] const std::string* color_of(std::string_view name, std::string_view kind) const;
    [[nodiscard]] std::string around(const std::string* color, std::string_view shown);

    std::map<std::string, std::string, std::less<>> by_kind_;    // "di": "01;34"
    std::vector<std::pair<std::string, std::string>> by_ending_; // ".tar": "01;31"; the last one counts
    bool has_begun_ = false;                                     // something was painted
};

} // namespace vfsproto::cli
