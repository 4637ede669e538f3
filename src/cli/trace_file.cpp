// SPDX-License-Identifier: BSD-2-Clause
#include "trace_file.hpp"

#include "interrupt.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace vfsproto::cli {
namespace {

// A pipe that is ready takes so many bytes without waiting (POSIX: PIPE_BUF).
constexpr std::size_t kPipePiece = 4096;

backends::FileDescriptor open_file(const std::string& path) {
    if (path == "-") return {};
    const LocalCall call; // a FIFO waits for its reader
    backends::FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!file) throw std::system_error(errno, std::generic_category(), path);
    return file;
}

} // namespace

TraceFile::TraceFile(const std::string& path) : owned_(open_file(path)), fd_(owned_ ? owned_.get() : STDERR_FILENO) {}

void TraceFile::fail(int error) noexcept {
    if (error_ == 0) error_ = error;
    text_.clear();
}

bool TraceFile::has_room(int wait) const noexcept {
    pollfd out{fd_, POLLOUT, 0};
    return ::poll(&out, 1, wait) == 1;
}

// False after a signal: nobody is waited for then.
bool TraceFile::waits() const noexcept { return may_wait_ && !interrupted(); }

bool TraceFile::write_piece(std::size_t most) {
    const ssize_t count = ::write(fd_, text_.data(), std::min(text_.size(), most));
    if (count >= 0) {
        text_.erase(0, static_cast<std::size_t>(count));
        return true;
    }
    if (errno != EINTR && errno != EAGAIN) fail(errno);
    return false;
}

void TraceFile::settle() {
    if (!owned_ || text_.size() >= kWriteAt) flush();
}

void TraceFile::flush() {
    if (error_ != 0) return text_.clear();
    {
        const LocalCall call;
        while (!text_.empty() && waits()) {
            if (has_room(-1)) write_piece(text_.size());
        }
    }
    flush_without_waiting();
    // The rest is lost with the program; the memory stays bounded until then.
    if (text_.size() >= kWriteAt) text_.clear();
}

void TraceFile::flush_without_waiting() {
    while (!text_.empty() && has_room(0) && write_piece(kPipePiece)) {}
}

} // namespace vfsproto::cli
