// SPDX-License-Identifier: BSD-2-Clause
// The memory of a walk grows with the depth of a tree and with the entries of a directory, and with nothing else.
#include "integration/cli/removed.hpp"
#include "integration/cli/share.hpp"
#include "support/peak_memory.hpp"
#include "support/scale.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

using namespace vfsproto::test;
namespace fs = std::filesystem;

namespace {

// Makes directories in one another, with names as long as they may be, and beside each an empty one that a walk comes to later.
void make_deep(const fs::path& top, std::uint64_t levels) {
    const std::string deeper(255, 'a');
    const std::string beside(255, 'z');
    fs::create_directory(top);
    int at = ::open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (std::uint64_t level = 0; level < levels; ++level) {
        REQUIRE(::mkdirat(at, deeper.c_str(), 0755) == 0);
        REQUIRE(::mkdirat(at, beside.c_str(), 0755) == 0);
        const int inner = ::openat(at, deeper.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ::close(at);
        at = inner;
    }
    ::close(at);
}

// Runs commands one after another in one process, which tells its memory between two of them: wait4(2) would count that of the
// test as well, of which the process was made. Names are kept, so that a path of many does not cost as many requests.
class MeasuredCommands {
public:
    explicit MeasuredCommands(const Share& share)
        : share_(share), program_({"--device", "dir:" + share.path().string(), "--cache", "always", "run", "-"}) {}

    // Runs one command, which has to succeed. Returns the most memory that the process had until then, in KiB.
    long peak_after(const std::string& line) {
        const std::string done = "done" + std::to_string(lines_++);
        REQUIRE(program_.write(line + "\ntouch " + done + "\n"));
        for (;;) {
            const bool is_done = share_.exists(done);
            const long peak = peak_of_process();
            INFO(line);
            REQUIRE(peak != 0); // it has ended
            if (is_done) return peak;
            constexpr int kPatience = 1; // ms
            ::poll(nullptr, 0, kPatience);
        }
    }

private:
    [[nodiscard]] long peak_of_process() const {
        std::ifstream status("/proc/" + std::to_string(program_.pid()) + "/status");
        for (std::string word; status >> word;) {
            long kibibytes = 0;
            if (word == "VmHWM:" && status >> kibibytes) return kibibytes;
        }
        return 0;
    }

    const Share& share_;
    RunningProgram program_;
    int lines_ = 0;
};

// Returns the memory after each of the commands that walk a tree of so many levels.
std::vector<long> peaks_of_walks(std::uint64_t levels, const std::vector<std::string>& lines) {
    const Share share(Server::embedded);
    const Removed tree(share.path() / "t");
    const Removed sent(share.path() / "b");
    const Removed copy(share.path() / "c");
    const Removed here(share.beside("here"));
    make_deep(share.path() / "t", levels);
    fs::create_directory(share.beside("empty"));
    MeasuredCommands commands(share);
    std::vector<long> peaks;
    for (std::string line : lines) {
        for (const std::string name : {"here", "empty"}) {
            const std::size_t at = line.find('@' + name);
            if (at != std::string::npos) line.replace(at, name.size() + 1, share.beside(name).string());
        }
        peaks.push_back(commands.peak_after(line));
    }
    return peaks;
}

// Makes empty files in one directory, by threads.
void make_empty_files(const fs::path& directory, int count) {
    constexpr int kThreads = 4;
    fs::create_directory(directory);
    const int at = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    std::array<std::thread, kThreads> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
        threads[static_cast<std::size_t>(thread)] = std::thread([=] {
            for (int i = thread; i < count; i += kThreads) {
                const std::string name = "a file of many " + std::to_string(i);
                ::close(::openat(at, name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    ::close(at);
}

} // namespace

TEST_CASE("the memory of a walk does not grow with the square of a tree's depth", "[cli][heavy]") {
    if (is_slow()) return skip("a sanitizer has memory of its own");
    // The path of the deepest directory has 256 bytes a level. All paths of a tree of 120 levels have 1.8 MiB in each of the two
    // names of a level.
    constexpr std::uint64_t kShallow = 2;
    const std::uint64_t levels = scaled({0, 120, 300});
    constexpr long kMostEach =
        16; // KiB a level: what is kept of two directories here, in the cache of names, and at the server
    std::vector<std::string> lines{"ls -R t", "get -r t @here", "put -r @here b", "rm -r b"};
    if (is_nightly()) {
        const std::vector<std::string> more{"cp -r t c", "cp -r t b", "chmod -R u+w c", "sync-tree --delete @empty :b",
                                            "du c",      "find c",    "tree c",         "rm -r c"};
        lines.insert(lines.end(), more.begin(), more.end());
    }
    const std::vector<long> shallow = peaks_of_walks(kShallow, lines);
    const std::vector<long> deep = peaks_of_walks(levels, lines);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        INFO(lines[i] << ": " << shallow[i] << " KiB, " << deep[i] << " KiB");
        CHECK(deep[i] < shallow[i] + static_cast<long>(levels) * kMostEach);
    }
}

TEST_CASE("a directory of a million files takes less than 200 MB", "[cli][heavy][million]") {
    if (is_slow()) return skip("a sanitizer has memory of its own");
    const auto files = static_cast<int>(scaled({0, 2'000, 1'000'000})); // a million at night
    constexpr long kMost = 200'000'000 / 1024;                          // KiB
    const Share share(Server::embedded);
    make_empty_files(share.path() / "many", files);
    const std::string here = share.beside("here").string();
    const std::string device = "dir:" + share.path().string();
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{{"ls", "many"},
                                                                                       {"ls", "-l", "many"},
                                                                                       {"ls", "-lR", "/"},
                                                                                       {"--json", "ls", "-S", "many"},
                                                                                       {"du", "many"},
                                                                                       {"find", "many"},
                                                                                       {"tree", "many"},
                                                                                       {"get", "-r", "many", here},
                                                                                       {"put", "-r", here, "back"},
                                                                                       {"rm", "-r", "back"}}) {
        std::vector<std::string> all{"--device", device};
        all.insert(all.end(), words.begin(), words.end());
        const long peak = peak_memory_of(all);
        INFO(words[0] << ' ' << words[1] << ": " << peak << " KiB");
        CHECK(peak < kMost);
    }
}
