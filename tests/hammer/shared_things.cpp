// SPDX-License-Identifier: BSD-2-Clause
#include "shared_things.hpp"

#include "check.hpp"

#include <cstdio>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace hammer {

namespace {

constexpr const char* kRecordNumber = "number-fcntl";
constexpr const char* kFlockNumber = "number-flock";
constexpr const char* kToken = "token";
constexpr const char* kVersions = "versions";
constexpr std::size_t kWords = 1500; // of a version: neither one page nor a whole number of them

int open_file(const std::string& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
    succeed(fd >= 0, "open " + path);
    return fd;
}

void write_words(const std::string& path, std::uint64_t word, std::size_t count) {
    const int fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
    const std::vector<std::uint64_t> words(count, word);
    const auto bytes = static_cast<ssize_t>(count * sizeof(std::uint64_t));
    succeed(::write(fd, words.data(), static_cast<std::size_t>(bytes)) == bytes, "write " + path);
    succeed(::close(fd) == 0, "close " + path);
}

std::uint64_t read_number(int fd, const std::string& path) {
    std::uint64_t number = 0;
    succeed(::pread(fd, &number, sizeof number, 0) == sizeof number, "read " + path);
    return number;
}

void lock_record(int fd, short type, const std::string& path) {
    struct flock lock{};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    int result = 0;
    do result = ::fcntl(fd, F_SETLKW, &lock);
    while (result == -1 && errno == EINTR);
    succeed(result == 0, "lock " + path);
}

} // namespace

void SharedThings::make(const std::string& directory) {
    succeed(::mkdir(directory.c_str(), 0700) == 0, "mkdir " + directory);
    write_words(directory + "/" + kRecordNumber, 0, 1);
    write_words(directory + "/" + kFlockNumber, 0, 1);
    write_words(directory + "/" + kToken, 0, 1);
    write_words(directory + "/" + kVersions, 0, kWords);
}

void SharedThings::step() {
    switch (random_.below(4)) {
    case 0: return count(By::record_lock);
    case 1: return count(By::flock);
    case 2: return pass_token();
    default: return read_version();
    }
}

// A lock that is granted brings what was written before it was given up (a number under a lock loses no step).
void SharedThings::count(By by) {
    const std::string path = path_of(by == By::flock ? kFlockNumber : kRecordNumber);
    const int fd = open_file(path, O_RDWR);
    if (by == By::flock) {
        succeed(::flock(fd, LOCK_EX) == 0, "flock " + path);
    } else {
        lock_record(fd, F_WRLCK, path);
    }
    const std::uint64_t number = read_number(fd, path) + 1;
    succeed(::pwrite(fd, &number, sizeof number, 0) == sizeof number, "write " + path);
    if (by == By::record_lock) lock_record(fd, F_UNLCK, path);
    succeed(::close(fd) == 0, "close " + path); // ends the flock
    ++counted_;
}

std::uint64_t SharedThings::total(const std::string& directory) {
    std::uint64_t total = 0;
    for (const char* name : {kRecordNumber, kFlockNumber}) {
        const std::string path = directory + "/" + name;
        const int fd = open_file(path, O_RDONLY);
        total += read_number(fd, path);
        ::close(fd);
    }
    return total;
}

// One process wins each rename; whoever has the token finds it, and gives it back.
void SharedThings::pass_token() {
    const std::string mine = path_of("token-" + std::to_string(process_));
    if (has_token_) {
        succeed(::rename(mine.c_str(), path_of(kToken).c_str()) == 0, "giving the token back");
        has_token_ = false;
        return;
    }
    const int result = ::rename(path_of(kToken).c_str(), mine.c_str());
    if (result == -1) return require(errno == ENOENT, "the token is there, or another process has it");
    has_token_ = true;
    succeed(::access(mine.c_str(), F_OK) == 0, "the token that was taken");
}

void SharedThings::publish() {
    const std::string fresh = path_of("fresh-" + std::to_string(process_));
    write_words(fresh, (std::uint64_t{process_} << 48) | ++version_, kWords);
    succeed(::rename(fresh.c_str(), path_of(kVersions).c_str()) == 0, "rename " + fresh);
}

void SharedThings::read_version() {
    if (random_.below(4) == 0) return publish();
    const std::string path = path_of(kVersions);
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    // A name that is kept may lead to a file that was replaced beside this mount, and is gone.
    if (fd == -1) return require(errno == ESTALE || errno == ENOENT, "a version can be opened, or was replaced");
    std::vector<std::uint64_t> words(kWords + 1);
    std::size_t bytes = 0;
    for (;;) {
        auto* const at = reinterpret_cast<char*>(words.data()) + bytes;
        const ssize_t got = ::read(fd, at, words.size() * sizeof(words[0]) - bytes);
        succeed(got >= 0, "read " + path);
        if (got == 0) break;
        bytes += static_cast<std::size_t>(got);
    }
    succeed(::close(fd) == 0, "close " + path);
    require(bytes == kWords * sizeof(words[0]), "a version is whole");
    for (std::size_t i = 1; i < kWords; ++i) require(words[i] == words[0], "a version is of one piece");
}

} // namespace hammer
