// SPDX-License-Identifier: BSD-2-Clause
// The patterns of --exclude: files that a copy of a tree leaves out, with all that is below them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::cli {

// A pattern without a slash is compared with each name, also that of the source itself. One that begins with a slash is compared
// with the whole path below the source, any other with the last names of that path, as many as it has. A slash at the end
// stands for directories alone. The characters *, ? and [...] match within a name; a part that is ** matches any number of
// names.
class Exclusions {
public:
    enum class Type : std::uint8_t { directory, other };

    // False for a pattern that can match nothing ("", "/", or with a part that is "." or ".."); then it is not added.
    [[nodiscard]] bool add(std::string_view pattern);

    // `path` is relative to the source, without slashes around it: "a/b". The caller asks for directories before what is in
    // them, and does not enter those that are left out.
    [[nodiscard]] bool leave_out(std::string_view path, Type type) const;
    // Takes the name of the source itself.
    [[nodiscard]] bool leave_out_source(std::string_view name, Type type) const;
    [[nodiscard]] bool empty() const noexcept { return patterns_.empty(); }

private:
    using Parts = std::vector<std::string>;
    struct Pattern {
        Parts parts;
        bool anchored; // at the source
        bool directories_only;

        [[nodiscard]] bool is_name() const noexcept { return !anchored && parts.size() == 1; }
        [[nodiscard]] bool takes(Type type) const noexcept { return !directories_only || type == Type::directory; }
    };

    [[nodiscard]] static bool match(std::span<const std::string> pattern, std::span<const std::string> names);

    std::vector<Pattern> patterns_;
};

} // namespace vfsproto::cli
