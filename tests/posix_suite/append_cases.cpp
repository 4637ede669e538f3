// SPDX-License-Identifier: BSD-2-Clause
// O_APPEND of open(2): each write goes to the end of the file as it is then.
#include "processes.hpp"
#include "suite.hpp"

#include <fcntl.h>
#include <map>
#include <memory>
#include <sys/uio.h>
#include <unistd.h>

using posix_suite::Companion;
using posix_suite::in_child;

POSIX_CASE("O_APPEND writes at the end wherever the offset is") {
    s.write_file("file", "0123");
    const int fd = ::open(s.path("file").c_str(), O_RDWR | O_APPEND);
    s.passes("open with O_APPEND", fd);
    s.equal("the offset begins at zero", ::lseek(fd, 0, SEEK_CUR), 0);
    s.equal("write", ::write(fd, "ab", 2), 2);
    s.equal("write went to the end", s.read_file("file"), "0123ab");
    s.equal("the offset is the end", ::lseek(fd, 0, SEEK_CUR), 6);
    s.equal("lseek to one", ::lseek(fd, 1, SEEK_SET), 1);
    char piece[2] = {};
    s.equal("read reads at the offset", ::read(fd, piece, 2), 2);
    s.equal("the bytes at the offset", std::string(piece, 2), "12");
    s.equal("write after lseek and read", ::write(fd, "cd", 2), 2);
    s.equal("it went to the end as well", s.read_file("file"), "0123abcd");
    s.equal("the offset follows", ::lseek(fd, 0, SEEK_CUR), 8);
    s.equal("lseek beyond the end", ::lseek(fd, 100, SEEK_SET), 100);
    s.equal("write from beyond the end", ::write(fd, "e", 1), 1);
    s.equal("it left no gap", s.read_file("file"), "0123abcde");
    s.equal("write of zero bytes", ::write(fd, "z", 0), 0);
    s.equal("write of zero bytes leaves the size", s.status("file").st_size, 9);
    const iovec list[2] = {{piece, 1}, {piece + 1, 1}};
    s.equal("writev", ::writev(fd, list, 2), 2);
    s.equal("writev went to the end", s.read_file("file"), "0123abcde12");
}

POSIX_CASE("pwrite with O_APPEND appends, as Linux says") {
    s.write_file("file", "0123");
    const int fd = ::open(s.path("file").c_str(), O_RDWR | O_APPEND);
    s.equal("pwrite at zero", ::pwrite(fd, "ab", 2, 0), 2);
    s.equal("pwrite went to the end", s.read_file("file"), "0123ab");
    s.equal("pwrite left the offset", ::lseek(fd, 0, SEEK_CUR), 0);
    s.equal("pwrite beyond the end", ::pwrite(fd, "c", 1, 1000), 1);
    s.equal("pwrite beyond the end left no gap", s.read_file("file"), "0123abc");
    s.fails("pwrite at -1", EINVAL, ::pwrite(fd, "z", 1, -1));
    char letter = 'd';
    const iovec list{&letter, 1};
    s.equal("pwritev at one", ::pwritev(fd, &list, 1, 1), 1);
    s.equal("pwritev went to the end", s.read_file("file"), "0123abcd");
}

POSIX_CASE("O_APPEND follows what others do to the size") {
    const int one = ::open(s.path("file").c_str(), O_RDWR | O_APPEND | O_CREAT, 0644);
    const int two = ::open(s.path("file").c_str(), O_WRONLY | O_APPEND);
    const int plain = ::open(s.path("file").c_str(), O_WRONLY);
    s.equal("write by the first", ::write(one, "1", 1), 1);
    s.equal("write by the second", ::write(two, "2", 1), 1);
    s.equal("write by the first again", ::write(one, "3", 1), 1);
    s.equal("each went to the end", s.read_file("file"), "123");
    s.equal("the offset of the second is where it wrote", ::lseek(two, 0, SEEK_CUR), 2);
    s.equal("write without O_APPEND", ::write(plain, "x", 1), 1);
    s.equal("it went to its own offset", s.read_file("file"), "x23");
    s.passes("ftruncate to one", ::ftruncate(one, 1));
    s.equal("write after ftruncate", ::write(two, "4", 1), 1);
    s.equal("it went to the new end", s.read_file("file"), "x4");
    s.passes("ftruncate to four", ::ftruncate(plain, 4));
    s.equal("write after a longer ftruncate", ::write(one, "5", 1), 1);
    s.equal("it went behind the zeros", s.read_file("file"), std::string("x4\0\0005", 5));
    s.equal("write by a child", in_child([&] { return ::write(two, "6", 1); }), 1);
    s.equal("write after the child", ::write(one, "7", 1), 1);
    s.equal("both are there", s.read_file("file").substr(4), "567");
    s.holds("open with O_TRUNC", ::open(s.path("file").c_str(), O_WRONLY | O_TRUNC) >= 0);
    s.equal("write after O_TRUNC", ::write(one, "8", 1), 1);
    s.equal("it is the first byte", s.read_file("file"), "8");
}

POSIX_CASE("fcntl sets and clears O_APPEND") {
    const int fd = s.make_file("file", "0123");
    s.need(::lseek(fd, 0, SEEK_SET) == 0, "lseek");
    s.equal("F_GETFL has no O_APPEND", ::fcntl(fd, F_GETFL) & O_APPEND, 0);
    s.passes("F_SETFL with O_APPEND", ::fcntl(fd, F_SETFL, O_APPEND));
    s.equal("F_GETFL has it now", ::fcntl(fd, F_GETFL) & O_APPEND, O_APPEND);
    s.equal("write", ::write(fd, "a", 1), 1);
    s.equal("write went to the end", s.read_file("file"), "0123a");
    s.passes("F_SETFL without it", ::fcntl(fd, F_SETFL, 0));
    s.need(::lseek(fd, 0, SEEK_SET) == 0, "lseek");
    s.equal("write after that", ::write(fd, "b", 1), 1);
    s.equal("write went to the offset", s.read_file("file"), "b123a");
    const int copy = ::dup(fd);
    s.passes("F_SETFL through a duplicate", ::fcntl(copy, F_SETFL, O_APPEND));
    s.equal("write to the first descriptor", ::write(fd, "c", 1), 1);
    s.equal("it appended", s.read_file("file"), "b123ac");
}

POSIX_CASE("several processes append and no line is lost") {
    constexpr int kProcesses = 4, kLines = 200;
    s.write_file("log");
    std::vector<std::unique_ptr<Companion>> all;
    for (int p = 0; p < kProcesses; ++p) {
        all.push_back(std::make_unique<Companion>([&, p](Companion& parent) {
            const int fd = ::open(s.path("log").c_str(), O_WRONLY | O_APPEND);
            s.need(fd >= 0, "open");
            static_cast<void>(parent.hear());
            for (int i = 0; i < kLines; ++i) {
                const std::string line = std::to_string(p) + ":" + std::to_string(i) + "\n";
                s.equal("each write is whole", ::write(fd, line.data(), line.size()), line.size());
            }
        }));
    }
    for (const auto& each : all) each->say();
    for (const auto& each : all) s.equal("each process ends", each->join(), 0);
    std::map<std::string, int> seen;
    const std::string log = s.read_file("log");
    std::size_t begin = 0, out_of_order = 0;
    std::vector<int> next(kProcesses, 0);
    for (std::size_t end = log.find('\n'); end != std::string::npos; begin = end + 1, end = log.find('\n', begin)) {
        const std::string line = log.substr(begin, end - begin);
        ++seen[line];
        const std::size_t who = static_cast<std::size_t>(line[0] - '0');
        if (who >= next.size() || line != std::to_string(who) + ":" + std::to_string(next[who]++)) ++out_of_order;
    }
    s.equal("each line is there", seen.size(), kProcesses * kLines);
    s.equal("the lines of each process are in order", out_of_order, 0);
    s.equal("the file ends with a line", begin, log.size());
}
