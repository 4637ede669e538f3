// SPDX-License-Identifier: BSD-2-Clause
// Other processes play a part in some cases. They answer through pipes and sockets, so that nobody waits for time to pass.
#pragma once

#include <functional>
#include <string>
#include <sys/types.h>

namespace posix_suite {

// Runs `call` in a child process and returns its result, with errno as the child had it. The child has ended by then.
[[nodiscard]] long in_child(const std::function<long()>& call);

// A child process that lives beside the case. Parent and child talk with the same words: what one says the other hears, in order.
class Companion {
public:
    explicit Companion(const std::function<void(Companion&)>& work); // the child ends when `work` returns
    ~Companion();                                                    // waits for the child
    Companion(const Companion&) = delete;
    Companion& operator=(const Companion&) = delete;

    void say(char word = '.') const;
    [[nodiscard]] char hear() const; // waits; '\0' if the other side is gone
    // Sends the signal again and again until the child says something: a signal that comes too early is no harm then.
    [[nodiscard]] char hear_after(int signal) const;
    int join(); // the exit status of the child, -1 if it was killed
    [[nodiscard]] pid_t id() const { return child_; }

private:
    pid_t child_ = -1;
    int side_ = -1;
};

// Sets a handler that does nothing and lets calls end with EINTR.
void interrupt_calls_at(int signal);

// Returns up to `size` bytes of the file at the offset, or what came before an error.
[[nodiscard]] std::string read_at(int fd, std::size_t size, off_t at);
// Returns an address that may be neither read nor written.
[[nodiscard]] void* forbidden_address();

} // namespace posix_suite
