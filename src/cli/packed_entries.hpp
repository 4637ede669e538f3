// SPDX-License-Identifier: BSD-2-Clause
// The entries of one directory, in little room, for whoever has to hold all of them: to sort them, or to come back to them after
// what is below one. An entry takes 20 bytes and its name; where its attributes are known, 88 more.
#pragma once

#include "text_store.hpp"

#include "vfsproto/abi/attributes.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <new>
#include <optional>
#include <string_view>
#include <vector>

namespace vfsproto::cli {

// It is moved, not copied.
class PackedEntries {
public:
    // An entry as it is added, and as it is looked at: then all that it points to stays for as long as the
    // entries, also where these are moved.
    struct Entry {
        std::string_view name;
        std::uint32_t type = 0;                      // S_IFMT bits; 0: not known
        const abi::Attributes* attributes = nullptr; // none where they are not known
        std::optional<std::string_view> target = {}; // of a symbolic link, where it was asked for
    };

    PackedEntries() = default;
    PackedEntries(PackedEntries&&) = default;
    PackedEntries& operator=(PackedEntries&&) = default;
    PackedEntries(const PackedEntries&) = delete;
    PackedEntries& operator=(const PackedEntries&) = delete;

    // Throws std::bad_alloc, also where there are more entries than 32 bits count.
    void add(const Entry& entry) {
        if (records_.size() >= kNone) throw std::bad_alloc();
        Record record{texts_.add(entry.name), kNone, kNone, entry.type};
        if (entry.attributes != nullptr) {
            record.attributes = static_cast<std::uint32_t>(attributes_.size());
            attributes_.push_back(*entry.attributes);
        }
        if (entry.target) {
            record.target = static_cast<std::uint32_t>(targets_.size());
            targets_.push_back(texts_.add(*entry.target));
        }
        records_.push_back(record);
    }
    // Adds it before all others.
    void add_first(const Entry& entry) {
        add(entry);
        std::rotate(records_.begin(), records_.end() - 1, records_.end());
    }

    [[nodiscard]] std::size_t size() const noexcept { return records_.size(); }
    [[nodiscard]] bool empty() const noexcept { return records_.empty(); }
    [[nodiscard]] Entry operator[](std::size_t index) const noexcept { return entry_of(records_[index]); }

    // Takes whether one entry stands before another.
    template <class Precedes> void sort(const Precedes& precedes) {
        std::sort(records_.begin(), records_.end(),
                  [&](const Record& a, const Record& b) { return precedes(entry_of(a), entry_of(b)); });
    }
    void sort_by_name() {
        std::sort(records_.begin(), records_.end(),
                  [this](const Record& a, const Record& b) { return texts_.at(a.name) < texts_.at(b.name); });
    }

private:
    static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

    struct Record {
        TextStore::Place name;
        std::uint32_t attributes; // an index
        std::uint32_t target;     // an index
        std::uint32_t type;
    };

    [[nodiscard]] Entry entry_of(const Record& record) const noexcept {
        Entry entry{texts_.at(record.name), record.type};
        if (record.attributes != kNone) entry.attributes = &attributes_[record.attributes];
        if (record.target != kNone) entry.target = texts_.at(targets_[record.target]);
        return entry;
    }

    TextStore texts_;
    std::vector<Record> records_;
    std::deque<abi::Attributes> attributes_; // they never move: while a vector grows, it takes three times its room
    std::vector<TextStore::Place> targets_;
};

} // namespace vfsproto::cli
