// SPDX-License-Identifier: BSD-2-Clause
// The bytes of one file: sparse, in blocks. They lie in the heap until they are to be mapped, and in a memfd from then on.
#pragma once

#include "content_file.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace vfsproto::backends {

// Bounds the number of blocks of all files together.
struct Space {
    std::uint64_t limit = 0;
    std::uint64_t used = 0;
};

class Content {
public:
    static constexpr std::uint64_t kBlock = 4096;

    explicit Content(Space& space) noexcept : space_(space) {}
    ~Content() { space_.used -= blocks_.size(); }
    Content(const Content&) = delete;
    Content& operator=(const Content&) = delete;

    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    [[nodiscard]] std::uint64_t blocks() const noexcept { return blocks_.size(); }
    [[nodiscard]] bool has_block(std::uint64_t index) const { return blocks_.count(index) != 0; }

    // [offset, offset + count) lies within size(). False if the host cannot give the bytes.
    [[nodiscard]] bool read(std::uint64_t offset, std::byte* to, std::size_t count) const;
    // Grows the file as needed. Returns the bytes written: fewer when space runs out.
    std::size_t write(std::uint64_t offset, const std::byte* from, std::size_t count);
    // False, and nothing changed, when there is no space: bytes that a client can reach through a mapping take blocks.
    [[nodiscard]] bool resize(std::uint64_t size);
    // Makes [from, to) read as zeros and gives whole blocks back that no mapping reaches. False if the host fails.
    [[nodiscard]] bool punch(std::uint64_t from, std::uint64_t to);
    // Takes the blocks of [from, to) so that writing there cannot run out of space; they stay holes until written.
    // False, and nothing taken, when there is no space. Notes in `taken`, if it is there, which blocks were not taken before.
    using Indices = std::vector<std::uint64_t>;
    [[nodiscard]] bool reserve(std::uint64_t from, std::uint64_t to, Indices* taken = nullptr);
    // The first byte of data, or of a hole, at or after `from`, which is within size(). size() when there is none: the end
    // counts as a hole.
    [[nodiscard]] std::uint64_t next_data(std::uint64_t from) const;
    [[nodiscard]] std::uint64_t next_hole(std::uint64_t from) const;

    // Bytes of the file that a client reaches through one mapping.
    struct Reach {
        std::uint64_t from = 0;
        std::uint64_t to = 0;
        bool operator==(const Reach&) const = default;
    };
    // Moves the bytes into a memfd; for that time they are there twice. Returns 0, or an errno and nothing has changed.
    [[nodiscard]] int move_to_file();
    // Moves them back, and closes the memfd; nothing is mapped. False if the host cannot give the bytes: they stay where they are.
    [[nodiscard]] bool move_to_heap();
    // True if there is a memfd. Each of its blocks counts as data: a client may have written to it.
    [[nodiscard]] bool is_in_file() const noexcept { return static_cast<bool>(file_); }
    [[nodiscard]] int fd() const noexcept { return file_.fd(); }
    // Takes the blocks that a mapping of these bytes reaches: to the end of the file. False when there is no space.
    [[nodiscard]] bool take_reach(const Reach& reach);
    // Notes a mapping whose blocks are taken. What it reaches takes blocks as the file grows, until it is removed.
    void add_mapping(const Reach& reach) { mapped_.push_back(reach); }
    void remove_mapping(const Reach& reach);
    [[nodiscard]] bool is_mapped() const noexcept { return !mapped_.empty(); }

private:
    using Block = std::array<std::byte, kBlock>;
    using Blocks = std::map<std::uint64_t, std::unique_ptr<Block>>;
    [[nodiscard]] const Block* block(std::uint64_t index) const;
    [[nodiscard]] bool is_data(const Blocks::value_type& at) const noexcept { return at.second || file_; }
    // Returns nullptr when there is no space, otherwise the place of a block that is taken.
    [[nodiscard]] std::unique_ptr<Block>* take(std::uint64_t index);
    void zero_within(std::uint64_t index, std::uint64_t from, std::uint64_t to);
    void drop_blocks(std::uint64_t from, std::uint64_t to);
    [[nodiscard]] bool take_reached(const Reach& within, std::uint64_t size, Indices* taken = nullptr);
    [[nodiscard]] bool prepare_growth(std::uint64_t size, Indices& taken);
    void give_back(const Indices& taken);
    std::size_t write_to_file(std::uint64_t offset, const std::byte* from, std::size_t count);

    Space& space_;
    Blocks blocks_; // nullptr: reserved, never written; or it is in the file
    std::uint64_t size_ = 0;
    ContentFile file_;          // none: the bytes are in the heap
    std::vector<Reach> mapped_; // one for each mapping
};

} // namespace vfsproto::backends
