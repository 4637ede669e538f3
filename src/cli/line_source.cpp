// SPDX-License-Identifier: BSD-2-Clause
#include "line_source.hpp"

#include "interrupt.hpp"

#include <cerrno>
#include <cstdlib>

namespace vfsproto::cli {

void LineSource::Close::operator()(std::FILE* stream) const noexcept {
    if (stream != stdin) std::fclose(stream);
}

void LineSource::Free::operator()(char* line) const noexcept {
    std::free(line); // getline(3) allocates it
}

LineSource::LineSource(const std::string& path) : name_(path == "-" ? "standard input" : path) {
    const LocalCall may_wait; // to open a FIFO
    stream_.reset(path == "-" ? stdin : std::fopen(path.c_str(), "re"));
    if (stream_ == nullptr) error_ = errno;
}

std::optional<std::string_view> LineSource::next() {
    const LocalCall may_wait;
    char* line = line_.release();
    errno = 0;
    const ssize_t length = ::getline(&line, &room_, stream_.get());
    const int error = errno;
    line_.reset(line);
    if (length < 0 || std::ferror(stream_.get()) != 0 || interrupted()) {
        if (std::feof(stream_.get()) == 0 && !interrupted()) error_ = error != 0 ? error : EIO;
        return std::nullopt;
    }
    ++number_;
    std::string_view text(line, static_cast<std::size_t>(length));
    if (text.ends_with('\n')) text.remove_suffix(1);
    return text;
}

} // namespace vfsproto::cli
