// SPDX-License-Identifier: BSD-2-Clause
#include "suite.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <unistd.h>

namespace posix_suite {

namespace {

std::vector<const Case*>& registered() {
    static std::vector<const Case*> all;
    return all;
}

std::string error_text(int error) {
    const char* const name = ::strerrorname_np(error);
    return name != nullptr ? name : std::to_string(error);
}

std::string errors_text(std::initializer_list<int> errors) {
    std::string all;
    for (const int error : errors) all += (all.empty() ? "" : " or ") + error_text(error);
    return all;
}

// A line of results is: passed or failed, the place, what was asserted, what came instead; fields end with a tab.
void write_line(int to, const std::string& line) {
    std::string_view rest = line;
    while (!rest.empty()) {
        const ssize_t wrote = ::write(to, rest.data(), rest.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) std::abort();
        rest.remove_prefix(static_cast<std::size_t>(wrote));
    }
}

std::string one_line(std::string text) {
    for (char& each : text) {
        if (static_cast<unsigned char>(each) < ' ') each = '?';
    }
    return text;
}

} // namespace

Case::Case(const char* its_name, void (*its_run)(Suite&)) : name(its_name), run(its_run) {
    registered().push_back(this);
}

const std::vector<const Case*>& cases() { return registered(); }

bool Suite::tell(std::string_view what, bool is_so, const std::string& why, Place at) {
    const char* const file = std::strrchr(at.file, '/');
    std::string place = file != nullptr ? file + 1 : at.file;
    place += ':' + std::to_string(at.line);
    write_line(results_, std::string(is_so ? "passed" : "failed") + '\t' + place + '\t' + one_line(std::string(what)) +
                             '\t' + (is_so ? std::string() : one_line(why)) + '\n');
    return is_so;
}

bool Suite::passes(std::string_view what, long result, Place at) {
    const int error = errno;
    return tell(what, result != -1, "got " + error_text(error), at);
}

bool Suite::fails(std::string_view what, int error, long result, Place at) { return fails(what, {error}, result, at); }

bool Suite::fails(std::string_view what, std::initializer_list<int> errors, long result, Place at) {
    const int error = errno;
    const bool is_so = result == -1 && std::find(errors.begin(), errors.end(), error) != errors.end();
    const std::string got = result == -1 ? error_text(error) : "success (" + std::to_string(result) + ")";
    return tell(what, is_so, "got " + got + ", wanted " + errors_text(errors), at);
}

bool Suite::holds(std::string_view what, bool is_so, Place at) { return tell(what, is_so, "is not so", at); }

void Suite::skip(std::string_view reason) {
    write_line(results_, "skipped\t\t" + one_line(std::string(reason)) + "\t\n");
}

void Suite::need(bool is_so, std::string_view what, Place at) {
    if (is_so) return;
    const int error = errno;
    std::fprintf(stderr, "posix_suite: %s:%u: could not prepare: %.*s (%s)\n", at.file, at.line,
                 static_cast<int>(what.size()), what.data(), error_text(error).c_str());
    std::_Exit(3);
}

int Suite::make_file(std::string_view name, std::string_view content, mode_t mode) const {
    const int fd = ::open(path(name).c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    need(fd >= 0, name);
    need(::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()), name);
    return fd;
}

void Suite::write_file(std::string_view name, std::string_view content, mode_t mode) const {
    need(::close(make_file(name, content, mode)) == 0, name);
}

void Suite::make_directory(std::string_view name, mode_t mode) const {
    need(::mkdir(path(name).c_str(), mode) == 0, name);
}

std::string Suite::read_file(std::string_view name) const {
    const int fd = ::open(path(name).c_str(), O_RDONLY | O_CLOEXEC);
    need(fd >= 0, name);
    std::string all;
    char piece[65536];
    for (;;) {
        const ssize_t got = ::read(fd, piece, sizeof piece);
        need(got >= 0, name);
        if (got == 0) break;
        all.append(piece, static_cast<std::size_t>(got));
    }
    ::close(fd);
    return all;
}

struct stat Suite::status(std::string_view name) const {
    struct stat found{};
    need(::lstat(path(name).c_str(), &found) == 0, name);
    return found;
}

std::vector<std::string> Suite::names(std::string_view name) const {
    DIR* const directory = ::opendir(path(name).c_str());
    need(directory != nullptr, name);
    std::vector<std::string> all;
    while (const dirent* entry = ::readdir(directory)) {
        const std::string found = entry->d_name;
        if (found != "." && found != "..") all.push_back(found);
    }
    ::closedir(directory);
    std::sort(all.begin(), all.end());
    return all;
}

bool Suite::is_root() { return ::geteuid() == 0; }

As::As(uid_t user, gid_t group, std::vector<gid_t> groups) {
    Suite::need(::setgroups(groups.size(), groups.data()) == 0, "setgroups");
    Suite::need(::setegid(group) == 0, "setegid");
    Suite::need(::seteuid(user) == 0, "seteuid");
}

As::~As() {
    Suite::need(::seteuid(0) == 0, "seteuid");
    Suite::need(::setegid(0) == 0, "setegid");
    Suite::need(::setgroups(0, nullptr) == 0, "setgroups");
}

} // namespace posix_suite
