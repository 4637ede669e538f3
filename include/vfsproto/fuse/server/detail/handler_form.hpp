// SPDX-License-Identifier: BSD-2-Clause
// Tells the handler of a row from an overload that only looks like one, and would be left out without a word: its operation
// would answer ENOSYS. check_handler() makes a compile error of that, which names the row.
#pragma once

#include "vfsproto/fuse/server/reply_writer.hpp"
#include "vfsproto/fuse/server/request_view.hpp"

#include <concepts>
#include <type_traits>

namespace vfsproto::server {

// True if there is an overload for the row, of whatever form.
template <class Fs, class Row>
concept Handles = requires(Fs& fs, const Request<Row>& request, Reply<Row>& reply) { fs.handle(request, reply); };

namespace detail {

// Converts to whatever a parameter wants. Never made.
struct Anything {
    template <class T> operator T&() const noexcept; // NOLINT: implicit by design
};

// True if there is an overload that takes the row's request, or its reply, beside whatever.
template <class Fs, class Row>
concept TakesRequest = requires(Fs& fs, const Request<Row>& request, Anything reply) { fs.handle(request, reply); };
template <class Fs, class Row>
concept TakesReply = requires(Fs& fs, Anything request, Reply<Row>& reply) { fs.handle(request, reply); };

struct NamesHandle {
    void handle();
};
template <class Fs> struct NamesItTwice : Fs, NamesHandle {};
// True if the class has a member of this name, wherever it may be used from: then the name means two things in the class above.
template <class Fs>
concept HasHandle = !requires { &NamesItTwice<Fs>::handle; };
// Nobody can look into a final class.
template <class Fs>
concept MayBeLookedInto = !std::is_final_v<Fs> && HasHandle<Fs>;

// An overload that is private cannot be named here, and the compiler says which it is.
template <class Fs> struct HandlersInReach : Fs {
    using Fs::handle;
};

template <class Fs> consteval bool are_in_reach() noexcept {
    if constexpr (MayBeLookedInto<Fs>) return sizeof(HandlersInReach<Fs>) != 0;
    return true;
}

} // namespace detail

// `Row`: the row whose handler is looked at. Compiles if the file system handles it, or does not mention it at all.
template <class Fs, class Row> consteval void check_handler() noexcept {
    static_assert(detail::are_in_reach<Fs>());
    if constexpr (Handles<Fs, Row>) {
        static_assert(
            requires(Fs& fs, const Request<Row>& request, Reply<Row>& reply) {
                { fs.handle(request, reply) } noexcept -> std::same_as<void>;
            }, "a handler is noexcept, and returns void: void handle(const RequestOf<…>&, ReplyTo<…>&) noexcept");
    } else {
        static_assert(!detail::TakesRequest<Fs, Row>,
                      "the handler with this row's request has another second parameter than ReplyTo<…>& of the row");
        static_assert(
            !detail::TakesReply<Fs, Row>,
            "the handler with this row's reply has another first parameter than const RequestOf<…>& of the row");
    }
}

} // namespace vfsproto::server
