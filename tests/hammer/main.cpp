// SPDX-License-Identifier: BSD-2-Clause
// hammer [--processes N] [--seconds S] [--seed X] DIRECTORY [THE SAME DIRECTORY BESIDE]
// Many processes work in one directory, each on a tree of its own that it compares with a model, and all of them on files that they
// share. With a second path that leads to the same directory (on the host of a share, say), one more process replaces a shared file
// there. Prints a total; the exit status is 0 if everything was as it must be, 1 if not, 2 for wrong usage.
#include "check.hpp"
#include "own_tree.hpp"
#include "shared_things.hpp"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
    std::size_t processes = 8;
    long seconds = 5;
    std::uint64_t seed = 1;
    std::string directory;
    std::string beside;
};

// What a process tells at its end.
struct Told {
    std::uint64_t steps = 0;
    std::uint64_t counted = 0;
};

constexpr std::uint64_t kCheckEvery = 400; // steps

std::string shared_in(const std::string& directory) { return directory + "/shared"; }

Told work(const Options& options, std::size_t process, Clock::time_point end) {
    const std::uint64_t seed = options.seed * 1000 + process;
    hammer::OwnTree own(options.directory + "/own-" + std::to_string(process), seed);
    hammer::SharedThings shared(shared_in(options.directory), process, seed);
    Told told;
    while (Clock::now() < end) {
        ++told.steps;
        if (told.steps % 3 == 0) {
            shared.step();
        } else {
            own.step();
        }
        if (told.steps % kCheckEvery == 0) own.check_all();
    }
    own.check_all();
    told.counted = shared.counted();
    return told;
}

Told change_beside(const Options& options, Clock::time_point end) {
    hammer::SharedThings shared(shared_in(options.beside), options.processes, options.seed);
    Told told;
    while (Clock::now() < end) {
        ++told.steps;
        shared.publish();
    }
    return told;
}

template <class Run> void start(int results, const Run& run) {
    const pid_t child = ::fork();
    hammer::succeed(child >= 0, "fork");
    if (child != 0) return;
    const Told told = run();
    hammer::succeed(::write(results, &told, sizeof told) == sizeof told, "telling the end");
    std::_Exit(0);
}

int usage() {
    std::fputs("usage: hammer [--processes N] [--seconds S] [--seed X] DIRECTORY [THE SAME DIRECTORY BESIDE]\n",
               stderr);
    return 2;
}

bool read_options(int argc, char** argv, Options& options) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word.starts_with("--")) {
            if (i + 1 == argc) return false;
            const long value = std::strtol(argv[++i], nullptr, 10);
            if (value <= 0) return false;
            if (word == "--processes")
                options.processes = static_cast<std::size_t>(value);
            else if (word == "--seconds")
                options.seconds = value;
            else if (word == "--seed")
                options.seed = static_cast<std::uint64_t>(value);
            else
                return false;
        } else if (options.directory.empty()) {
            options.directory = word;
        } else if (options.beside.empty()) {
            options.beside = word;
        } else {
            return false;
        }
    }
    return !options.directory.empty();
}

} // namespace

int main(int argc, char** argv) {
    Options options;
    if (!read_options(argc, argv, options)) return usage();
    hammer::SharedThings::make(shared_in(options.directory));
    int results[2];
    hammer::succeed(::pipe(results) == 0, "pipe");
    const Clock::time_point end = Clock::now() + std::chrono::seconds(options.seconds);
    std::size_t running = 0;
    for (std::size_t process = 0; process < options.processes; ++process, ++running) {
        start(results[1], [&] { return work(options, process, end); });
    }
    if (!options.beside.empty()) {
        ++running;
        start(results[1], [&] { return change_beside(options, end); });
    }
    ::close(results[1]);
    bool is_good = true;
    for (; running != 0; --running) {
        int status = 0;
        hammer::succeed(::wait(&status) > 0, "wait");
        is_good = is_good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    if (!is_good) return 1;
    Told all;
    for (Told told; ::read(results[0], &told, sizeof told) == sizeof told;) {
        all.steps += told.steps;
        all.counted += told.counted;
    }
    const std::uint64_t total = hammer::SharedThings::total(shared_in(options.directory));
    hammer::require(total == all.counted, "no count was lost");
    std::printf("%zu processes, %llu steps, %llu counts under locks: all as it must be\n", options.processes,
                static_cast<unsigned long long>(all.steps), static_cast<unsigned long long>(all.counted));
    return 0;
}
