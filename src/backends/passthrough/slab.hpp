// SPDX-License-Identifier: BSD-2-Clause
// Numbered objects that can be retired while others still use them.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

namespace vfsproto::backends {

// Hands out 64-bit ids: a slot's number in the low half, the slot's generation in the high one, so that no id is ever
// given twice. acquire() takes no lock; what it returned stays whole until it is let go, retired or not. Any thread.
template <class T> class Slab {
    struct Slot {
        std::atomic<std::uint64_t> state{0}; // generation << 32 | live | references
        T value{};
        std::uint32_t next_free = 0;
    };

public:
    // A use of an object. Empty when the id named none.
    class Ref {
    public:
        Ref() noexcept = default;
        Ref(Ref&& other) noexcept
            : slab_(other.slab_), slot_(std::exchange(other.slot_, nullptr)), index_(other.index_) {}
        Ref& operator=(Ref&& other) noexcept {
            std::swap(slab_, other.slab_);
            std::swap(slot_, other.slot_);
            std::swap(index_, other.index_);
            return *this;
        }
        ~Ref() {
            if (slot_ != nullptr) slab_->drop(*slot_, index_);
        }
        [[nodiscard]] explicit operator bool() const noexcept { return slot_ != nullptr; }
        [[nodiscard]] T& operator*() const noexcept { return slot_->value; }
        [[nodiscard]] T* operator->() const noexcept { return &slot_->value; }

    private:
        friend class Slab;
        Ref(Slab& slab, Slot& slot, std::uint32_t index) noexcept : slab_(&slab), slot_(&slot), index_(index) {}

        Slab* slab_ = nullptr;
        Slot* slot_ = nullptr;
        std::uint32_t index_ = 0;
    };

    Slab() noexcept = default;
    Slab(const Slab&) = delete;
    Slab& operator=(const Slab&) = delete;

    // The new object's id, never 0; 0 when there is no memory. The first id of a slab is 1.
    [[nodiscard]] std::uint64_t insert(T&& value) noexcept {
        const std::lock_guard lock(mutex_);
        std::uint32_t index = free_;
        Slot* slot = nullptr;
        if (index != 0) {
            slot = find(index);
            free_ = slot->next_free;
        } else {
            slot = grow(index = next_);
            if (slot == nullptr) return 0;
            ++next_;
        }
        live_.fetch_add(1, std::memory_order_relaxed);
        slot->value = std::move(value);
        const std::uint64_t generation = slot->state.load(std::memory_order_relaxed) >> 32;
        slot->state.store(generation << 32 | kLive | 1, std::memory_order_release);
        return generation << 32 | index;
    }

    [[nodiscard]] Ref acquire(std::uint64_t id) noexcept {
        const auto index = static_cast<std::uint32_t>(id);
        Slot* slot = find(index);
        if (slot == nullptr) return {};
        std::uint64_t state = slot->state.load(std::memory_order_relaxed);
        do {
            if (state >> 32 != id >> 32 || (state & kLive) == 0) return {};
        } while (
            !slot->state.compare_exchange_weak(state, state + 1, std::memory_order_acquire, std::memory_order_relaxed));
        return Ref(*this, *slot, index);
    }

    // The id names nothing any more; the object is destroyed when nobody uses it. False when it named nothing before.
    bool retire(std::uint64_t id) noexcept {
        const auto index = static_cast<std::uint32_t>(id);
        Slot* slot = find(index);
        if (slot == nullptr) return false;
        std::uint64_t state = slot->state.load(std::memory_order_relaxed);
        do {
            if (state >> 32 != id >> 32 || (state & kLive) == 0) return false;
        } while (!slot->state.compare_exchange_weak(state, state & ~kLive, std::memory_order_relaxed));
        live_.fetch_sub(1, std::memory_order_relaxed);
        drop(*slot, index);
        return true;
    }

    // Retires every id but `keep`.
    void retire_all_but(std::uint64_t keep) noexcept {
        std::uint32_t end = 0;
        {
            const std::lock_guard lock(mutex_);
            end = next_;
        }
        for (std::uint32_t index = 1; index < end; ++index) {
            const std::uint64_t state = find(index)->state.load(std::memory_order_relaxed);
            const std::uint64_t id = (state >> 32) << 32 | index;
            if ((state & kLive) != 0 && id != keep) retire(id);
        }
    }

    // Returns how many ids name an object. Takes no lock.
    [[nodiscard]] std::size_t live() const noexcept { return live_.load(std::memory_order_relaxed); }

private:
    static constexpr std::uint64_t kLive = 1u << 31;
    static constexpr std::uint64_t kReferences = kLive - 1;
    static constexpr std::uint32_t kFirstChunk = 64; // slots; every further chunk is as large as all before it
    static constexpr std::size_t kChunks = 24;

    struct Place {
        std::size_t chunk;
        std::uint32_t offset;
    };
    static Place place_of(std::uint32_t index) noexcept {
        if (index < kFirstChunk) return {0, index};
        const auto chunk = static_cast<std::size_t>(std::bit_width(index / kFirstChunk));
        return {chunk, index - (kFirstChunk << (chunk - 1))};
    }
    static std::size_t slots_in(std::size_t chunk) noexcept {
        return chunk == 0 ? kFirstChunk : std::size_t{kFirstChunk} << (chunk - 1);
    }

    [[nodiscard]] Slot* find(std::uint32_t index) noexcept {
        const Place place = place_of(index);
        if (place.chunk >= kChunks) return nullptr;
        Slot* chunk = chunks_[place.chunk].load(std::memory_order_acquire);
        return chunk == nullptr ? nullptr : chunk + place.offset;
    }
    // Makes room for an index. The mutex is held.
    [[nodiscard]] Slot* grow(std::uint32_t index) noexcept {
        const Place place = place_of(index);
        if (place.chunk >= kChunks) return nullptr;
        if (owned_[place.chunk] == nullptr) {
            owned_[place.chunk].reset(new (std::nothrow) Slot[slots_in(place.chunk)]);
            chunks_[place.chunk].store(owned_[place.chunk].get(), std::memory_order_release);
        }
        return find(index);
    }
    void drop(Slot& slot, std::uint32_t index) noexcept {
        const std::uint64_t before = slot.state.fetch_sub(1, std::memory_order_acq_rel);
        if ((before & (kLive | kReferences)) != 1) return;
        slot.value = T{};
        slot.state.store(((before >> 32) + 1) << 32, std::memory_order_release);
        const std::lock_guard lock(mutex_);
        slot.next_free = free_;
        free_ = index;
    }

    std::array<std::atomic<Slot*>, kChunks> chunks_{};
    std::atomic<std::size_t> live_{0};
    std::mutex mutex_; // everything below
    std::array<std::unique_ptr<Slot[]>, kChunks> owned_{};
    std::uint32_t next_ = 1;
    std::uint32_t free_ = 0;
};

} // namespace vfsproto::backends
