// SPDX-License-Identifier: BSD-2-Clause
#include "handle_end.hpp"

#include "open_handles.hpp"

namespace vfsproto::posix {

namespace {

enum class Next : std::uint8_t { go_on, end };

} // namespace

HandleEnd::HandleEnd(const OpenHandle& handle) noexcept
    : release_(release_in(handle)),
      nodeid_(handle.nodeid),
      kind_(handle.kind),
      owes_flush_(handle.may_keep(OpenHandle::Locks::records)),
      owes_release_(handle.owes_release) {
    flush_.fh = handle.fh;
    flush_.lock_owner = handle.lock_owner;
}

template <class Use> void HandleEnd::each(Use&& use) {
    if (owes_flush_) {
        client::Flush flush;
        flush.call.args = flush_;
        if (use(flush, owes_flush_) == Next::end) return;
    }
    if (!owes_release_) return;
    if (kind_ == OpenHandle::Kind::directory) {
        client::ReleaseDirectory release;
        release.call.args = release_;
        use(release, owes_release_);
    } else {
        client::Release release;
        release.call.args = release_;
        use(release, owes_release_);
    }
}

void HandleEnd::send(Channel& channel) {
    each([&](auto& op, bool&) {
        channel.run(op, channel.own_caller(), nodeid_);
        return Next::go_on;
    });
}

AfterLate HandleEnd::later() const {
    return [rest = *this](Channel& channel, LateOutcome) mutable { rest.send(channel); };
}

// A RELEASE that is in flight ends the handle, whenever it is answered. One that was not sent is owed, and a FLUSH is sent once
// more: nobody knows what became of the first. Both wait until the request before them is over, which names the same handle.
void HandleEnd::send(Channel& channel, const MountLimits& limits, const NodeRef& node) {
    const CallLimits now = limits.begin_call();
    bool is_left = false;
    each([&]<class Op>(Op& op, bool& owed) {
        LimitedCall call(channel, now);
        channel.run_limited<Op>(call, op, op, channel.own_caller(), nodeid_);
        if (call.was_let_go()) {
            if (call.was_in_flight() && &owed == &owes_release_) owed = false;
            call.leave(node.hold(), later());
            is_left = true;
            return Next::end;
        }
        if (op.errc() == Errc::abandoned || op.errc() == Errc::timed_out) return Next::end; // it was never sent
        owed = false;
        return Next::go_on;
    });
    if (!is_left && (owes_flush_ || owes_release_)) channel.do_late(node.hold(), later());
}

} // namespace vfsproto::posix
