// SPDX-License-Identifier: BSD-2-Clause
#include "output.hpp"

#include "escape.hpp"
#include "interrupt.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <cerrno>
#include <iterator>

namespace vfsproto::cli {
namespace {

void write_all(const char* data, std::size_t size) {
    while (size != 0) {
        const LocalCall may_wait;
        const ssize_t count = ::write(STDOUT_FILENO, data, size);
        if (count < 0) {
            if (errno == EINTR && !interrupted()) continue;
            throw OutputFailed{errno};
        }
        data += count;
        size -= static_cast<std::size_t>(count);
        // A signal cuts a write to a slow reader short. Without this the rest would still be written, piece by piece.
        if (size != 0 && interrupted()) throw OutputFailed{EINTR};
    }
}

} // namespace

Output::Output() : terminal_(::isatty(STDOUT_FILENO) != 0) {}

void Output::print_formatted(fmt::string_view format, fmt::format_args args) {
    fmt::vformat_to(std::back_inserter(text_), format, args);
    if (text_.size() >= kWriteAt) flush();
}

void Output::write(std::string_view text) {
    text_ += text;
    if (text_.size() >= kWriteAt) flush();
}

void Output::write(std::span<const std::byte> bytes) {
    flush();
    write_all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void Output::flush() {
    const std::string text = std::move(text_);
    text_.clear(); // gone, whether it can be written or not
    write_all(text.data(), text.size());
}

std::string Output::name(std::string_view bytes) const { return terminal_ ? printable(bytes) : std::string(bytes); }

} // namespace vfsproto::cli
