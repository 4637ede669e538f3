// SPDX-License-Identifier: BSD-2-Clause
// An operation: one or more requests in storage of the caller, ending in one call of on_finish. The same object serves
// a blocking call, a coroutine, a kernel thread in cv_wait and a callback; only the waiting differs, and lives above.
#pragma once

#include "vfsproto/fuse/client/any_lane.hpp"
#include "vfsproto/fuse/client/file_span.hpp"
#include "vfsproto/fuse/client/session_params.hpp"
#include "vfsproto/fuse/client/sticky.hpp"
#include "vfsproto/fuse/client/verdict.hpp"
#include "vfsproto/fuse/wire/validate.hpp"

#include <cstdint>
#include <span>

namespace vfsproto::client {

// What operations run on. One owner at a time, the lane's.
struct Client {
    AnyLane* lane = nullptr;
    const SessionParams* params = nullptr;
    StickyEnosys* sticky = nullptr;

    [[nodiscard]] bool has(wire::InitFlag flag) const noexcept { return params->flags.has(flag); }
};

enum class Remember : std::uint8_t { no, yes };

// What ENOSYS means for an operation that is a single request (Linux fs/fuse).
struct EnosysRule {
    wire::Opcode op;
    wire::Errno becomes; // what the caller sees; none = success without effect
    Remember remember;   // ask no more in this session
};
inline constexpr EnosysRule kEnosysRules[] = {
    {wire::Opcode::link, wire::Errno::eperm, Remember::yes},
    {wire::Opcode::fsync, wire::Errno::none, Remember::yes},
    {wire::Opcode::setxattr, wire::Errno::eopnotsupp, Remember::yes},
    {wire::Opcode::getxattr, wire::Errno::eopnotsupp, Remember::yes},
    {wire::Opcode::listxattr, wire::Errno::eopnotsupp, Remember::yes},
    {wire::Opcode::removexattr, wire::Errno::eopnotsupp, Remember::yes},
    {wire::Opcode::flush, wire::Errno::none, Remember::yes},
    {wire::Opcode::fsyncdir, wire::Errno::none, Remember::yes},
    {wire::Opcode::access, wire::Errno::none, Remember::yes},
    {wire::Opcode::bmap, wire::Errno::none, Remember::yes},
    {wire::Opcode::ioctl, wire::Errno::enotty, Remember::no},
    {wire::Opcode::poll, wire::Errno::none, Remember::yes},
    {wire::Opcode::fallocate, wire::Errno::eopnotsupp, Remember::yes},
    {wire::Opcode::rename2, wire::Errno::einval, Remember::yes},
    {wire::Opcode::syncfs, wire::Errno::none, Remember::yes},
    {wire::Opcode::tmpfile, wire::Errno::eopnotsupp, Remember::yes},
};
// nullptr for an operation whose ENOSYS is an error like any other, or is dealt with by an operation of its own.
[[nodiscard]] constexpr const EnosysRule* find_enosys_rule(wire::Opcode op) noexcept {
    for (const EnosysRule& rule : kEnosysRules) {
        if (rule.op == op) return &rule;
    }
    return nullptr;
}
[[nodiscard]] constexpr bool has_enosys_rule(wire::Opcode op) noexcept {
    for (const EnosysRule& rule : kEnosysRules) {
        if (rule.op == op) return true;
    }
    return false;
}

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
    [[nodiscard]] Errc errc() const noexcept { return verdict_.errc; } // the engine's or the protocol's failure
    [[nodiscard]] wire::Errno error() const noexcept { return verdict_.error; } // the server's
    // A node whose lookup the server counted although the operation failed: the host gives one lookup of it back. 0 = none.
    [[nodiscard]] std::uint64_t surplus_lookup() const noexcept { return surplus_lookup_; }

protected:
    ~Operation() = default;

    void begin(Client& client, const Caller& caller) noexcept {
        client_ = &client;
        caller_ = caller;
        verdict_ = {Errc::ok, wire::Errno::none};
        surplus_lookup_ = 0;
    }
    void send(Request& request, std::uint64_t nodeid, void (*on_done)(Request&) noexcept) noexcept {
        request.nodeid = nodeid;
        request.caller = caller_;
        request.owner = this;
        request.on_done = on_done;
        client_->lane->enqueue(request);
    }
    void finish(Errc errc, wire::Errno error) noexcept {
        verdict_ = {errc, error};
        on_finish(*this);
    }
    void finish(const Request& request) noexcept { finish(request.errc, request.error); }
    // Is this an ENOSYS answer? Then it is remembered.
    [[nodiscard]] bool noted_missing(const Request& request) noexcept {
        if (request.errc != Errc::ok || request.error != wire::Errno::enosys) return false;
        client_->sticky->mark(request.op->opcode);
        return true;
    }
    // Checks what only the reply's content can tell, and notes a surplus lookup. With `type`, S_IFMT bits, of that type alone.
    [[nodiscard]] Errc check_entry(const wire::EntryOut& entry) noexcept;
    [[nodiscard]] Errc check_entry(const wire::EntryOut& entry, std::uint32_t type) noexcept;

    Client* client_ = nullptr;
    Caller caller_{};
    Verdict verdict_{Errc::ok, wire::Errno::none};
    std::uint64_t surplus_lookup_ = 0;
};

// PollOut::revents of a server without POLL (Linux DEFAULT_POLLMASK).
inline constexpr std::uint32_t kAlwaysReady =
    wire::linux_abi::kPollIn | wire::linux_abi::kPollOut | wire::linux_abi::kPollRdnorm | wire::linux_abi::kPollWrnorm;

// An operation that is one request of one row. Set call.args, names and data, then start(). The answer stands in `call`:
// reply, bytes. A span that no file can have (check_file_span) ends it with an error before anything is sent.
template <wire::Opcode Op> class Single final : public Operation {
public:
    Call<Op> call;

    void start(Client& client, const Caller& caller, std::uint64_t nodeid) noexcept {
        begin(client, caller);
        if (const wire::Errno error = check_file_span<Op>(call.args); error != wire::Errno::none) {
            return finish(Errc::ok, error);
        }
        if constexpr (kMayBeMissing) {
            if (client.sticky->is_missing(Op)) return finish_missing(*find_enosys_rule(Op));
        }
        send(call, nodeid, [](Request& request) noexcept { static_cast<Single*>(request.owner)->answered(); });
    }

private:
    static constexpr bool kMayBeMissing = has_enosys_rule(Op);

    void answered() noexcept {
        if constexpr (kMayBeMissing) {
            if (call.errc == Errc::ok && call.error == wire::Errno::enosys) {
                const EnosysRule& rule = *find_enosys_rule(Op);
                if (rule.remember == Remember::yes) client_->sticky->mark(Op);
                return finish_missing(rule);
            }
        }
        if (!call.succeeded()) return finish(call);
        const Errc errc = check_content();
        finish(errc, verdict_.error);
    }
    // What takes the place of an answer is no earlier one: block 0, always ready.
    void finish_missing(const EnosysRule& rule) noexcept {
        call.reply = {};
        if constexpr (Op == wire::Opcode::poll) call.reply.revents = kAlwaysReady;
        finish(Errc::ok, rule.becomes);
    }
    [[nodiscard]] Errc check_content() noexcept {
        using Out = wire::OutOf<Op>;
        if constexpr (Op == wire::Opcode::lookup) {
            // nodeid 0: the server says that the name does not exist, and for how long (a negative entry).
            if (call.reply.nodeid == 0) {
                verdict_.error = wire::Errno::enoent;
                return Errc::ok;
            }
        }
        namespace abi = wire::linux_abi;
        if constexpr (Op == wire::Opcode::mkdir) return check_entry(call.reply, abi::kSIfdir);
        if constexpr (Op == wire::Opcode::symlink) return check_entry(call.reply, abi::kSIflnk);
        if constexpr (Op == wire::Opcode::mknod) {
            const std::uint32_t type = abi::file_type(call.args.mode);
            return check_entry(call.reply, type == 0 ? abi::kSIfreg : type); // mknod(2): no type is a regular file
        }
        if constexpr (std::is_same_v<Out, wire::EntryOut>) return check_entry(call.reply);
        if constexpr (std::is_same_v<Out, wire::CreateOut>) return check_entry(call.reply.entry, abi::kSIfreg);
        if constexpr (std::is_same_v<Out, wire::AttrOut>) return wire::check_attr(call.reply.attr);
        if constexpr (Op == wire::Opcode::write) {
            return wire::check_written(call.reply, call.args.size);
        }
        if constexpr (Op == wire::Opcode::lseek) {
            if (call.reply.offset > INT64_MAX) return Errc::protocol_violation;
        }
        return Errc::ok;
    }
};

} // namespace vfsproto::client
