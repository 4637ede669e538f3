// SPDX-License-Identifier: BSD-2-Clause
#include "posix_subject.hpp"

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace model {

namespace {

std::string failed() {
    const auto error = static_cast<vfsproto::abi::Errno>(errno);
    return vfsproto::abi::has_name(error) ? vfsproto::abi::errno_name(error) : std::to_string(errno);
}

std::string outcome(int result) { return result == 0 ? "ok" : failed(); }

std::string seen(const struct stat& st) {
    const bool directory = S_ISDIR(st.st_mode);
    return fmt::format("ok {:o} links {} size {} owner {}:{}", st.st_mode, st.st_nlink, directory ? 0 : st.st_size,
                       st.st_uid, st.st_gid);
}

} // namespace

PosixSubject::~PosixSubject() {
    for (const int fd : files_) {
        if (fd >= 0) ::close(fd);
    }
}

std::string PosixSubject::on_names(const Operation& operation) {
    const std::string path = at(operation.path);
    const std::string path2 = at(operation.path2);
    switch (operation.kind) {
    case Kind::mkdir: return outcome(::mkdir(path.c_str(), operation.mode));
    case Kind::rmdir: return outcome(::rmdir(path.c_str()));
    case Kind::unlink: return outcome(::unlink(path.c_str()));
    case Kind::rename:
        return outcome(static_cast<int>(
            ::syscall(SYS_renameat2, AT_FDCWD, path.c_str(), AT_FDCWD, path2.c_str(), operation.flags)));
    case Kind::link: return outcome(::link(path.c_str(), path2.c_str()));
    case Kind::symlink: return outcome(::symlink(operation.path.c_str(), path2.c_str()));
    case Kind::readlink: {
        char target[4096];
        const ssize_t len = ::readlink(path.c_str(), target, sizeof target);
        return len < 0 ? failed() : "ok " + std::string(target, static_cast<std::size_t>(len));
    }
    default: return list(path);
    }
}

std::string PosixSubject::list(const std::string& path) const {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return failed();
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(directory)) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(name + ' ' + std::to_string(entry->d_type));
    }
    ::closedir(directory);
    std::sort(names.begin(), names.end());
    return fmt::format("ok {}", fmt::join(names, ","));
}

std::string PosixSubject::on_attributes(const Operation& operation) {
    const std::string path = at(operation.path);
    struct stat st{};
    switch (operation.kind) {
    case Kind::truncate: return outcome(::truncate(path.c_str(), static_cast<off_t>(operation.offset)));
    case Kind::stat: return ::stat(path.c_str(), &st) == 0 ? seen(st) : failed();
    case Kind::lstat: return ::lstat(path.c_str(), &st) == 0 ? seen(st) : failed();
    case Kind::chmod: return outcome(::chmod(path.c_str(), operation.mode));
    case Kind::set_times: {
        const timespec times[2] = {{static_cast<time_t>(operation.offset), 5},
                                   {static_cast<time_t>(operation.length), 7}};
        if (::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) return failed();
        if (::stat(path.c_str(), &st) != 0) return failed();
        return fmt::format("ok {}.{} {}.{}", st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec,
                           st.st_mtim.tv_nsec);
    }
    case Kind::set_xattr: {
        const std::string value(operation.length % 200, static_cast<char>(operation.fill));
        return outcome(::setxattr(path.c_str(), "user.model", value.data(), value.size(), 0));
    }
    case Kind::get_xattr: {
        char value[256];
        const ssize_t len = ::getxattr(path.c_str(), "user.model", value, sizeof value);
        return len < 0 ? failed() : "ok " + digest(value, static_cast<std::size_t>(len));
    }
    case Kind::remove_xattr: return outcome(::removexattr(path.c_str(), "user.model"));
    default: {
        char names[4096];
        const ssize_t len = ::listxattr(path.c_str(), names, sizeof names);
        return len < 0 ? failed() : "ok " + digest(names, static_cast<std::size_t>(len));
    }
    }
}

std::string PosixSubject::on_open_file(const Operation& operation) {
    int& fd = files_[operation.file];
    if (operation.kind == Kind::open) {
        if (fd >= 0) ::close(fd);
        fd = ::open(at(operation.path).c_str(), static_cast<int>(operation.flags), operation.mode);
        if (fd < 0) return failed();
        // Mount opens directories by a call of their own.
        struct stat opened{};
        if (::fstat(fd, &opened) != 0 || !S_ISDIR(opened.st_mode)) return "ok";
        ::close(std::exchange(fd, -1));
        return "EISDIR";
    }
    if (fd < 0) return "not open";
    struct stat st{};
    switch (operation.kind) {
    case Kind::close: return outcome(::close(std::exchange(fd, -1)));
    case Kind::read: {
        std::vector<char> data(operation.length);
        const ssize_t len = ::pread(fd, data.data(), data.size(), static_cast<off_t>(operation.offset));
        return len < 0 ? failed() : "ok " + digest(data.data(), static_cast<std::size_t>(len));
    }
    case Kind::write: {
        const std::vector<char> data(operation.length, static_cast<char>(operation.fill));
        const ssize_t len = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(operation.offset));
        return len < 0 ? failed() : "ok " + std::to_string(len);
    }
    case Kind::truncate_open: return outcome(::ftruncate(fd, static_cast<off_t>(operation.offset)));
    case Kind::stat_open: return ::fstat(fd, &st) == 0 ? seen(st) : failed();
    case Kind::punch:
        return outcome(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(operation.offset),
                                   static_cast<off_t>(operation.length)));
    case Kind::seek_data:
    case Kind::seek_hole: {
        const off_t found = ::lseek(fd, static_cast<off_t>(operation.offset),
                                    operation.kind == Kind::seek_data ? SEEK_DATA : SEEK_HOLE);
        return found < 0 ? failed() : "ok " + std::to_string(found);
    }
    default: {
        const int to = files_[operation.file2];
        if (to < 0) return "not open";
        off_t from_offset = static_cast<off_t>(operation.offset);
        off_t to_offset = static_cast<off_t>(operation.length);
        const ssize_t len = ::copy_file_range(fd, &from_offset, to, &to_offset, 5000, 0);
        return len < 0 ? failed() : "ok " + std::to_string(len);
    }
    }
}

void PosixSubject::add_tree(const std::string& path, std::string& out) const {
    std::string listed = list(at(path));
    if (listed.size() <= 3) return;
    listed.erase(0, 3);
    for (std::size_t from = 0; from <= listed.size();) {
        std::size_t end = listed.find(',', from);
        if (end == std::string::npos) end = listed.size();
        const std::string name = listed.substr(from, listed.find(' ', from) - from);
        from = end + 1;
        const std::string child = path + '/' + name;
        struct stat st{};
        if (::lstat(at(child).c_str(), &st) != 0) {
            out += child + " " + failed() + '\n';
            continue;
        }
        out += child + ' ' + seen(st);
        if (S_ISREG(st.st_mode)) {
            const int fd = ::open(at(child).c_str(), O_RDONLY);
            std::vector<char> data(static_cast<std::size_t>(st.st_size));
            const ssize_t len = ::read(fd, data.data(), data.size());
            ::close(fd);
            out += ' ' + digest(data.data(), static_cast<std::size_t>(len));
        }
        if (S_ISLNK(st.st_mode)) {
            Operation read;
            read.kind = Kind::readlink;
            read.path = child;
            out += ' ' + const_cast<PosixSubject*>(this)->on_names(read);
        }
        out += '\n';
        if (S_ISDIR(st.st_mode)) add_tree(child, out);
    }
}

std::string PosixSubject::whole_tree() {
    std::string out;
    add_tree("", out);
    return out;
}

} // namespace model
