// SPDX-License-Identifier: BSD-2-Clause
#include "watch.hpp"

#include "child_process.hpp"
#include "cleaning_up.hpp"
#include "interrupt.hpp"
#include "program.hpp"
#include "temporaries.hpp"
#include "terminal_modes.hpp"

#include "vfsproto/posix/stop_source.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace vfsproto::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kOrderlyEnd{500};
constexpr seconds kCleanUp{5};
constexpr milliseconds kCutEvery{20};
constexpr milliseconds kLookEvery{200};
constexpr milliseconds kStopping{300}; // for a device that was given up: one that is served here needs no longer
constexpr seconds kPatience{10};

bool wants_news(const Program& program) { return program.options().silence > 0 || ::isatty(STDERR_FILENO) != 0; }

} // namespace

Watch::Watch() {
    const sigset_t set = interrupt_signals();
    signals_ = backends::FileDescriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    ends_ = backends::FileDescriptor(::eventfd(0, EFD_CLOEXEC));
    if (!signals_ || !ends_) throw std::system_error(errno, std::generic_category(), "signals");
    thread_ = std::thread([this] { run(); });
}

Watch::~Watch() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(ends_.get(), &one, sizeof one);
    thread_.join();
}

void Watch::look_at(Program* program) {
    const std::lock_guard lock(mutex_);
    program_ = program;
    answered_at_ = Clock::now();
}

void Watch::run() {
    for (;;) {
        pollfd waits[] = {{signals_.get(), POLLIN, 0}, {ends_.get(), POLLIN, 0}};
        const milliseconds next_look = interrupted() ? kCutEvery : kLookEvery;
        ::poll(waits, std::size(waits), static_cast<int>(next_look.count()));
        if ((waits[1].revents & POLLIN) != 0) return;
        if ((waits[0].revents & POLLIN) != 0) take_signal();
        if (interrupted()) {
            hurry();
        } else {
            look();
        }
    }
}

void Watch::take_signal() {
    if (interrupted() && !ChildProcess::any()) end_by_signal();
    interrupted_at_ = Clock::now();
    interrupt_signal = latest_interrupt();
    signalfd_siginfo info{}; // the same signal, or one that came with it
    [[maybe_unused]] const ssize_t taken = ::read(signals_.get(), &info, sizeof info);
    interrupt_stop().stop();
    if (!interrupted()) interrupt_stop().reset(); // the shell forgot the signal in between
    ChildProcess::pass_on(static_cast<int>(info.ssi_signo));
}

void Watch::hurry() {
    if (!interrupted()) return; // the shell has ended its command for it
    LocalCall::cut_all();
    if (ChildProcess::any()) interrupted_at_ = Clock::now(); // the program goes on until that has ended
    const auto now = Clock::now();
    if (CleaningUp::any()) cleaned_up_at_ = now;
    const bool cleans_up = now - cleaned_up_at_ < kOrderlyEnd && now - interrupted_at_ < kCleanUp;
    if (now - interrupted_at_ < kOrderlyEnd || cleans_up) return;
    end_by_signal();
}

void Watch::end_by_signal() {
    const int signal = interrupt_signal;
    if (signal == 0) return; // the shell took it for the end of a command just now
    remove_all_temporaries();
    restore_terminal_modes();
    {
        const std::lock_guard lock(mutex_);
        if (program_ != nullptr) {
            program_->say_left_behind();
            program_->end_trace();
        }
    }
    die_of(signal);
}

void Watch::look() {
    const std::lock_guard lock(mutex_);
    if (program_ == nullptr) return;
    program_->refresh_trace();
    if (!wants_news(*program_)) return;
    const auto seen = program_->look_at_device();
    if (!seen) {
        note_answer(); // somebody is busy with what came
        return;
    }
    look_for_silence(*program_, seen->is_given_up);
    look_for_answers(*program_, seen->answers);
}

void Watch::note_answer() {
    answered_at_ = Clock::now();
    has_said_ = false;
}

// The channel gives a silent device up, and then stops it, which a device that is silent does not answer either.
void Watch::look_for_silence(Program& program, bool is_given_up) {
    if (program.options().silence <= 0 || !is_given_up) return;
    if (given_up_at_ == Clock::time_point{}) given_up_at_ = Clock::now();
    if (Clock::now() - given_up_at_ < kStopping) return;
    remove_all_temporaries();
    restore_terminal_modes();
    program.leave_silent_device();
}

void Watch::look_for_answers(Program& program, std::uint64_t answers) {
    if (answers != answers_ || LocalCall::any()) note_answer();
    answers_ = answers;
    if (has_said_ || Clock::now() - answered_at_ < kPatience || ::isatty(STDERR_FILENO) == 0) return;
    has_said_ = true;
    program.say_waiting(kPatience);
}

} // namespace vfsproto::cli
