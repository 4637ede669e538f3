// SPDX-License-Identifier: BSD-2-Clause
// Watches the program from a thread of its own: signals that end it, and a device that does not answer.
#pragma once

#include "vfsproto/backends/file_descriptor.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>

namespace vfsproto::cli {

class Program;

// A signal asks the program to end in order (interrupted()), and cuts its local calls short. What does not end in half a
// second, because it waits for the device, is ended then, its temporary files of this host removed and those of the server
// named; a second signal does that at once. While a command of this host runs (ChildProcess), the program goes on until that has
// ended. With --silence a device that was given up ends the program without waiting for it once more. On a terminal it says after
// ten seconds without an answer that it waits.
class Watch {
public:
    // Starts the thread. block_interrupts() was called.
    Watch();
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // A program is looked at as long as this lives.
    class Attention {
    public:
        Attention(Watch& watch, Program& program) : watch_(watch) { watch_.look_at(&program); }
        ~Attention() { watch_.look_at(nullptr); }
        Attention(const Attention&) = delete;
        Attention& operator=(const Attention&) = delete;

    private:
        Watch& watch_;
    };

private:
    using Clock = std::chrono::steady_clock;

    void look_at(Program* program);
    void run();
    void take_signal();
    void end_by_signal();
    void hurry();
    void look();
    void note_answer();
    void look_for_silence(Program& program, bool is_given_up);
    void look_for_answers(Program& program, std::uint64_t answers);

    backends::FileDescriptor signals_;
    backends::FileDescriptor ends_;
    std::mutex mutex_; // of what follows
    Program* program_ = nullptr;
    Clock::time_point interrupted_at_{};
    Clock::time_point cleaned_up_at_{}; // the program was seen at it last
    Clock::time_point given_up_at_{};
    Clock::time_point answered_at_{};
    std::uint64_t answers_ = 0;
    bool has_said_ = false; // that it waits
    std::thread thread_;
};

} // namespace vfsproto::cli
