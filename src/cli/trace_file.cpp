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
    backends::FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC, 0666));
    // A terminal, or a pipe that others write to as well, may take less than poll() promised.
    if (!file || ::fcntl(file.get(), F_SETFL, O_NONBLOCK) != 0) {
        throw std::system_error(errno, std::generic_category(), path);
    }
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

// True if the text may wait for its reader. After a signal it waits for nobody.
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
            // A terminal may have room and still take nothing: it needs more for a newline.
            if (has_room(-1) && !write_piece(text_.size())) ::poll(nullptr, 0, 1); // ms
        }
    }
    flush_without_waiting();
    // The rest is lost, and the memory stays bounded. A trace that went on behind it would join halves of two lines.
    if (text_.size() >= kWriteAt) fail(EINTR);
}

void TraceFile::flush_without_waiting() {
    while (!text_.empty() && has_room(0) && write_piece(kPipePiece)) {}
}

} // namespace vfsproto::cli
