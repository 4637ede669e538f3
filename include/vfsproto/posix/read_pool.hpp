// SPDX-License-Identifier: BSD-2-Clause
// Many READs into few blocks of memory: each gets its block when one is free, and waits for it until then. What bounds
// the memory of thousands of reads, and what keeps it in the cache: 32 reads of 1 MiB into 32 MiB of their own are a fifth
// slower than into 8 blocks in turn (docs/bench/client.md).
//
//   pool.read(a, file, length, offset); …
//   while (Operation* done = queue.next()) { use slot.data(); pool.give_back(slot); }
#pragma once

#include "vfsproto/posix/detail/rule.hpp"
#include "vfsproto/posix/io_queue.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vfsproto::posix {

// One READ of a ReadPool, in storage of the caller. `transfer` is what IoQueue::next() returns; set its `tag`. It is not given up
// (IoQueue::give_up()): its block would be read into again while a late answer may come.
class PooledRead {
public:
    QueuedRead transfer;

    // Returns the bytes that were read; they are the pool's until give_back().
    [[nodiscard]] std::span<const std::byte> data() const noexcept { return {block_, transfer.bytes()}; }

private:
    friend class ReadPool;

    std::byte* block_ = nullptr;
    const File* file_ = nullptr;
    std::uint32_t length_ = 0;
    std::uint64_t offset_ = 0;
    PooledRead* next_ = nullptr; // the one that waits behind it
};

// One thread: the queue's. Outlived by queue and memory.
class ReadPool {
public:
    // Makes as many blocks as `memory` has room for, at least one. It should lie in a Buffer of the mount: other memory
    // is copied.
    ReadPool(IoQueue& queue, std::span<std::byte> memory, std::size_t block_size) : queue_(queue) {
        VFSPROTO_RULE(block_size != 0 && block_size <= memory.size(), "a ReadPool needs memory for one block at least");
        most_ = std::min<std::size_t>(block_size, queue.most_read(memory.first(block_size)));
        free_.reserve(memory.size() / block_size);
        for (; memory.size() >= block_size; memory = memory.subspan(block_size)) free_.push_back(memory.data());
    }
    ~ReadPool() { VFSPROTO_RULE(first_waiting_ == nullptr, "a ReadPool ended while a read waited for a block"); }
    ReadPool(const ReadPool&) = delete;
    ReadPool& operator=(const ReadPool&) = delete;

    // Starts it, or lets it wait for a block behind those that wait. The file and the slot stay in place until it is done
    // and given back. Errors: too_large (for a block, or for one request), wrong_state for a file that is not open; then
    // nothing was started.
    [[nodiscard]] Errc read(PooledRead& slot, const File& file, std::uint32_t length, std::uint64_t offset) {
        if (length > most_) return Errc::too_large;
        if (!file) return Errc::wrong_state;
        slot.file_ = &file;
        slot.length_ = length;
        slot.offset_ = offset;
        slot.next_ = nullptr;
        if (!free_.empty()) {
            start(slot);
        } else {
            (first_waiting_ == nullptr ? first_waiting_ : last_waiting_->next_) = &slot;
            last_waiting_ = &slot;
        }
        return Errc::ok;
    }

    // Gives the block of a read that is done to the read that waited longest, also when it failed. While every block is
    // with the caller, IoQueue::next() returns nullptr.
    void give_back(PooledRead& slot) {
        free_.push_back(slot.block_);
        slot.block_ = nullptr;
        if (first_waiting_ == nullptr) return;
        PooledRead& waited = *first_waiting_;
        first_waiting_ = waited.next_;
        start(waited);
    }

private:
    // The block given back last: it is the one in the cache.
    void start(PooledRead& slot) {
        slot.block_ = free_.back();
        free_.pop_back();
        const Errc errc = queue_.read(slot.transfer, *slot.file_, {slot.block_, slot.length_}, slot.offset_);
        VFSPROTO_ASSERT(errc == Errc::ok); // no longer than read() allowed
    }

    IoQueue& queue_;
    std::size_t most_ = 0; // bytes of one read
    std::vector<std::byte*> free_;
    PooledRead* first_waiting_ = nullptr;
    PooledRead* last_waiting_ = nullptr;
};

} // namespace vfsproto::posix
