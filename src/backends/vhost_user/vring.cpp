// SPDX-License-Identifier: BSD-2-Clause
#include "vring.hpp"

#include "vfsproto/base/fence.hpp"

namespace vfsproto::backends::vhost_user {

Errc Vring::open_events() noexcept {
    for (FileDescriptor* const event : {&kick_, &err_}) {
        if (!*event) *event = FileDescriptor::event();
    }
    if (!call_) call_ = FileDescriptor::blocking_event();
    return has_events() ? Errc::ok : Errc::no_memory;
}

Errc Vring::start(Connection& connection, const VringPlace& place) noexcept {
    largest_base_ = place.largest_base;
    Errc why = tell_number(connection, Request::set_vring_num, place.size);
    if (why == Errc::ok) why = tell_number(connection, Request::set_vring_base, base_.value_or(place.fresh_base));
    if (why == Errc::ok) {
        const VringAddresses addresses{index_, 0, place.descriptors, place.used, place.available, 0};
        why = connection.tell(Request::set_vring_addr, addresses);
    }
    if (why == Errc::ok) why = tell_event(connection, Request::set_vring_err, err_);
    if (why == Errc::ok) why = tell_event(connection, Request::set_vring_call, call_);
    if (why == Errc::ok) why = tell_event(connection, Request::set_vring_kick, kick_);
    started_ = why == Errc::ok;
    return why;
}

Errc Vring::enable(Connection& connection) noexcept { return tell_number(connection, Request::set_vring_enable, 1); }

Result<std::uint32_t> Vring::stop(Connection& connection) noexcept {
    const VringState which{index_, 0};
    VringState answer{};
    const auto size = connection.ask(Request::get_vring_base, std::as_bytes(std::span(&which, 1)),
                                     std::as_writable_bytes(std::span(&answer, 1)));
    if (!size) return size.error();
    if (*size != sizeof answer || answer.index != index_ || answer.num > largest_base_) {
        connection.fail("a malformed answer to GET_VRING_BASE");
        return Errc::transport_failed;
    }
    started_ = false;
    base_ = answer.num;
    return answer.num;
}

Errc Vring::tell_number(Connection& connection, Request request, std::uint32_t value) const noexcept {
    return connection.tell(request, VringState{index_, value});
}

Errc Vring::tell_event(Connection& connection, Request request, const FileDescriptor& event) const noexcept {
    return connection.tell(request, std::uint64_t{index_}, event.get());
}

Doorbell Vring::doorbell() noexcept {
    return {[](void* context, std::uint16_t) noexcept {
                auto& self = *static_cast<Vring*>(context);
                store_relaxed(self.rung_, self.rung_ + 1);
                signal_event(self.kick_.get());
            },
            this};
}

std::uint64_t Vring::doorbells() const noexcept { return load_relaxed(rung_); }

} // namespace vfsproto::backends::vhost_user
