// SPDX-License-Identifier: BSD-2-Clause
#include "progress.hpp"

#include "program.hpp"
#include "readable.hpp"

#include <fmt/format.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace vfsproto::cli {
namespace {

constexpr std::chrono::milliseconds kPatience{500}; // what is done by then needs no line
constexpr std::chrono::milliseconds kPeriod{100};

void put(std::string_view text) noexcept {
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

// Returns how wide the terminal is now: it is asked for each line, so that no signal has to tell of a change.
std::size_t columns_of_terminal() noexcept {
    constexpr std::size_t kUsual = 80;
    winsize size{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0 ? size.ws_col : kUsual;
}

// Returns "0:09" or "1:02:03"; nothing where it is not known.
std::string time_left(const Progressed& progress) {
    if (progress.bytes == 0 || progress.expected == 0) return {};
    constexpr double kMost = 359'999; // seconds; what takes longer than 99 hours is not foretold
    const auto left = static_cast<double>(progress.expected - progress.bytes);
    const double seconds = left / static_cast<double>(progress.bytes) * progress.seconds;
    if (!(seconds <= kMost)) return {};
    const auto whole = static_cast<unsigned>(seconds);
    const unsigned minutes = whole / 60 % 60;
    if (whole < 3600) return fmt::format("{}:{:02}", minutes, whole % 60);
    return fmt::format("{}:{:02}:{:02}", whole / 3600, minutes, whole % 60);
}

std::string speed_of(const Progressed& progress) {
    if (progress.seconds <= 0) return {};
    constexpr double kMost = 1e19; // what fits into 64 bits
    const double speed = std::min(static_cast<double>(progress.bytes) / progress.seconds, kMost);
    return readable_size(static_cast<std::uint64_t>(speed)) + "/s";
}

// Returns the bar for so many columns, with a space behind it; nothing where that is too few to tell something.
std::string bar_of(const Progressed& progress, std::size_t columns) {
    constexpr std::size_t kFrame = 3; // brackets and the space
    constexpr std::size_t kLeast = 10;
    constexpr std::size_t kMost = 50;
    if (progress.expected == 0 || columns < kFrame + kLeast) return {};
    const std::size_t width = std::min(columns - kFrame, kMost);
    const double part = static_cast<double>(progress.bytes) / static_cast<double>(progress.expected);
    const auto full = static_cast<std::size_t>(std::min(part, 1.0) * static_cast<double>(width));
    return fmt::format("[{:#<{}}{:.<{}}] ", "", full, "", width - full);
}

} // namespace

std::string progress_line(const Progressed& progress, std::size_t columns) {
    if (columns == 0) return {};
    Progressed known = progress;
    // The size of a tree becomes known on the way. A file may hold more than its size told.
    if (known.expected != 0) known.expected = std::max(known.expected, known.bytes);
    const std::string bytes = readable_size(known.bytes);
    const std::string of = known.expected == 0 ? "" : " of " + readable_size(known.expected);
    const std::string speed = speed_of(known);
    const std::string left = time_left(known);
    const std::string comma_speed = speed.empty() ? "" : ", " + speed;
    const std::string comma_left = left.empty() ? "" : ", " + left + " left";
    const std::string files = fmt::format(", {} file{}", known.files, known.files == 1 ? "" : "s");
    const std::size_t room = columns - 1; // a terminal may begin a new line behind the last column
    for (const std::string& line :
         {bytes + of + comma_speed + comma_left + files, bytes + of + comma_speed + comma_left, bytes + of + comma_left,
          bytes + comma_left, bytes}) {
        if (line.size() <= room) return bar_of(known, room - line.size()) + line;
    }
    return {};
}

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
    const std::uint64_t bytes = bytes_;
    const double seconds = std::chrono::duration<double>(now - begin_).count();
    put("\r\x1b[K" + progress_line({bytes, expected_, files_, seconds}, columns_of_terminal()));
    drawn_ = true;
}

void Progress::clear() noexcept {
    if (drawn_) put("\r\x1b[K");
    drawn_ = false;
}

} // namespace vfsproto::cli
