// SPDX-License-Identifier: BSD-2-Clause
// One asynchronous request: a heap node that holds the operation (or refers to it) and the handler. The operation ends
// under the lane's lock on whatever thread polls; all that happens there is a post to the handler's executor.
#pragma once

#include "vfsproto/posix/detail/asio_prefix.hpp"
#include "vfsproto/posix/detail/channel.hpp"

#include <atomic>
#include <cstddef>
#include <memory>
#include <tuple>
#include <utility>

namespace vfsproto::posix {

struct CallCounts {
    std::atomic<std::size_t> outstanding{0}; // calls whose handler has not been called
    std::atomic<std::size_t> posting{0};     // threads inside a post: the handler may run before the post returns
};

// One call in `outstanding`, while it lives.
class CallCount {
public:
    explicit CallCount(CallCounts& counts) noexcept : counts_(&counts) {
        counts_->outstanding.fetch_add(1, std::memory_order_relaxed);
    }
    CallCount(CallCount&& other) noexcept : counts_(std::exchange(other.counts_, nullptr)) {}
    CallCount& operator=(CallCount&&) = delete;
    ~CallCount() { release(); }
    void release() noexcept {
        // A thread that sees zero may take the mount apart.
        if (counts_ != nullptr) std::exchange(counts_, nullptr)->outstanding.fetch_sub(1, std::memory_order_release);
    }
    [[nodiscard]] CallCounts& counts() const noexcept { return *counts_; }

private:
    CallCounts* counts_;
};

// `Call` has an `operation` (a client::Operation, or a reference to one), poller_of(Channel&), which chooses the poller of a lane,
// start(DetachedPoller&), which starts the operation there, and answer(), a tuple of what the handler is called with.
template <class Call, class Handler> class DetachedCall {
    using Executor = boost::asio::any_io_executor;
    using HandlerExecutor = typename boost::asio::associated_executor<Handler, Executor>::type;
    using Allocator = typename std::allocator_traits<
        typename boost::asio::associated_allocator<Handler>::type>::template rebind_alloc<DetachedCall>;
    using Memory = std::allocator_traits<Allocator>;

public:
    // The handler runs on its own executor, or on `fallback`. It is never called from inside start().
    template <class... Args>
    static void start(Channel& channel, CallCount count, const Executor& fallback, Handler handler, Args&&... args) {
        Allocator allocator(boost::asio::get_associated_allocator(handler));
        DetachedCall* self = Memory::allocate(allocator, 1);
        ::new (self) DetachedCall(channel, std::move(count), fallback, std::move(handler), std::forward<Args>(args)...);
        self->call_.operation.user = self;
        self->call_.operation.on_finish = [](client::Operation& finished) noexcept {
            static_cast<DetachedCall*>(finished.user)->finished();
        };
        self->call_.start(self->poller_); // *self may be gone
    }
    DetachedCall(const DetachedCall&) = delete;
    DetachedCall& operator=(const DetachedCall&) = delete;

private:
    struct Release {
        void operator()(DetachedCall* self) const noexcept {
            Allocator allocator(boost::asio::get_associated_allocator(self->handler_));
            self->~DetachedCall();
            Memory::deallocate(allocator, self, 1);
        }
    };
    using Owner = std::unique_ptr<DetachedCall, Release>;

    struct Completion {
        Owner self;
        void operator()() { complete(std::move(self)); }
    };

    template <class... Args>
    DetachedCall(Channel& channel, CallCount count, const Executor& fallback, Handler handler, Args&&... args)
        : channel_(channel),
          count_(std::move(count)),
          work_(boost::asio::get_associated_executor(handler, fallback)),
          handler_(std::move(handler)),
          call_(std::forward<Args>(args)...),
          poller_(Call::poller_of(channel)) {}
    ~DetachedCall() = default;

    // Posts the handler. The lane's lock is held.
    void finished() noexcept {
        const HandlerExecutor executor = work_.get_executor();
        CallCounts& counts = count_.counts();
        poller_.finished();
        counts.posting.fetch_add(1, std::memory_order_relaxed); // before the handler can run
        boost::asio::post(executor, Completion{Owner(this)});
        counts.posting.fetch_sub(1, std::memory_order_release);
    }
    static void complete(Owner self) {
        if (self->call_.operation.surplus_lookup() != 0)
            self->channel_.give_back(self->call_.operation.surplus_lookup());
        auto answer = self->call_.answer();
        Handler handler(std::move(self->handler_));
        self.reset();
        std::apply(std::move(handler), std::move(answer));
    }

    Channel& channel_;
    CallCount count_;
    boost::asio::executor_work_guard<HandlerExecutor> work_;
    Handler handler_;
    Call call_;
    DetachedPoller& poller_;
};

// An operation in storage of whoever waits for it: a coroutine's frame.
template <class Op, class... Args> struct BorrowedCall {
    explicit BorrowedCall(Op& op, const Args&... arguments) : operation(op), args(arguments...) {}

    // Each operation goes by the request queue whose turn it is.
    [[nodiscard]] static DetachedPoller& poller_of(Channel& channel) noexcept { return channel.detached_in_turn(); }
    void start(DetachedPoller& poller) {
        std::apply([&](const Args&... each) { poller.start(operation, each...); }, args);
    }
    [[nodiscard]] std::tuple<> answer() const noexcept { return {}; }

    Op& operation;
    std::tuple<Args...> args;
};

} // namespace vfsproto::posix
