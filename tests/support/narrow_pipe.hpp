// SPDX-License-Identifier: BSD-2-Clause
// A FIFO with as little room as the host allows, which is read when a test says so.
#pragma once

#include "support/catch.hpp"
#include "support/scratch_directory.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <string>

namespace vfsproto::test {

class NarrowPipe {
public:
    NarrowPipe() {
        REQUIRE(::mkfifo(path().c_str(), 0600) == 0);
        both_ends_ = ::open(path().c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
        REQUIRE(both_ends_ >= 0);
        const int room = ::fcntl(both_ends_, F_SETPIPE_SZ, 1); // rounded up to a page
        REQUIRE(room > 0);
        room_ = static_cast<std::size_t>(room);
    }
    ~NarrowPipe() { ::close(both_ends_); }
    NarrowPipe(const NarrowPipe&) = delete;
    NarrowPipe& operator=(const NarrowPipe&) = delete;

    [[nodiscard]] std::string path() const { return (scratch_.path() / "pipe").string(); }
    [[nodiscard]] std::size_t room() const { return room_; } // bytes
    // True if a writer would wait. Then there may be fewer bytes in it than room(): a page that was begun counts.
    [[nodiscard]] bool is_full() const {
        pollfd out{both_ends_, POLLOUT, 0};
        return ::poll(&out, 1, 0) == 0;
    }
    // Reads what is there.
    [[nodiscard]] std::string drain() const {
        std::string text;
        std::array<char, 4096> piece{};
        for (ssize_t count = 0; (count = ::read(both_ends_, piece.data(), piece.size())) > 0;) {
            text.append(piece.data(), static_cast<std::size_t>(count));
        }
        return text;
    }

private:
    ScratchDirectory scratch_;
    int both_ends_ = -1;
    std::size_t room_ = 0;
};

} // namespace vfsproto::test
