// SPDX-License-Identifier: BSD-2-Clause
// The bytes of one file: sparse, in blocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

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

    // [offset, offset + count) lies within size().
    void read(std::uint64_t offset, std::byte* to, std::size_t count) const;
    // Grows the file as needed. Returns the bytes written: fewer when space runs out.
    std::size_t write(std::uint64_t offset, const std::byte* from, std::size_t count);
    void resize(std::uint64_t size);
    // Makes [from, to) read as zeros and gives whole blocks back.
    void punch(std::uint64_t from, std::uint64_t to);
    // Takes the blocks of [from, to) so that writing there cannot run out of space; they stay holes until written.
    // False, and nothing taken, when there is no space.
    [[nodiscard]] bool reserve(std::uint64_t from, std::uint64_t to);
    // The first byte of data, or of a hole, at or after `from`, which is within size(). size() when there is none: the end
    // counts as a hole.
    [[nodiscard]] std::uint64_t next_data(std::uint64_t from) const;
    [[nodiscard]] std::uint64_t next_hole(std::uint64_t from) const;

private:
    using Block = std::array<std::byte, kBlock>;
    [[nodiscard]] const Block* block(std::uint64_t index) const;
    [[nodiscard]] Block* block_to_write(std::uint64_t index);
    void zero_within(std::uint64_t index, std::uint64_t from, std::uint64_t to);

    Space& space_;
    std::map<std::uint64_t, std::unique_ptr<Block>> blocks_; // nullptr: reserved, never written
    std::uint64_t size_ = 0;
};

} // namespace vfsproto::backends
