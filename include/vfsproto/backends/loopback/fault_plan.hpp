// SPDX-License-Identifier: BSD-2-Clause
// A plan of what a device does wrong, and when. Deterministic: the same plan and the same requests give the same
// faults.
#pragma once

#include "vfsproto/transport/transport.hpp"

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace vfsproto::backends::loopback {

enum class FaultKind : std::uint8_t {
    drop,      // the completion never comes
    delay,     // the completion comes when Loopback::complete() asks for it
    duplicate, // the completion comes twice. Not on a packed ring: what nobody waits for is not read there
    die,       // the device goes away before it takes this request
    reset, // the device resets itself before it takes this request, and tells nobody: no more is answered on its queue
    reply_length,   // the reply header's len is one too much
    reply_error,    // the reply's error is no error number
    reply_unique,   // the reply's unique is of no request
    written_short,  // the used length is one byte less than was written
    written_zero,   // the used length is 0
    written_beyond, // the used length is one byte more than was writable
    corrupt,        // some of the bytes behind the reply's header are others
};

// True for a fault that comes before a request is taken; the others come with a completion.
[[nodiscard]] constexpr bool comes_before_request(FaultKind kind) noexcept {
    return kind == FaultKind::die || kind == FaultKind::reset;
}

struct Fault {
    FaultKind kind{};
    std::uint64_t at = 0; // the number of the completion (of the request, if it comes before that) on its queue, from 1
};

// Has one fault happen when a test wants it, however many requests were before. It outlives the device. Any thread.
class FaultTrigger {
public:
    // The fault meets the completion (the request, if it comes before that) that follows this many others from now on. `on_strike`
    // is called then by the thread that serves the queue, with the queue's lock held: it may not call the device.
    void arm(FaultKind kind, std::uint64_t after, std::function<void()> on_strike = {}) {
        const std::lock_guard lock(mutex_);
        kind_ = kind;
        left_ = after + 1;
        has_struck_ = false;
        on_strike_ = std::move(on_strike);
    }
    void disarm() {
        const std::lock_guard lock(mutex_);
        left_ = 0;
    }
    // True if the fault has happened since arm().
    [[nodiscard]] bool has_struck() const {
        const std::lock_guard lock(mutex_);
        return has_struck_;
    }
    // Is called by the queue before each request, and at each completion. Returns the fault that happens now.
    [[nodiscard]] std::optional<FaultKind> pass_request() { return pass(Point::request); }
    [[nodiscard]] std::optional<FaultKind> pass_completion() { return pass(Point::completion); }

private:
    enum class Point : std::uint8_t { request, completion };

    [[nodiscard]] std::optional<FaultKind> pass(Point point) {
        std::function<void()> strike;
        FaultKind kind{};
        {
            const std::lock_guard lock(mutex_);
            if (left_ == 0 || comes_before_request(kind_) != (point == Point::request)) return std::nullopt;
            if (--left_ != 0) return std::nullopt;
            has_struck_ = true;
            kind = kind_;
            strike = std::exchange(on_strike_, nullptr);
        }
        if (strike) strike();
        return kind;
    }

    mutable std::mutex mutex_;
    FaultKind kind_{};
    std::uint64_t left_ = 0; // 0: none is to happen
    bool has_struck_ = false;
    std::function<void()> on_strike_{};
};

// Completions held back come out in an order the seed decides.
enum class Release : std::uint8_t {
    when_idle,  // with the last request the device has: nothing waits for ever, but nothing is in order
    when_asked, // by Loopback::complete() only
};

struct FaultPlan {
    std::uint64_t seed = 1;
    QueueIndex queue{1}; // the queue that misbehaves, numbered as without notifications
    std::vector<Fault> faults{};
    std::uint16_t hold_back = 0; // up to so many completions at a time are held back
    Release release = Release::when_idle;
    FaultTrigger* trigger = nullptr; // has one fault more happen
};

} // namespace vfsproto::backends::loopback
