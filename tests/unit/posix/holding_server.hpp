// SPDX-License-Identifier: BSD-2-Clause
// A server that keeps its answers, for tests of calls under limits.
#pragma once

#include "support/watchdog.hpp"
#include "unit/posix/mounted.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <thread>
#include <utility>

namespace vfsproto::test {

inline constexpr std::chrono::milliseconds kShort{5}; // ends a call that is not answered
inline constexpr std::chrono::hours kLong{24};        // ends none

template <class T> [[nodiscard]] posix::Failure failure_of(const posix::Expected<T>& outcome) {
    return outcome.failure();
}

// Makes something in a time that may be too short on a busy machine: until it is made.
template <class Make> auto made_in_time(const Make& make) {
    for (;;) {
        auto made = make();
        if (made || made.failure().errc != Errc::timed_out) return value_of(std::move(made));
    }
}

// Counts what it is asked to interrupt, and does nothing else about it.
class CountingMemfs : public backends::Memfs {
public:
    using backends::Memfs::handle;
    using backends::Memfs::Memfs;
    void handle(const server::RequestOf<wire::Opcode::interrupt>&,
                server::ReplyTo<wire::Opcode::interrupt>& reply) noexcept {
        ++interrupts;
        reply.none();
    }
    std::atomic<int> interrupts{0};
};

// A mount whose server does what it is asked at once, and keeps the answers it is told to keep until it is told to let them go.
// It serves "/dir/file", which has an extended attribute. A test may end the mount itself.
struct HoldingServer {
    explicit HoldingServer(backends::MemfsOptions fs_options = {}, posix::MountOptions mount_options = {},
                           client::InterruptUse interrupts = client::InterruptUse::allowed,
                           std::uint16_t request_queues = 1)
        : fs(std::move(fs_options)) {
        backends::LoopbackOptions device;
        device.service = backends::LoopbackService::threads;
        device.quirks.interrupts = interrupts;
        device.num_request_queues = request_queues;
        mount_options.channel.rings.request_queues = request_queues;
        auto made = backends::make_loopback(fs, std::move(device));
        loopback = made.get();
        mount = mount_of(std::move(made), mount_options);
        succeeds(mount->mkdir("/dir"));
        put(*mount, "/dir/file", "content");
        succeeds(mount->set_xattr("/dir/file", "user.name", bytes_of("value")));
        mount->prune();
    }
    ~HoldingServer() {
        if (mount != nullptr) {
            release();
            await_given_back();
            check_lookups(*mount, fs);
        }
        mount.reset();
        CHECK(fs.lookups() == 0);
        CHECK(fs.open_handles() == 0);
        CHECK(fs.misuse().over_forgets == 0);
        CHECK(fs.misuse().stale_nodes == 0);
        CHECK(fs.misuse().bad_handles == 0);
    }

    // Keeps the answers to these requests from now on, and counts all of these.
    void hold(wire::Opcode opcode) {
        asked = 0;
        fs.set_faults([this, opcode](const backends::MemfsQuestion& question) {
            backends::MemfsFault fault;
            if (question.opcode != opcode) return fault;
            ++asked;
            fault.answer = backends::MemfsFault::Answer::held;
            return fault;
        });
    }
    void release() {
        fs.set_faults({});
        fs.release_held();
        loopback->complete();
    }
    // Calls until the request whose answer is kept has come: on a busy machine the time may be over before. Returns the last
    // failure.
    template <class Call> posix::Failure call_until_held(const Call& call) {
        for (;;) {
            ++calls;
            posix::Failure failure = call();
            if (asked != 0 || failure.errc != Errc::timed_out) return failure;
        }
    }
    void await_held(std::size_t requests) const {
        while (fs.held() < requests) std::this_thread::yield();
    }
    // Waits until the server holds nothing for us.
    void await_given_back() {
        do {
            mount->prune();
            std::this_thread::yield();
        } while (fs.lookups() != 0 || fs.open_handles() != 0);
    }

    CountingMemfs fs;
    backends::Loopback* loopback = nullptr;
    std::unique_ptr<posix::Mount> mount;
    std::atomic<int> asked{0};
    int calls = 0; // of call_until_held()
};

// Keeps the thread that does late work busy until this ends.
class BusyLateWork {
public:
    // The late work is that of this mount's channel. It keeps what is held until it is over.
    explicit BusyLateWork(posix::Mount& mount, posix::Held held = {}) {
        mount.channel().do_late(std::move(held), [state = state_](posix::Channel&, posix::LateOutcome) {
            state->has_begun = true;
            while (!state->may_end) std::this_thread::yield();
        });
        until([this] { return state_->has_begun.load(); });
    }
    ~BusyLateWork() { state_->may_end = true; }
    BusyLateWork(const BusyLateWork&) = delete;
    BusyLateWork& operator=(const BusyLateWork&) = delete;

private:
    struct State {
        std::atomic<bool> has_begun{false};
        std::atomic<bool> may_end{false};
    };
    const std::shared_ptr<State> state_ = std::make_shared<State>();
};

} // namespace vfsproto::test
