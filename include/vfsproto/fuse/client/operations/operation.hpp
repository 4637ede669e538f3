// SPDX-License-Identifier: BSD-2-Clause
// An operation: one or more requests in storage of the caller, ending in one call of on_finish. The same object serves
// a blocking call, a coroutine, a kernel thread in cv_wait and a callback; only the waiting differs, and lives above.
#pragma once

#include "vfsproto/fuse/client/detail/erased_lane.hpp"
#include "vfsproto/fuse/client/detail/file_span.hpp"
#include "vfsproto/fuse/client/detail/sticky.hpp"
#include "vfsproto/fuse/client/detail/verdict.hpp"
#include "vfsproto/fuse/client/operations/detail/maker_extensions.hpp"
#include "vfsproto/fuse/client/session_params.hpp"
#include "vfsproto/fuse/wire/validate.hpp"

#include <cstdint>
#include <span>

namespace vfsproto::client {

// Operations run on this. One owner at a time, the lane's.
struct Client {
    ErasedLane* lane = nullptr;
    const SessionParams* params = nullptr;
    StickyEnosys* sticky = nullptr;
    abi::IdMap ids{}; // callers are given with the server's ids; this tells which of them is user 0 of the client

    [[nodiscard]] bool has(wire::InitFlag flag) const noexcept { return params->flags.has(flag); }
    // True if the server is to take set-id bits away when this caller changes contents (HANDLE_KILLPRIV_V2, 7.33). Only user 0
    // keeps them, as if it had CAP_FSETID and nobody else had.
    [[nodiscard]] bool kills_privileges(const Caller& caller) const noexcept {
        return has(wire::InitFlag::handle_killpriv_v2) && ids.at_client(abi::IdKind::user, caller.uid) != 0;
    }
};

class Operation {
public:
    Operation() noexcept = default;
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;

    // Set before start(). Called once, by the lane's owner, as the last thing the operation does: it may end its life.
    void (*on_finish)(Operation&) noexcept = nullptr;
    void* user = nullptr;
    Operation* link = nullptr; // the host's, for lists of its own
    void* tag = nullptr;       // the caller's

    [[nodiscard]] bool succeeded() const noexcept { return verdict_.succeeded(); }
    [[nodiscard]] Errc errc() const noexcept { return verdict_.errc; }         // the engine's or the protocol's failure
    [[nodiscard]] abi::Errno error() const noexcept { return verdict_.error; } // the server's
    // A node whose lookup the server counted although the operation failed: the host gives one lookup of it back. 0 = none.
    [[nodiscard]] std::uint64_t surplus_lookup() const noexcept { return surplus_lookup_; }

    // Takes the place of start(): the operation ends with `why` and sends nothing. on_finish is not called.
    void refuse(Errc why) noexcept {
        verdict_ = {why, abi::Errno::none};
        surplus_lookup_ = 0;
    }
    // Lets go of the request that is under way, as ErasedLane::abandon() does: the operation ends with `why` before this returns,
    // and makes no further request. What earlier requests granted is told as after any failure; what this one grants, its late
    // reply tells. Errors: those of ErasedLane::abandon(); then the operation goes on. LongTransfer has one of its own.
    [[nodiscard]] Errc abandon(LateReply& late, Errc why) noexcept {
        Request* const request = request_under_way();
        return request == nullptr ? Errc::wrong_state : client_->lane->abandon(*request, late, why);
    }
    // Returns the unique of the request that is under way, for INTERRUPT; 0 if none is in flight.
    [[nodiscard]] std::uint64_t unique() const noexcept {
        const Request* const request = request_under_way();
        return request == nullptr ? 0 : client_->lane->unique_of(*request);
    }

protected:
    ~Operation() = default;

    void begin(Client& client, const Caller& caller) noexcept {
        client_ = &client;
        caller_ = caller;
        surplus_lookup_ = 0;
    }
    void send(Request& request, std::uint64_t nodeid, void (*on_done)(Request&) noexcept) noexcept {
        request.nodeid = nodeid;
        request.caller = caller_;
        request.owner = this;
        request.on_done = on_done;
        request_ = &request;
        client_->lane->enqueue(request);
    }
    void finish(Errc errc, abi::Errno error) noexcept {
        verdict_ = {errc, error};
        on_finish(*this);
    }
    void finish(const Request& request) noexcept { finish(request.errc, request.error); }
    [[nodiscard]] bool kills_privileges() const noexcept { return client_->kills_privileges(caller_); }
    // True if the answer is ENOSYS, which is remembered: the operation counts as missing from now on.
    [[nodiscard]] bool noted_missing(const Request& request) noexcept {
        if (request.errc != Errc::ok || request.error != abi::Errno::enosys) return false;
        client_->sticky->mark(request.op->opcode);
        return true;
    }
    // Checks what only the reply's content can tell, and notes a surplus lookup. With `type`, S_IFMT bits, of that type alone.
    [[nodiscard]] Errc check_entry(const wire::EntryOut& entry) noexcept;
    [[nodiscard]] Errc check_entry(const wire::EntryOut& entry, std::uint32_t type) noexcept;

    Client* client_ = nullptr;
    Caller caller_{};
    Verdict verdict_{Errc::ok, abi::Errno::none};
    std::uint64_t surplus_lookup_ = 0;
    Operation* part_ = nullptr; // an operation that does a part of this one, and has taken over

private:
    [[nodiscard]] Request* request_under_way() const noexcept {
        const Operation* at = this;
        while (at->part_ != nullptr) at = at->part_;
        return at->request_;
    }

    Request* request_ = nullptr; // the last one that was sent; the lane knows if it is still under way
};

// PollOut::revents of a server without POLL (Linux DEFAULT_POLLMASK).
inline constexpr std::uint32_t kAlwaysReady = abi::kPollIn | abi::kPollOut | abi::kPollRdnorm | abi::kPollWrnorm;

// An operation that is one request of one row. Set call.args, names and data, then start(). The answer stands in `call`:
// reply, bytes. A span that no file can have (check_file_span) ends it with an error before anything is sent.
template <wire::Opcode Op> class Single final : public Operation {
    static constexpr wire::Traits kTraits = wire::RowOf<Op>::traits;
    static constexpr bool kMakes = kTraits.extensions == wire::Extensions::allowed;
    struct NoExtensions {};

public:
    Call<Op> call;
    [[no_unique_address]] std::conditional_t<kMakes, MakerExtensions, NoExtensions> extensions;

    void start(Client& client, const Caller& caller, std::uint64_t nodeid) noexcept {
        begin(client, caller);
        if (const abi::Errno error = check_file_span<Op>(call.args); error != abi::Errno::none) {
            return finish(Errc::ok, error);
        }
        if constexpr (kMayBeMissing) {
            if (client.sticky->is_missing(Op)) return finish_missing();
        }
        add_what_was_agreed();
        send(call, nodeid, [](Request& request) noexcept { static_cast<Single*>(request.owner)->answered(); });
    }

private:
    // Adds what the caller of start() need not know: INIT agreed on it.
    void add_what_was_agreed() noexcept {
        if constexpr (kMakes) extensions.add_to(call, *client_->params);
        if constexpr (Op == wire::Opcode::write) {
            if (kills_privileges()) call.args.write_flags |= wire::kWriteKillSuidgid;
        }
        if constexpr (Op == wire::Opcode::setattr) {
            const bool cuts = (call.args.valid & wire::kSetattrSize) != 0;
            if (cuts && kills_privileges()) call.args.valid |= wire::kSetattrKillSuidgid;
        }
    }

    static constexpr bool kMayBeMissing = kTraits.enosys.applies();

    void answered() noexcept {
        if constexpr (kMayBeMissing) {
            if (call.errc == Errc::ok && call.error == abi::Errno::enosys) {
                if (kTraits.enosys.remember == wire::Remember::yes) client_->sticky->mark(Op);
                return finish_missing();
            }
        }
        if (!call.succeeded()) return finish(call);
        if constexpr (Op == wire::Opcode::lookup) {
            // A nodeid of 0 says that the name does not exist, and for how long (a negative entry).
            if (call.reply.nodeid == 0) return finish(Errc::ok, abi::Errno::enoent);
        }
        finish(check_content(), abi::Errno::none);
    }
    // The reply that takes the place of an answer is empty, not an earlier one: block 0, always ready.
    void finish_missing() noexcept {
        call.reply = {};
        if constexpr (Op == wire::Opcode::poll) call.reply.revents = kAlwaysReady;
        finish(Errc::ok, kTraits.enosys.becomes);
    }
    [[nodiscard]] Errc check_content() noexcept {
        using Out = wire::OutOf<Op>;
        if constexpr (std::is_same_v<Out, wire::EntryOut>) return check_made(call.reply);
        if constexpr (std::is_same_v<Out, wire::CreateOut>) return check_made(call.reply.entry);
        if constexpr (std::is_same_v<Out, wire::AttrOut>) return wire::check_attr(call.reply.attr);
        if constexpr (Op == wire::Opcode::write) {
            return wire::check_written(call.reply, call.args.size);
        }
        if constexpr (Op == wire::Opcode::lseek) {
            if (call.reply.offset > INT64_MAX) return Errc::protocol_violation;
        }
        return Errc::ok;
    }
    // The entry is of the type the row makes.
    [[nodiscard]] Errc check_made(const wire::EntryOut& entry) noexcept {
        if constexpr (kTraits.makes == wire::MakesType::any) return check_entry(entry);
        if constexpr (kTraits.makes == wire::MakesType::directory) return check_entry(entry, abi::kSIfdir);
        if constexpr (kTraits.makes == wire::MakesType::symlink) return check_entry(entry, abi::kSIflnk);
        if constexpr (kTraits.makes == wire::MakesType::regular) return check_entry(entry, abi::kSIfreg);
        if constexpr (kTraits.makes == wire::MakesType::as_asked) {
            const std::uint32_t type = abi::file_type(call.args.mode);
            return check_entry(entry, type == 0 ? abi::kSIfreg : type); // mknod(2): no type is a regular file
        }
    }
};

} // namespace vfsproto::client
