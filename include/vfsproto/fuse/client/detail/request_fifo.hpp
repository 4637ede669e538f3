// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "vfsproto/fuse/client/request.hpp"

#include <cstdint>

namespace vfsproto::client {

// Requests that wait for a slot, first come, first served; linked by Request::next. One owner, the lane's.
class RequestFifo {
public:
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    [[nodiscard]] Request* first() const noexcept { return first_; }

    void push(Request& request) noexcept {
        request.next = nullptr;
        (first_ == nullptr ? first_ : last_->next) = &request;
        last_ = &request;
    }
    // Takes the first one off. There is one.
    Request& pop() noexcept {
        Request& request = *first_;
        first_ = request.next;
        request.next = nullptr;
        return request;
    }
    // Takes this one off. False: it does not wait here.
    [[nodiscard]] bool remove(Request& request) noexcept {
        Request* before = nullptr;
        for (Request* at = first_; at != nullptr; before = at, at = at->next) {
            if (at != &request) continue;
            (before == nullptr ? first_ : before->next) = request.next;
            if (last_ == &request) last_ = before;
            request.next = nullptr;
            return true;
        }
        return false;
    }

private:
    Request* first_ = nullptr;
    Request* last_ = nullptr;
};

} // namespace vfsproto::client
