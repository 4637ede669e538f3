// SPDX-License-Identifier: BSD-2-Clause
// Several processes at the same names: what is done to a name is done wholly or not at all, and by one of them.
#include "processes.hpp"
#include "suite.hpp"

#include <algorithm>
#include <atomic>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <new>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

using posix_suite::Companion;
using posix_suite::Suite;

namespace {

constexpr int kProcesses = 8;
constexpr int kRounds = 50;

// Numbers that all processes of a case share. They are no file of the directory.
struct Counters {
    std::atomic<int> wins[kRounds];
    std::atomic<int> losses[kRounds];
    std::atomic<int> others; // results that nobody should have
    std::atomic<bool> is_over;
};

Counters& shared_counters() {
    void* const found = ::mmap(nullptr, sizeof(Counters), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    Suite::need(found != MAP_FAILED, "shared memory");
    return *new (found) Counters{};
}

// Begins all processes, lets them run at once, and returns how many of them ended as they should.
int together(int processes, const std::function<void(int)>& work) {
    std::vector<std::unique_ptr<Companion>> all;
    for (int p = 0; p < processes; ++p) {
        all.push_back(std::make_unique<Companion>([&work, p](Companion& parent) {
            static_cast<void>(parent.hear());
            work(p);
        }));
    }
    for (const auto& each : all) each->say();
    int well = 0;
    for (const auto& each : all) well += each->join() == 0 ? 1 : 0;
    return well;
}

// In each round each process makes the call: one shall win, the others lose with the error.
Counters& contend(const std::function<long(int process, int round)>& call, int error) {
    Counters& counters = shared_counters();
    const int well = together(kProcesses, [&](int p) {
        for (int round = 0; round < kRounds; ++round) {
            if (call(p, round) >= 0) {
                ++counters.wins[round];
            } else if (errno == error) {
                ++counters.losses[round];
            } else {
                ++counters.others;
            }
        }
    });
    Suite::need(well == kProcesses, "the processes to end");
    return counters;
}

bool all_are(const std::atomic<int> (&numbers)[kRounds], int wanted) {
    return std::all_of(std::begin(numbers), std::end(numbers), [&](const auto& each) { return each == wanted; });
}

std::string numbered(std::string_view name, int number) { return std::string(name) + std::to_string(number); }

} // namespace

POSIX_CASE("one process wins each name with O_EXCL") {
    const Counters& all = contend(
        [](int, int round) {
            const int fd = ::open(numbered("name", round).c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644);
            return fd < 0 ? -1 : ::close(fd);
        },
        EEXIST);
    s.holds("one wins each name", all_are(all.wins, 1));
    s.holds("the others get EEXIST", all_are(all.losses, kProcesses - 1));
    s.equal("nobody gets another error", all.others.load(), 0);
    s.equal("each name is there once", s.names().size(), kRounds);
}

POSIX_CASE("all processes get the same file without O_EXCL") {
    const Counters& all = contend(
        [](int p, int round) {
            const int fd = ::open(numbered("name", round).c_str(), O_WRONLY | O_CREAT, 0644);
            const char byte = static_cast<char>('a' + p);
            return fd < 0 || ::pwrite(fd, &byte, 1, p) != 1 ? -1 : ::close(fd);
        },
        EEXIST);
    s.holds("each process opens each name", all_are(all.wins, kProcesses));
    s.equal("nobody gets an error", all.others.load(), 0);
    bool are_whole = true;
    for (int round = 0; round < kRounds; ++round) {
        are_whole = are_whole && s.read_file(numbered("name", round)) == "abcdefgh";
    }
    s.holds("each file has the byte of each process", are_whole);
}

POSIX_CASE("one process wins each mkdir and each rmdir") {
    const Counters& made =
        contend([](int, int round) { return ::mkdir(numbered("name", round).c_str(), 0755); }, EEXIST);
    s.holds("one mkdir wins each name", all_are(made.wins, 1));
    s.holds("the other mkdirs get EEXIST", all_are(made.losses, kProcesses - 1));
    s.equal("no mkdir gets another error", made.others.load(), 0);
    s.equal("each directory is there", s.names().size(), kRounds);
    s.equal("the directory has a link for each", s.status(".").st_nlink == 1 ? 1 : s.status(".").st_nlink - 2,
            s.status(".").st_nlink == 1 ? 1 : kRounds);
    const Counters& gone = contend([](int, int round) { return ::rmdir(numbered("name", round).c_str()); }, ENOENT);
    s.holds("one rmdir wins each name", all_are(gone.wins, 1));
    s.holds("the other rmdirs get ENOENT", all_are(gone.losses, kProcesses - 1));
    s.equal("no rmdir gets another error", gone.others.load(), 0);
    s.equal("no directory is left", s.names().size(), 0);
}

POSIX_CASE("one process wins each link, symlink, mkfifo and unlink") {
    s.write_file("file");
    const Counters& linked = contend([](int, int r) { return ::link("file", numbered("link", r).c_str()); }, EEXIST);
    s.holds("one link wins each name", all_are(linked.wins, 1));
    s.holds("the other links get EEXIST", all_are(linked.losses, kProcesses - 1));
    s.equal("the file has that many links", s.status("file").st_nlink, kRounds + 1);
    const Counters& soft = contend([](int, int r) { return ::symlink("file", numbered("soft", r).c_str()); }, EEXIST);
    s.holds("one symlink wins each name", all_are(soft.wins, 1));
    s.holds("the other symlinks get EEXIST", all_are(soft.losses, kProcesses - 1));
    const Counters& fifos = contend([](int, int r) { return ::mkfifo(numbered("fifo", r).c_str(), 0600); }, EEXIST);
    s.holds("one mkfifo wins each name", all_are(fifos.wins, 1));
    s.holds("the other mkfifos get EEXIST", all_are(fifos.losses, kProcesses - 1));
    const Counters& gone = contend([](int, int r) { return ::unlink(numbered("link", r).c_str()); }, ENOENT);
    s.holds("one unlink wins each name", all_are(gone.wins, 1));
    s.holds("the other unlinks get ENOENT", all_are(gone.losses, kProcesses - 1));
    s.equal("the file has one link again", s.status("file").st_nlink, 1);
}

POSIX_CASE("one process wins each rename of a name") {
    for (int round = 0; round < kRounds; ++round) s.write_file(numbered("from", round), "x");
    const Counters& all = contend(
        [](int p, int round) {
            const std::string to = numbered("to", round) + "." + std::to_string(p);
            return ::rename(numbered("from", round).c_str(), to.c_str());
        },
        ENOENT);
    s.holds("one rename wins each name", all_are(all.wins, 1));
    s.holds("the others get ENOENT", all_are(all.losses, kProcesses - 1));
    s.equal("no rename gets another error", all.others.load(), 0);
    s.equal("each file has one name", s.names().size(), kRounds);
}

POSIX_CASE("a name that is renamed over is always there and whole") {
    constexpr int kRenames = 100;
    Counters& counters = shared_counters();
    s.write_file("target", std::string(1000, 'a'));
    const int well = together(4, [&](int p) {
        if (p < 2) {
            const std::string mine = numbered("new", p);
            for (int i = 0; i < kRenames; ++i) {
                s.write_file(mine, std::string(1000, static_cast<char>('a' + i % 26)));
                s.passes("each rename", ::rename(mine.c_str(), "target"));
            }
            counters.is_over = true;
            return;
        }
        do {
            const int fd = ::open("target", O_RDONLY);
            if (!s.passes("each open of the target", fd)) return;
            const std::string found = posix_suite::read_at(fd, 2000, 0);
            ::close(fd);
            s.equal("each read has the whole content", found.size(), 1000);
            s.equal("each content is of one file", found, std::string(1000, found.empty() ? '?' : found[0]));
            struct stat status{};
            s.passes("each stat of the target", ::stat("target", &status));
        } while (!counters.is_over);
    });
    s.equal("all processes end", well, 4);
    s.equal("the target is alone", s.names(), std::vector<std::string>{"target"});
    s.equal("it has one link", s.status("target").st_nlink, 1);
}

POSIX_CASE("mkdir and rmdir of one name by several processes end well") {
    Counters& counters = shared_counters();
    const int well = together(kProcesses, [&](int) {
        for (int i = 0; i < kRounds; ++i) {
            if (::mkdir("name", 0755) == 0) {
                ++counters.wins[0];
            } else if (errno != EEXIST) {
                ++counters.others;
            }
            if (::rmdir("name") == 0) {
                ++counters.losses[0];
            } else if (errno != ENOENT) {
                ++counters.others;
            }
        }
    });
    s.equal("all processes end", well, kProcesses);
    s.equal("nobody gets another error", counters.others.load(), 0);
    s.equal("there was one rmdir for each mkdir", counters.losses[0].load(), counters.wins[0].load());
    s.equal("nothing is left", s.names().size(), 0);
    s.passes("mkdir of the name", ::mkdir("name", 0755));
}

POSIX_CASE("rmdir and a creation in the directory exclude each other") {
    Counters& counters = shared_counters();
    const int well = together(2, [&](int p) {
        for (int i = 0; i < kRounds; ++i) {
            const std::string directory = numbered("directory", i);
            static_cast<void>(::mkdir(directory.c_str(), 0755));
            const long result = p == 0 ? ::rmdir(directory.c_str())
                                       : ::open((directory + "/file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
            if (result >= 0) {
                ++(p == 0 ? counters.losses[i] : counters.wins[i]);
            } else if (errno != (p == 0 ? ENOTEMPTY : ENOENT) && (p != 0 || errno != EEXIST)) {
                ++counters.others;
            }
        }
    });
    s.equal("both processes end", well, 2);
    s.equal("nobody gets another error", counters.others.load(), 0);
    bool are_so = true;
    for (int i = 0; i < kRounds; ++i) {
        const std::string file = numbered("directory", i) + "/file";
        are_so = are_so && (counters.wins[i] == 1) == (::access(file.c_str(), F_OK) == 0);
    }
    s.holds("each file that was created is there, and no other", are_so);
}

POSIX_CASE("readdir finds what stays, once, while others come and go") {
    constexpr int kStaying = 200;
    Counters& counters = shared_counters();
    s.make_directory("directory");
    for (int i = 0; i < kStaying; ++i) s.write_file(numbered("directory/stay", i));
    const int well = together(3, [&](int p) {
        if (p > 0) {
            for (int i = 0; i < 3 * kStaying; ++i) {
                const std::string name = numbered(p == 1 ? "directory/one" : "directory/two", i);
                s.write_file(name);
                if (i % 2 == 0) s.passes("each unlink", ::unlink(name.c_str()));
            }
            counters.is_over = true;
            return;
        }
        do {
            std::vector<std::string> found = s.names("directory");
            s.holds("no name is told twice", std::adjacent_find(found.begin(), found.end()) == found.end());
            s.equal("each name that stays is told",
                    std::count_if(found.begin(), found.end(), [](const auto& each) { return each[0] == 's'; }),
                    kStaying);
        } while (!counters.is_over);
    });
    s.equal("all processes end", well, 3);
    s.equal("all names that were left are told at last", s.names("directory").size(), kStaying + 3 * kStaying);
}

POSIX_CASE("a number under a lock loses no step") {
    constexpr int kSteps = 100;
    const auto add = [&](int fd) {
        const int number = std::stoi(posix_suite::read_at(fd, 20, 0));
        const std::string next = std::to_string(number + 1);
        return ::pwrite(fd, next.data(), next.size(), 0) == static_cast<ssize_t>(next.size());
    };
    s.write_file("record", "0");
    s.write_file("whole", "0");
    const int well = together(4, [&](int) {
        const int record = ::open("record", O_RDWR);
        const int whole = ::open("whole", O_RDWR);
        for (int i = 0; i < kSteps; ++i) {
            struct flock lock{};
            lock.l_type = F_WRLCK;
            s.passes("each F_SETLKW", ::fcntl(record, F_SETLKW, &lock));
            s.holds("each step under a record lock", add(record));
            lock.l_type = F_UNLCK;
            s.passes("each F_UNLCK", ::fcntl(record, F_SETLK, &lock));
            s.passes("each LOCK_EX", ::flock(whole, LOCK_EX));
            s.holds("each step under flock", add(whole));
            s.passes("each LOCK_UN", ::flock(whole, LOCK_UN));
        }
    });
    s.equal("all processes end", well, 4);
    s.equal("no step under record locks is lost", s.read_file("record"), std::to_string(4 * kSteps));
    s.equal("no step under flock is lost", s.read_file("whole"), std::to_string(4 * kSteps));
}

POSIX_CASE("two names that are exchanged are always there") {
    constexpr unsigned kExchange = 2; // RENAME_EXCHANGE
    Counters& counters = shared_counters();
    s.write_file("one", "1");
    s.make_directory("two");
    if (::renameat2(AT_FDCWD, "one", AT_FDCWD, "two", kExchange) != 0) return s.skip("no RENAME_EXCHANGE here");
    const int well = together(2, [&](int p) {
        if (p == 0) {
            for (int i = 0; i < 301; ++i) {
                s.passes("each exchange", ::renameat2(AT_FDCWD, "one", AT_FDCWD, "two", kExchange));
            }
            counters.is_over = true;
            return;
        }
        do {
            struct stat found{};
            s.passes("the first name is there", ::stat("one", &found));
            s.passes("the second name is there", ::stat("two", &found));
        } while (!counters.is_over);
    });
    s.equal("both processes end", well, 2);
    s.equal("the first is the file", s.read_file("one"), "1");
    s.holds("the second is the directory", S_ISDIR(s.status("two").st_mode));
}

POSIX_CASE("several processes write their parts of one file") {
    constexpr off_t kPart = 10'007;
    s.write_file("file");
    const int well = together(kProcesses, [&](int p) {
        const int fd = ::open("file", O_WRONLY);
        for (off_t at = 0; at < kPart; at += 1000) {
            const std::string part(static_cast<std::size_t>(std::min<off_t>(1000, kPart - at)),
                                   static_cast<char>('a' + p));
            s.equal("each pwrite", ::pwrite(fd, part.data(), part.size(), p * kPart + at), part.size());
        }
    });
    s.equal("all processes end", well, kProcesses);
    std::string wanted;
    for (int p = 0; p < kProcesses; ++p) wanted += std::string(kPart, static_cast<char>('a' + p));
    s.equal("the size is of all parts", s.status("file").st_size, kProcesses * kPart);
    s.holds("each part is whole", s.read_file("file") == wanted);
}
