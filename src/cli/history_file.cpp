// SPDX-License-Identifier: BSD-2-Clause
#include "history_file.hpp"

#include "local_target.hpp"

#include "vfsproto/backends/file_descriptor.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace vfsproto::cli {
namespace {

std::string default_path() {
    const char* const state = std::getenv("XDG_STATE_HOME");
    const char* const home = std::getenv("HOME");
    std::filesystem::path directory;
    if (state != nullptr && state[0] == '/') {
        directory = state;
    } else if (home != nullptr && home[0] == '/') {
        directory = std::filesystem::path(home) / ".local/state";
    } else {
        return {};
    }
    directory /= "vfsproto";
    std::error_code failed;
    std::filesystem::create_directories(directory, failed);
    return failed ? std::string() : (directory / "history").string();
}

// Appends in one write, so that lines of two shells do not mix. True if all of it was written.
bool append_to(const std::string& path, int flags, std::string_view text) {
    const backends::FileDescriptor file(
        ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags, 0600));
    return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

} // namespace

HistoryFile::HistoryFile() : path_(default_path()) {}

std::vector<std::string> HistoryFile::load() const {
    std::vector<std::string> lines;
    if (path_.empty()) return lines;
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    const bool is_long = lines.size() > 2 * kMostLines;
    if (lines.size() > kMostLines) lines.erase(lines.begin(), lines.end() - kMostLines);
    if (is_long) cut_to(lines);
    return lines;
}

void HistoryFile::cut_to(const std::vector<std::string>& lines) const {
    std::string text;
    for (const std::string& line : lines) text.append(line).push_back('\n');
    const std::string temporary = path_ + temporary_name();
    const bool written = append_to(temporary, O_EXCL, text);
    if (!written || std::rename(temporary.c_str(), path_.c_str()) != 0) ::unlink(temporary.c_str());
}

void HistoryFile::append(std::string_view line) const {
    if (!path_.empty()) append_to(path_, 0, std::string(line) + '\n');
}

} // namespace vfsproto::cli
