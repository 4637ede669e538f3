// SPDX-License-Identifier: BSD-2-Clause
// One line of a listing.
#pragma once

#include "packed_entries.hpp"

#include "vfsproto/posix/mount.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vfsproto::cli {

class Program;

struct Listed {
    struct Details {
        posix::Attributes attributes{};
        std::unique_ptr<std::string> target; // of a symbolic link, where it was asked for
    };
    std::string name;                 // in its directory; a file that the user named has its path
    std::uint32_t type = 0;           // S_IFMT bits; 0 = not known
    std::unique_ptr<Details> details; // none where they are not known

    [[nodiscard]] bool has_target() const noexcept { return details != nullptr && details->target != nullptr; }
};

// Lines that are held until all are there.
class HeldListing {
public:
    void add(const Listed& line) { entries_.add(packed(line)); }
    // Adds it before all others.
    void add_first(const Listed& line) { entries_.add_first(packed(line)); }

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
    [[nodiscard]] Listed operator[](std::size_t index) const;
    // Takes whether one PackedEntries::Entry stands before another.
    template <class Precedes> void sort(const Precedes& precedes) { entries_.sort(precedes); }
    void sort_by_name() { entries_.sort_by_name(); }

private:
    [[nodiscard]] static PackedEntries::Entry packed(const Listed& line) noexcept;

    PackedEntries entries_;
};

enum class Detail : std::uint8_t {
    names,      // and what comes with them for free
    attributes, // of every entry, and where links point
};
enum class Hidden : std::uint8_t { skip, show };

// Passes a directory's entries on as they come, a few hundred at a time in the server's order, without "." and "..". What cannot
// be looked at is reported and left out, or, where only its attributes are missing, listed without. False when the directory
// could not be read to its end, which is reported too.
bool each_listed(Program& program, const std::string& path, Detail detail, Hidden hidden,
                 const std::function<void(std::vector<Listed>&)>& take);
// Returns all of them, in the server's order. Nothing when the directory could not be read at all.
[[nodiscard]] std::optional<HeldListing> list_directory(Program& program, const std::string& path, Detail detail,
                                                        Hidden hidden);

// One file by its path, not followed. Reports when there is none. This path and those above may be longer than PATH_MAX.
[[nodiscard]] std::optional<Listed> list_file(Program& program, const std::string& path, Detail detail);

} // namespace vfsproto::cli
