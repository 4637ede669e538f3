// SPDX-License-Identifier: BSD-2-Clause
#include "own_tree.hpp"

#include "check.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <iterator>
#include <set>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace hammer {

namespace {

// A descriptor that is closed with it; the close has to succeed.
class Open {
public:
    Open(const std::string& path, int flags) : path_(path), fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {
        succeed(fd_ >= 0, "open " + path_);
    }
    ~Open() { succeed(::close(fd_) == 0, "close " + path_); }
    Open(const Open&) = delete;
    Open& operator=(const Open&) = delete;
    [[nodiscard]] int fd() const noexcept { return fd_; }

private:
    const std::string path_;
    const int fd_;
};

std::vector<char> read_all(int fd, const std::string& what) {
    std::vector<char> all;
    char piece[32 << 10];
    for (;;) {
        const ssize_t got = ::pread(fd, piece, sizeof piece, static_cast<off_t>(all.size()));
        succeed(got >= 0, "read " + what);
        if (got == 0) return all;
        all.insert(all.end(), piece, piece + got);
    }
}

} // namespace

OwnTree::OwnTree(std::string path, std::uint64_t seed) : path_(std::move(path)), random_(seed) {
    succeed(::mkdir(path_.c_str(), 0700) == 0, "mkdir " + path_);
}

OwnTree::Names::iterator OwnTree::some_file() {
    if (names_.empty()) return names_.end();
    return std::next(names_.begin(), static_cast<std::ptrdiff_t>(random_.below(names_.size())));
}

OwnTree::Content OwnTree::some_bytes() {
    Content bytes(1 + random_.below(kMostBytes));
    std::uint64_t word = random_.next();
    for (std::size_t at = 0; at < bytes.size(); ++at) bytes[at] = static_cast<char>((word >> (at % 8 * 8)) + at / 512);
    return bytes;
}

void OwnTree::put_in(File& file, std::size_t at, const Content& bytes) const {
    if (file.content.size() < at + bytes.size()) file.content.resize(at + bytes.size());
    std::copy(bytes.begin(), bytes.end(), file.content.begin() + static_cast<std::ptrdiff_t>(at));
}

void OwnTree::drop(const std::string& name) {
    const auto at = names_.find(name);
    if (at == names_.end()) return;
    --at->second->links;
    names_.erase(at);
}

void OwnTree::step() {
    using Step = void (OwnTree::*)();
    static constexpr Step kSteps[] = {&OwnTree::create,        &OwnTree::write_within, &OwnTree::append,
                                      &OwnTree::cut,           &OwnTree::write_mapped, &OwnTree::rename,
                                      &OwnTree::link,          &OwnTree::unlink,       &OwnTree::compare_one,
                                      &OwnTree::compare_names, &OwnTree::use_removed};
    (this->*kSteps[random_.below(std::size(kSteps))])();
}

void OwnTree::create() {
    const std::string name = some_name();
    const Content bytes = some_bytes();
    const bool is_new = !names_.contains(name);
    const Open file(path_of(name), O_RDWR | O_CREAT | (is_new ? O_EXCL : O_TRUNC));
    succeed(::write(file.fd(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "write " + name);
    if (is_new) {
        names_[name] = std::make_shared<File>(File{bytes, 1});
    } else {
        names_[name]->content = bytes;
    }
}

void OwnTree::write_within() {
    const auto at = some_file();
    if (at == names_.end()) return;
    const Content bytes = some_bytes();
    const std::size_t offset = random_.below(kLongest - bytes.size());
    const Open file(path_of(at->first), O_WRONLY);
    const ssize_t wrote = ::pwrite(file.fd(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    succeed(wrote == static_cast<ssize_t>(bytes.size()), "pwrite " + at->first);
    put_in(*at->second, offset, bytes);
}

void OwnTree::append() {
    const auto at = some_file();
    if (at == names_.end() || at->second->content.size() > kLongest) return;
    const Content bytes = some_bytes();
    const Open file(path_of(at->first), O_WRONLY | O_APPEND);
    succeed(::write(file.fd(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
            "append " + at->first);
    put_in(*at->second, at->second->content.size(), bytes);
}

void OwnTree::cut() {
    const auto at = some_file();
    if (at == names_.end()) return;
    const std::size_t size = random_.below(kLongest);
    succeed(::truncate(path_of(at->first).c_str(), static_cast<off_t>(size)) == 0, "truncate " + at->first);
    at->second->content.resize(size);
}

void OwnTree::write_mapped() {
    const auto at = some_file();
    if (at == names_.end() || at->second->content.empty()) return;
    const std::size_t size = at->second->content.size();
    const Open file(path_of(at->first), O_RDWR);
    void* const map = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd(), 0);
    succeed(map != MAP_FAILED, "mmap " + at->first);
    require(std::memcmp(map, at->second->content.data(), size) == 0,
            at->first + " shows its content when it is mapped");
    Content bytes = some_bytes();
    bytes.resize(std::min(bytes.size(), size));
    const std::size_t offset = random_.below(size - bytes.size() + 1);
    std::memcpy(static_cast<char*>(map) + offset, bytes.data(), bytes.size());
    succeed(::msync(map, size, MS_SYNC) == 0, "msync " + at->first);
    succeed(::munmap(map, size) == 0, "munmap " + at->first);
    put_in(*at->second, offset, bytes);
}

void OwnTree::rename() {
    const auto at = some_file();
    if (at == names_.end()) return;
    const std::string from = at->first;
    const std::string to = some_name();
    succeed(::rename(path_of(from).c_str(), path_of(to).c_str()) == 0, "rename " + from);
    const std::shared_ptr<File> file = at->second;
    const auto target = names_.find(to);
    if (target != names_.end() && target->second == file) return; // two names of one file: rename does nothing
    drop(to);
    names_.erase(from);
    names_[to] = file;
}

void OwnTree::link() {
    const auto at = some_file();
    if (at == names_.end()) return;
    const std::string to = some_name();
    const bool is_there = names_.contains(to);
    const int result = ::link(path_of(at->first).c_str(), path_of(to).c_str());
    require(is_there ? result == -1 && errno == EEXIST : result == 0, "link " + at->first + " to " + to);
    if (is_there) return;
    ++at->second->links;
    names_[to] = at->second;
}

void OwnTree::unlink() {
    const std::string name = some_name();
    const bool is_there = names_.contains(name);
    const int result = ::unlink(path_of(name).c_str());
    require(is_there ? result == 0 : result == -1 && errno == ENOENT, "unlink " + name);
    drop(name);
}

// A file that is open goes on when its name is gone.
void OwnTree::use_removed() {
    const auto at = some_file();
    if (at == names_.end()) return;
    const std::shared_ptr<File> file = at->second;
    const Open open(path_of(at->first), O_RDWR);
    succeed(::unlink(path_of(at->first).c_str()) == 0, "unlink " + at->first);
    const std::string name = at->first;
    drop(name);
    const Content bytes = some_bytes();
    succeed(::pwrite(open.fd(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
            "pwrite of a removed file");
    put_in(*file, 0, bytes);
    require(read_all(open.fd(), name) == file->content, name + " keeps its content when it is removed");
}

void OwnTree::compare(const std::string& name, const File& file) const {
    const Open open(path_of(name), O_RDONLY);
    struct stat status{};
    succeed(::fstat(open.fd(), &status) == 0, "fstat " + name);
    require(status.st_size == static_cast<off_t>(file.content.size()), name + " has the size of its content");
    require(status.st_nlink == file.links, name + " has as many links as names");
    require(read_all(open.fd(), name) == file.content, name + " has its content");
}

void OwnTree::compare_one() {
    const auto at = some_file();
    if (at != names_.end()) compare(at->first, *at->second);
}

void OwnTree::compare_names() {
    DIR* const directory = ::opendir(path_.c_str());
    succeed(directory != nullptr, "opendir " + path_);
    std::set<std::string> found;
    while (const dirent* entry = ::readdir(directory)) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") require(found.insert(name).second, name + " is listed once");
    }
    ::closedir(directory);
    std::set<std::string> known;
    for (const auto& [name, file] : names_) known.insert(name);
    require(found == known, path_ + " lists its names");
}

void OwnTree::check_all() {
    compare_names();
    for (const auto& [name, file] : names_) compare(name, *file);
}

} // namespace hammer
