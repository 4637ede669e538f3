// SPDX-License-Identifier: BSD-2-Clause
#include "progress.hpp"

#include "program.hpp"
#include "readable.hpp"

#include <unistd.h>

namespace vfsproto::cli {
namespace {

constexpr std::chrono::milliseconds kPatience{500}; // what is done by then needs no line
constexpr std::chrono::milliseconds kPeriod{100};

void put(std::string_view text) noexcept {
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

} // namespace

Progress::Progress(Program& program)
    : program_(program), visible_(::isatty(STDERR_FILENO) != 0), next_(begin_ + kPatience) {
    if (!visible_) return;
    program_.on_message([this] {
        const std::lock_guard lock(mutex_);
        clear();
    });
}

Progress::~Progress() {
    if (!visible_) return;
    program_.on_message(nullptr);
    clear();
}

void Progress::moved(std::uint64_t bytes) noexcept {
    bytes_ += bytes;
    if (visible_) draw();
}

void Progress::file_done() noexcept {
    ++files_;
    if (visible_) draw();
}

void Progress::draw() noexcept {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    const Clock::time_point now = Clock::now();
    if (!lock || now < next_) return;
    next_ = now + kPeriod;
    const double seconds = std::chrono::duration<double>(now - begin_).count();
    const std::uint64_t bytes = bytes_;
    // The size of a tree becomes known on the way, so the sum grows.
    const std::uint64_t expected = std::max<std::uint64_t>(expected_, bytes);
    const auto rate = static_cast<std::uint64_t>(static_cast<double>(bytes) / seconds);
    constexpr unsigned kWidth = 24;
    const unsigned full =
        expected == 0 ? 0 : static_cast<unsigned>(static_cast<double>(bytes) / static_cast<double>(expected) * kWidth);
    put(fmt::format("\r\x1b[K[{:#<{}}{:.<{}}] {} of {}, {}/s, {} files", "", full, "", kWidth - full,
                    readable_size(bytes), readable_size(expected), readable_size(rate), files_.load()));
    drawn_ = true;
}

void Progress::clear() noexcept {
    if (drawn_) put("\r\x1b[K");
    drawn_ = false;
}

} // namespace vfsproto::cli
