// SPDX-License-Identifier: BSD-2-Clause
// An AsyncMount runs steps to their end in a coroutine whose frame holds them and what they were given.
#pragma once

#include "mount_steps.hpp"
#include "name_steps.hpp"

#include "vfsproto/posix/async_mount.hpp"

#include <cstdint>
#include <functional>
#include <tuple>
#include <utility>

namespace vfsproto::posix {

// A BorrowedCall under limits. What is to be done after its end, when the lane's lock is free, is left to the owner of the
// LimitedCall.
template <class Op, class... Args> struct LimitedBorrowedCall {
    LimitedBorrowedCall(LimitedCall& limited, Channel& of, Op& op, const Args&... arguments)
        : operation(MountCall::operation_of(op)), call(limited), channel(of), borrowed(op), args(arguments...) {}

    // Channel::start_limited() knows the first lane alone.
    [[nodiscard]] static DetachedPoller& poller_of(Channel& channel) noexcept { return channel.detached(); }
    void start(DetachedPoller&) {
        const auto start = [&](const Args&... each) {
            channel.start_limited<Op>(call, operation.ends, borrowed, each...);
        };
        std::apply(start, args);
    }
    [[nodiscard]] std::tuple<> answer() const noexcept { return {}; }

    // Stands for the operation, except that it tells of no surplus lookup: MountCall::end_limited() gives that back.
    struct Ending {
        explicit Ending(client::Operation& one) noexcept : ends(one), on_finish(one.on_finish), user(one.user) {}
        [[nodiscard]] static std::uint64_t surplus_lookup() noexcept { return 0; }

        client::Operation& ends;
        void (*&on_finish)(client::Operation&) noexcept;
        void*& user;
    } operation;
    LimitedCall& call;
    Channel& channel;
    Op& borrowed;
    std::tuple<Args...> args;
};

template <class Call, class... Args> AsyncMount::Steps<void> AsyncMount::detach(Args... args) {
    using Token = boost::asio::use_awaitable_t<>;
    return boost::asio::async_initiate<const Token&, void()>(
        [this](auto&& handler, Args... each) {
            using Detached = DetachedCall<Call, std::decay_t<decltype(handler)>>;
            Detached::start(mount_.channel(), CallCount(counts_), executor_, std::forward<decltype(handler)>(handler),
                            each...);
        },
        boost::asio::use_awaitable, args...);
}

template <class Op, class... Args> AsyncMount::Steps<void> AsyncMount::run_to_end(Op& op, Args... args) {
    return detach<BorrowedCall<Op, client::Caller, Args...>>(std::ref(op), mount_.server_credentials().caller, args...);
}
template <class Hold, class Op, class... Args>
AsyncMount::Steps<void> AsyncMount::run(MountCall& call, Hold held, Op& op, Args... args) {
    return run_and_leave(call, held, [](const LimitedCall&, Op&) { return AfterLate(); }, op, args...);
}
template <class Hold, class After, class Op, class... Args>
AsyncMount::Steps<void> AsyncMount::run_and_leave(MountCall& call, Hold held, After after, Op& op, Args... args) {
    if (call.has_limits() || !call.may_ask())
        return run_limited(call, held, after, &op, mount_.server_credentials().caller, args...);
    return run_to_end(op, args...);
}
template <class Hold, class After, class Op, class... Args>
AsyncMount::Steps<void> AsyncMount::run_limited(MountCall& call, Hold held, After after, Op* op, Args... args) {
    if (!call.may_run(*op)) co_return;
    LimitedCall limited = call.begin_limited();
    co_await detach<LimitedBorrowedCall<Op, Args...>>(std::ref(limited), std::ref(call.channel()), std::ref(*op),
                                                      args...);
    {
        // The thread that let go of the operation holds this lock until it has noted that in `limited`.
        const SharedLane::Lock lock(call.channel().shared_lane());
    }
    call.end_limited(limited, held, after, *op);
}

template <class S, class... Args> AsyncMount::Steps<Failure> AsyncMount::perform(Args... args) {
    S steps(names(), args...);
    MountCall call = mount_.begin_call();
    co_await run_steps(call, steps);
    co_return steps.failure();
}
template <class S, class... Args> AsyncMount::Steps<Expected<typename S::Result>> AsyncMount::ask(Args... args) {
    S steps(names(), args...);
    MountCall call = mount_.begin_call();
    co_await run_steps(call, steps);
    if (steps.failure()) co_return steps.failure();
    co_return steps.result();
}

} // namespace vfsproto::posix
