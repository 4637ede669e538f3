// SPDX-License-Identifier: BSD-2-Clause
// Acting as the client's caller for the length of one system call.
#pragma once

#include "vfsproto/fuse/wire/structs.hpp"

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <vector>

namespace vfsproto::backends {

// The identity of this process, found out once.
struct ProcessIdentity {
    bool may_act_as_others = false; // it is root
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups; // supplementary
    mode_t umask = 0;

    // Errors: none; what cannot be found out is taken as the careful value.
    [[nodiscard]] static ProcessIdentity current();
};

// Sets fsuid, fsgid and supplementary groups of the calling thread (raw system calls: the C library would set them for
// all threads) and puts them back when destroyed. Does nothing when the process is not root, or is the caller already.
class ActingAs {
public:
    ActingAs(const ProcessIdentity& process, const wire::InHeader& caller,
             std::span<const std::byte> extensions) noexcept;
    ActingAs(const ActingAs&) = delete;
    ActingAs& operator=(const ActingAs&) = delete;
    ~ActingAs();

    // 0, or why the thread could not become the caller: nothing may be done then.
    [[nodiscard]] int error() const noexcept { return error_; }

private:
    [[nodiscard]] int set_groups(std::span<const std::byte> extensions) noexcept;

    const ProcessIdentity& process_;
    bool ids_changed_ = false;
    bool groups_changed_ = false;
    int error_ = 0;
};

} // namespace vfsproto::backends
