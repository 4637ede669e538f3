// SPDX-License-Identifier: BSD-2-Clause
#include "integration/cli/tree.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace vfsproto::test {

namespace fs = std::filesystem;

namespace {

void must(int result) {
    if (result != 0) throw std::runtime_error("the tree cannot be made");
}

void write_file(const fs::path& path, std::size_t size, std::uint32_t seed) {
    std::string text(size, '\0');
    for (char& byte : text) byte = static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
    std::ofstream(path, std::ios::binary) << text;
}

void set_times(const fs::path& path, long seed) {
    const timespec times[2] = {{1'100'000'000 + seed, (seed * 7919) % 1'000'000'000},
                               {1'200'000'000 - seed, (seed * 104'729) % 1'000'000'000}};
    must(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW));
}

// One hash over the data; holes count by their length alone, and so do not depend on how they came to be.
std::uint64_t hash_contents(const fs::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return 0;
    std::uint64_t hash = 14695981039346656037u;
    std::vector<char> buffer(1 << 16);
    const auto add = [&hash](std::uint64_t value) { hash = (hash ^ value) * 1099511628211u; };
    for (off_t at = 0;;) {
        const off_t data = ::lseek(fd, at, SEEK_DATA);
        if (data < 0) break;
        const ssize_t count = ::pread(fd, buffer.data(), buffer.size(), data);
        if (count <= 0) break;
        for (ssize_t i = 0; i < count; ++i) {
            if (buffer[static_cast<std::size_t>(i)] == 0) continue; // a block of zeros may be a hole or not
            add(static_cast<std::uint64_t>(data + i));
            add(static_cast<unsigned char>(buffer[static_cast<std::size_t>(i)]));
        }
        at = data + count;
    }
    ::close(fd);
    return hash;
}

} // namespace

void make_tree(const fs::path& top, int files) {
    const bool root = ::geteuid() == 0;
    std::vector<fs::path> directories{top};
    fs::create_directory(top);
    for (int i = 0; i < files / 40 + 3; ++i) {
        directories.push_back(directories[static_cast<std::size_t>(i) / 2] / ("dir-" + std::to_string(i)));
        fs::create_directory(directories.back());
    }
    constexpr std::size_t kSizes[] = {0, 1, 100, 4096, 5000, 20'000};
    std::vector<fs::path> made;
    for (int i = 0; i < files; ++i) {
        const auto n = static_cast<std::size_t>(i);
        made.push_back(directories[n % directories.size()] / ("file-" + std::to_string(i)));
        write_file(made.back(), i == 7 ? 3'000'001 : kSizes[n % std::size(kSizes)], static_cast<std::uint32_t>(i));
        if (root && i % 11 == 0) must(::chown(made.back().c_str(), static_cast<uid_t>(1000 + n), 2000));
        constexpr mode_t kModes[] = {0644, 0600, 0755, 0440, 04755, 02711};
        must(::chmod(made.back().c_str(), kModes[n / 2 % std::size(kModes)]));
        set_times(made.back(), i);
    }
    fs::create_hard_link(made[1], directories.back() / "second name");
    fs::create_hard_link(made[1], top / "third name");
    fs::create_symlink("no/where", top / "dangling");
    fs::create_directory_symlink("../dir-1", directories[1] / "link");
    set_times(directories[1] / "link", 77);
    if (root) must(::lchown((top / "dangling").c_str(), 5, 6));
    must(::mkfifo((top / "fifo").c_str(), 0600));
    must(::chmod((top / "fifo").c_str(), 0622));
    std::ofstream(top / "holes", std::ios::binary).seekp(8 << 20) << "in the middle";
    fs::resize_file(top / "holes", 20 << 20);
    fs::create_directory(top / "empty");
    must(::chmod((top / "empty").c_str(), 01777));
    must(::chmod(directories[1].c_str(), root ? 0555 : 0755));
    long seed = 100'000;
    for (auto at = directories.rbegin(); at != directories.rend(); ++at) set_times(*at, seed++);
}

std::string describe(const fs::path& path) {
    struct stat info{};
    if (::lstat(path.c_str(), &info) != 0) return "missing";
    std::ostringstream text;
    text << std::oct << info.st_mode << std::dec << " mtime " << info.st_mtim.tv_sec << '.' << info.st_mtim.tv_nsec;
    if (::geteuid() == 0) text << " owner " << info.st_uid << ':' << info.st_gid;
    if (S_ISREG(info.st_mode)) {
        text << " size " << info.st_size << " hash " << std::hex << hash_contents(path) << std::dec;
        if (info.st_blocks * 512 + 4096 < info.st_size) text << " with holes";
    }
    if (S_ISLNK(info.st_mode)) text << " to " << fs::read_symlink(path);
    return text.str();
}

std::map<std::string, std::string> describe_tree(const fs::path& top) {
    std::map<std::string, std::string> all;
    std::map<ino_t, std::vector<std::string>> names;
    all["."] = describe(top);
    for (const auto& entry : fs::recursive_directory_iterator(top)) {
        const std::string name = entry.path().lexically_relative(top).string();
        struct stat info{};
        must(::lstat(entry.path().c_str(), &info));
        all[name] = describe(entry.path());
        if (info.st_nlink > 1 && !S_ISDIR(info.st_mode)) names[info.st_ino].push_back(name);
    }
    for (auto& [ino, same] : names) {
        std::sort(same.begin(), same.end());
        for (const std::string& name : same) {
            for (const std::string& other : same) all[name] += " = " + other;
        }
    }
    return all;
}

std::string difference(const std::map<std::string, std::string>& expected,
                       const std::map<std::string, std::string>& found) {
    std::string text;
    int left = 5;
    const auto say = [&](const std::string& name, const std::string& a, const std::string& b) {
        if (left-- > 0) text += name + ": expected " + a + ", found " + b + "\n";
    };
    for (const auto& [name, line] : expected) {
        const auto at = found.find(name);
        if (at == found.end())
            say(name, line, "nothing");
        else if (at->second != line)
            say(name, line, at->second);
    }
    for (const auto& [name, line] : found) {
        if (!expected.contains(name)) say(name, "nothing", line);
    }
    return text;
}

bool same_contents(const fs::path& a, const fs::path& b) {
    return fs::file_size(a) == fs::file_size(b) && hash_contents(a) == hash_contents(b);
}

} // namespace vfsproto::test
