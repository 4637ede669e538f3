// SPDX-License-Identifier: BSD-2-Clause
// Request slots: the right to submit, and the only place where back-pressure happens. Names no protocol: whatever rides
// on a virtqueue (FUSE here, 9P as well) keeps its per-request state in `State`.
#pragma once

#include "vfsproto/base/result.hpp"
#include "vfsproto/virtqueue/request_queue.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto {

// Storage is the caller's. One owner at a time; no call blocks. The last slot freed is the next one taken, because its
// memory is still in the cache.
template <class State> class Slots {
public:
    struct Entry {
        [[no_unique_address]] State state{}; // its padding is used: nobody may copy whole bytes of it
        std::uint16_t next_free = 0;
        std::uint8_t live = 0;
    };

    constexpr Slots() noexcept = default;
    // At most 65535 entries are used.
    explicit Slots(std::span<Entry> storage) noexcept
        : entries_(storage.first(storage.size() < kNone ? storage.size() : kNone)) {
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            entries_[i].live = 0;
            entries_[i].next_free = i + 1 < entries_.size() ? static_cast<std::uint16_t>(i + 1) : kNone;
        }
        free_ = entries_.empty() ? kNone : std::uint16_t{0};
    }

    [[nodiscard]] std::size_t capacity() const noexcept { return entries_.size(); }
    [[nodiscard]] std::uint16_t in_flight() const noexcept { return static_cast<std::uint16_t>(in_flight_); }
    [[nodiscard]] bool has_free() const noexcept { return free_ != kNone; }

    // Errors: no_slot.
    [[nodiscard]] Result<Token> acquire() noexcept {
        if (free_ == kNone) return Errc::no_slot;
        return take().token;
    }
    // The caller has asked has_free().
    struct Taken {
        Token token;
        Entry& entry;
    };
    [[nodiscard]] Taken take() noexcept {
        VFSPROTO_ASSERT(has_free());
        const std::uint16_t slot = free_;
        Entry& entry = entries_[slot];
        free_ = entry.next_free;
        entry.live = 1;
        ++in_flight_;
        return {Token{slot}, entry};
    }

    // Frees the slot of a token that acquire() gave. To be called once.
    void release(Token token) noexcept {
        Entry& entry = entries_[token.slot];
        VFSPROTO_ASSERT(entry.live != 0);
        release(token, entry);
    }
    // Frees a slot whose entry the caller has just found.
    void release(Token token, Entry& entry) noexcept {
        entry.live = 0;
        entry.next_free = free_;
        free_ = token.slot;
        --in_flight_;
    }

    // Returns nullptr when this token names no slot in use: a host's queue may be wrong.
    [[nodiscard]] State* find(Token token) noexcept {
        Entry* const entry = find_entry(token);
        return entry != nullptr ? &entry->state : nullptr;
    }
    [[nodiscard]] const State* find(Token token) const noexcept {
        const bool is_live = token.slot < entries_.size() && entries_[token.slot].live != 0;
        return is_live ? &entries_[token.slot].state : nullptr;
    }
    [[nodiscard]] Entry* find_entry(Token token) noexcept {
        if (token.slot >= entries_.size() || entries_[token.slot].live == 0) return nullptr;
        return &entries_[token.slot];
    }
    // Returns the state of a slot, in use or not: the state outlives the request. The caller knows that the slot exists.
    [[nodiscard]] State& at(Token token) noexcept {
        VFSPROTO_ASSERT(token.slot < entries_.size());
        return entries_[token.slot].state;
    }

private:
    static constexpr std::uint16_t kNone = 0xffff;

    std::span<Entry> entries_{};
    std::uint16_t free_ = kNone;
    std::size_t in_flight_ = 0;
};

} // namespace vfsproto
