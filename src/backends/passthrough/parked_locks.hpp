// SPDX-License-Identifier: BSD-2-Clause
// Requests that wait for a lock of the host's files, parked until it is theirs.
//
// The kernel tells nobody who does not sleep in the call that a lock was given up. A thread for each wait could be interrupted by
// a signal alone, and a client would decide how many there are. So one thread tries each lock again after a pause, which doubles.
// A lock that the client itself gives up is tried at once, by the handler that gave it up.
#pragma once

#include "vfsproto/backends/passthrough.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace vfsproto::backends {

// Tells what a SETLK or a SETLKW asks for.
struct WantedLock {
    enum class Kind : std::uint8_t { records, whole };

    Kind kind = Kind::records;
    std::uint64_t nodeid = 0; // of the file
    std::uint64_t fh = 0;
    std::uint64_t owner = 0;
    wire::FileLock lock{};
};

// All calls: any thread.
class ParkedLocks {
public:
    // The most requests that wait at once; whoever comes after them is told EAGAIN, and asks again.
    static constexpr std::size_t kMost = 64;
    // Pauses between two tries of one request.
    static constexpr std::chrono::milliseconds kFirstPause{1};
    static constexpr std::chrono::milliseconds kLongestPause{64};

    // `attempt` returns 0 if it took the lock, EAGAIN if somebody else has it, and any other errno if nobody need wait for it.
    // One attempt runs at a time.
    using Attempt = std::function<int(const WantedLock&)>;
    explicit ParkedLocks(Attempt attempt) : attempt_(std::move(attempt)) {}
    // No queue is served any more.
    ~ParkedLocks();
    ParkedLocks(const ParkedLocks&) = delete;
    ParkedLocks& operator=(const ParkedLocks&) = delete;

    // Answers, or parks, a SETLKW. Without a sink it is EOPNOTSUPP where it would have to wait.
    void wait(const WantedLock& wanted, server::ReplyTo<wire::Opcode::setlkw>& reply) noexcept;
    // Tries again what waits for locks of a file, some of which may have been given up. Costs one load when nothing waits.
    void try_again(std::uint64_t nodeid) noexcept;
    // Does so after a SETLK, which ended with this errno.
    void try_after(const WantedLock& wanted, int error) noexcept;
    // Ends a wait with EINTR. Returns false if no request of this number is parked.
    [[nodiscard]] bool interrupt(std::uint64_t unique) noexcept;
    // End what waits: through one handle, with EBADF; everything, with ENOTCONN.
    void end_handle(std::uint64_t fh) noexcept;
    void end_all() noexcept;
    // Forgets the requests of a lane whose queue was reset. None of its handlers runs.
    void abandon(std::uint16_t lane) noexcept;

    // Does what server::AnswersUnasked says. One caller at a time.
    void tell_answers_to(server::AnswerSink* sink) noexcept;

    using Answer = Passthrough::ParkedAnswer;
    // True if there are requests that can be answered, of any lane. Costs one load.
    [[nodiscard]] bool has_answers() const noexcept { return answers_.load() != 0; }
    // Takes the next request of a lane that can be answered. Never waits for an attempt.
    [[nodiscard]] bool take_answer(std::uint16_t lane, Answer& to) noexcept;

    [[nodiscard]] std::size_t waiting() const noexcept { return waits_.load(std::memory_order_relaxed); }

private:
    using Clock = std::chrono::steady_clock;
    struct Parked {
        WantedLock wanted{};
        decltype(Answer::room) room{};
        server::ParkedRequest request{};
        std::chrono::milliseconds pause = kFirstPause;
        Clock::time_point next_try{};
        abi::Errno error{}; // once it can be answered
    };
    using Waiting = std::list<Parked>;

    // These need mutex_.
    [[nodiscard]] bool start_thread() noexcept;
    void decide(Waiting::iterator which, abi::Errno error) noexcept;
    template <class Which> void end_each(const Which& which, abi::Errno error) noexcept;
    void try_file(std::uint64_t nodeid) noexcept;
    void try_due() noexcept;

    void run() noexcept;
    // Returns the first lane, of those numbered so or higher, that can answer something.
    [[nodiscard]] std::optional<std::uint16_t> answerable_from(std::uint32_t number) noexcept;
    void tell() noexcept;

    const Attempt attempt_;
    std::atomic<std::size_t> waits_{0};   // written under mutex_
    std::atomic<std::size_t> answers_{0}; // written under ready_mutex_

    // The two mutexes are taken in this order, and no sink is called under either.
    std::mutex mutex_; // what follows. Held during attempts
    Waiting waiting_;
    bool is_ending_ = false;
    bool has_news_ = false; // something can be answered, and its lane was not told of it
    std::condition_variable changed_;
    std::thread thread_;
    std::mutex ready_mutex_; // what follows
    Waiting ready_;

    std::mutex sink_mutex_; // the sink, and held while it is called. Taken before all others
    server::AnswerSink* sink_ = nullptr;
    std::atomic<bool> has_sink_{false};
};

} // namespace vfsproto::backends
