// SPDX-License-Identifier: BSD-2-Clause
// One call of a mount: on whose behalf it asks the server, and what ends it. It runs the operations that the call is made of,
// each to its end. Once a limit was reached, those that follow end with the same reason and send nothing.
#pragma once

#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/stop_source.hpp"

#include <type_traits>
#include <utility>

namespace vfsproto::posix {

// It lives on the stack of its thread.
class MountCall {
public:
    // `caller` has the server's ids. Nothing is asked on behalf of one who is nobody there (unmapped_id).
    MountCall(Channel& channel, const client::Caller& caller) noexcept : channel_(channel), caller_(caller) {
        if (!abi::has_image(caller)) reached_ = Errc::unmapped_id;
    }
    MountCall(Channel& channel, const client::Caller& caller, const CallLimits& limits) noexcept
        : MountCall(channel, caller) {
        limits_ = limits;
    }
    MountCall(Channel& channel, const client::Caller& caller, const MountLimits& limits) noexcept
        : MountCall(channel, caller) {
        if (limits.has_any()) limits_ = limits.begin_call();
    }
    MountCall(const MountCall&) = delete;
    MountCall& operator=(const MountCall&) = delete;

    [[nodiscard]] Channel& channel() const noexcept { return channel_; }
    [[nodiscard]] bool has_limits() const noexcept { return limits_.has_any(); }
    // False once a limit was reached, and for a caller who is nobody at the server: operations end and send nothing.
    [[nodiscard]] bool may_ask() const noexcept { return !reached_; }
    // Says which limit was reached; a Failure that did not happen while the call may go on.
    [[nodiscard]] Failure reached() const noexcept { return reached_ ? reached_ : limits_.reached(); }

    // Says that what its operations move lies in this registered region, which a request that is let go of keeps.
    void moves(const Region& registered) noexcept { payload_ = &registered; }

    // The arguments are those of the operation's start() after the caller. If it is let go of, `held()` returns a Held with what
    // its requests name, and `after` is called when they are over.
    template <class Hold, class Op, class... Args> void run(const Hold& held, Op& op, Args&&... args) {
        run_and_leave(held, [](const LimitedCall&, Op&) { return AfterLate(); }, op, std::forward<Args>(args)...);
    }
    // Does the same with more to do when the requests are over: `after(call, op)` returns it, called when the operation was let go
    // of.
    template <class Hold, class After, class Op, class... Args>
    void run_and_leave(const Hold& held, const After& after, Op& op, Args&&... args) {
        if (!may_run(op)) return;
        if (!has_limits()) return channel_.run(op, caller_, std::forward<Args>(args)...);
        LimitedCall call = begin_limited();
        channel_.run_limited<Op>(call, operation_of(op), op, caller_, std::forward<Args>(args)...);
        end_limited(call, held, after, op);
    }

    // These are the parts of that, for who waits in another way. False if a limit was reached before: the operation has ended.
    template <class Op> [[nodiscard]] bool may_run(Op& op) noexcept {
        if (reached_) operation_of(op).refuse(reached_.errc);
        return !reached_;
    }
    [[nodiscard]] LimitedCall begin_limited() const { return {channel_, limits_, payload_}; }
    template <class Hold, class After, class Op>
    void end_limited(LimitedCall& call, const Hold& held, const After& after, Op& op) {
        const Errc errc = operation_of(op).errc();
        const bool let_go = call.was_let_go();
        if (let_go || errc == Errc::abandoned || errc == Errc::timed_out) reached_ = let_go ? call.why() : errc;
        if (!let_go) {
            if (op.surplus_lookup() != 0) channel_.give_back(op.surplus_lookup());
            return;
        }
        AfterLate rest = after(call, op);
        if (const std::uint64_t surplus = op.surplus_lookup()) {
            rest = [surplus, first = std::move(rest)](Channel& channel, LateOutcome outcome) {
                if (first) first(channel, outcome);
                channel.give_back(surplus);
            };
        }
        call.leave(held(), std::move(rest));
    }
    template <class Op> [[nodiscard]] static client::Operation& operation_of(Op& op) noexcept {
        if constexpr (std::is_base_of_v<client::Operation, Op>) {
            return op;
        } else {
            return op.operation();
        }
    }

private:
    Channel& channel_;
    const client::Caller& caller_;
    CallLimits limits_{};
    const Region* payload_ = nullptr;
    Failure reached_{};
};

} // namespace vfsproto::posix
