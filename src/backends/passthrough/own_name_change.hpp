// SPDX-License-Identifier: BSD-2-Clause
// A request of the client changes a name: lives around the system call, so that the client is not told what it did itself.
#pragma once

#include "own_file_change.hpp"
#include "vfsproto/fuse/wire/name.hpp"

#include <sys/inotify.h>

#include <cstdint>
#include <string_view>

namespace vfsproto::backends {

// Does nothing while no host is watched.
class OwnNameChange {
public:
    // `events` says which kinds of events of inotify(7) it causes, one of each.
    OwnNameChange(HostWatch& watch, std::uint64_t directory, wire::Name name, std::uint32_t events) noexcept
        : watch_(watch),
          times_(watch, directory),
          change_(watch.begin_change(directory, {name.data(), name.size()}, events)) {}
    ~OwnNameChange() {
        if (change_ != nullptr) watch_.end_change(*change_, happened_);
    }
    OwnNameChange(const OwnNameChange&) = delete;
    OwnNameChange& operator=(const OwnNameChange&) = delete;

    // Takes what the system call returned, which is negative if the name was not changed, and returns it. Leaves errno alone.
    int ended(int result) noexcept {
        happened_ = result >= 0;
        return result;
    }

private:
    HostWatch& watch_;
    OwnFileChange times_; // of the directory
    OwnNames::Change* change_;
    bool happened_ = false;
};

} // namespace vfsproto::backends
