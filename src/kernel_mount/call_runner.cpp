// SPDX-License-Identifier: BSD-2-Clause
#include "call_runner.hpp"

#include "lock_wait.hpp"

#include "vfsproto/fuse/client/undo_grants.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"
#include "vfsproto/fuse/wire/message_size.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <limits>
#include <system_error>
#include <type_traits>
#include <utility>

namespace vfsproto::kernel_mount {

using wire::Opcode;

namespace {

constexpr std::uint32_t kPage = 4096;
constexpr std::size_t kLeastPayload = 128 * 1024; // the longest value of an extended attribute fits, with its name
constexpr std::size_t kSlack = kPage;             // behind the payload of the largest WRITE
constexpr std::uint32_t kLongestTarget = kPage - 1;

// A caller that is interrupted waits for so long for a server that does not answer. Only then nobody knows what it did.
constexpr std::chrono::seconds kGrace{10};

abi::Caller caller_of(const wire::InHeader& header) noexcept { return {header.uid, header.gid, header.pid}; }

template <class T> std::span<const std::byte> bytes_of(const T& object) noexcept {
    return std::as_bytes(std::span<const T, 1>(&object, 1));
}

template <class Row> Named named_by(const server::Request<Row>& request) noexcept {
    Named named{};
    named.nodes[0] = request.header.nodeid;
    if constexpr (requires { request.in.newdir; }) named.nodes[1] = request.in.newdir;
    if constexpr (requires { request.in.oldnodeid; }) named.nodes[1] = request.in.oldnodeid;
    if constexpr (requires { request.in.fh; }) named.handles[0] = request.in.fh;
    if constexpr (requires { request.in.nodeid_out; }) {
        named.nodes[1] = request.in.nodeid_out;
        named.handles = {request.in.fh_in, request.in.fh_out};
    }
    return named;
}

// The records were copied from the device's memory before: what is checked is what the kernel gets.
template <class Reader> Errc check_records(std::span<const std::byte> records) noexcept {
    Reader reader(records);
    while (reader.next()) {}
    return reader.error();
}

// Checks what the operation does not.
template <class Row, class Call> Errc check_answer(const Call& call) noexcept {
    [[maybe_unused]] const std::span<const std::byte> data(call.data_out.host, call.bytes);
    if constexpr (Row::out_tail == wire::OutTail::dirents) return check_records<wire::DirentReader>(data);
    if constexpr (Row::out_tail == wire::OutTail::direntpluses) return check_records<wire::DirentplusReader>(data);
    if constexpr (requires {
                      call.args.nodeid_out;
                      call.reply.size;
                  }) {
        if (call.reply.size > call.args.len) return Errc::protocol_violation;
    }
    if constexpr (requires { call.reply.bytes_copied; }) {
        if (call.reply.bytes_copied > call.args.len) return Errc::protocol_violation;
    }
    return Errc::ok;
}

struct GiveBack {
    posix::Channel& channel;
    void release(Opcode by, std::uint64_t nodeid, std::uint64_t fh) const {
        by == Opcode::releasedir ? close<Opcode::releasedir>(nodeid, fh) : close<Opcode::release>(nodeid, fh);
    }
    void forget(std::uint64_t nodeid) const {
        if (nodeid != wire::kRootNodeId) channel.give_back(nodeid); // the root has no count
    }

private:
    template <Opcode Op> void close(std::uint64_t nodeid, std::uint64_t fh) const {
        client::Single<Op> operation;
        operation.call.args.fh = fh;
        channel.run(operation, channel.own_caller(), nodeid);
    }
};

// A handle that is closed may be given out again, which a request that was let go of still names: the close waits for that, on a
// thread of its own, because that may wait for the close of another handle.
template <Opcode Op> void close_later(MountShared& shared, const wire::InHeader& header, const wire::InOf<Op>& in) {
    shared.run_apart([&shared, header, in] {
        shared.held->wait_for(header.nodeid, in.fh);
        if constexpr (Op == Opcode::release) unlock_handle(shared, header, in.fh);
        client::Single<Op> operation;
        operation.call.args = in;
        shared.channel.run(operation, caller_of(header), header.nodeid);
        static_cast<void>(shared.device.reply(header.unique, posix::failure_of(operation).as_errno()));
    });
}

// The kernel is offered what the server agreed on, so that one is to the other what it would be without us. The rest is the
// kernel's own affair: what it has read of a file is dropped where size or time of it changed, and whether it wants attributes with
// names it decides itself.
wire::InitFlags flags_for_kernel(const client::SessionParams& params) noexcept {
    using F = wire::InitFlag;
    wire::InitFlags flags = params.flags;
    flags.remove(F::map_alignment);
    // A server that leaves set-id bits to its client is not asked to cut files as it opens them: the kernel cuts them by a SETATTR,
    // which takes the bits away as well.
    if (!flags.has(F::handle_killpriv) && !flags.has(F::handle_killpriv_v2)) flags.remove(F::atomic_o_trunc);
    flags.add(F::auto_inval_data);
    if (flags.has(F::do_readdirplus)) flags.add(F::readdirplus_auto);
    return flags;
}

} // namespace

CallRunner::~CallRunner() {
    if (payload_.size() != 0) shared_.channel.release(payload_);
}

Errc CallRunner::prepare() {
    if (std::exchange(was_let_go_, false) && payload_.size() != 0 && !shared_.channel.is_free(payload_)) {
        shared_.channel.release(std::exchange(payload_, Region()));
    }
    if (payload_.size() != 0) return Errc::ok;
    const std::size_t most = std::max<std::size_t>(shared_.channel.piece_limits<Opcode::read>().registered,
                                                   shared_.channel.piece_limits<Opcode::write>().registered);
    const auto region = shared_.channel.allocate(std::max(most, kLeastPayload) + kSlack);
    if (!region) return region.error();
    payload_ = *region;
    return Errc::ok;
}

std::array<iovec, 2> CallRunner::room() noexcept {
    return {iovec{head_, sizeof head_}, iovec{payload_.host(), payload_.size()}};
}

void CallRunner::note(Delivery delivery) noexcept {
    if (delivery == Delivery::not_taken) ++shared_.counters.not_taken;
}

void CallRunner::refuse(const wire::InHeader& header, abi::Errno why) {
    note(shared_.device.reply(header.unique, why));
}

template <class Row> void CallRunner::serve_row(CallRunner& runner, server::RequestView& view) {
    server::Request<Row> request{view.header(), runner.shared_.session, 0};
    if (const abi::Errno error = view.decode(request); error != abi::Errno::none) {
        if constexpr (Row::traits.reply == wire::ReplyOwed::always) runner.refuse(view.header(), error);
        return;
    }
    runner.serve(request);
}

template <class... Rows> constexpr auto CallRunner::table(wire::RowList<Rows...>) noexcept {
    return std::array{&CallRunner::serve_row<Rows>...};
}

void CallRunner::serve(std::size_t bytes) {
    const std::size_t head = std::min(bytes, sizeof head_);
    HostSegment pieces[] = {{head_, static_cast<std::uint32_t>(head)},
                            {payload_.host(), static_cast<std::uint32_t>(bytes - head)}};
    Chain chain;
    chain.storage = pieces;
    chain.readable_count = bytes > head ? 2 : 1;
    server::RequestView view(scratch_);
    if (!view.open(chain)) return;
    ++shared_.counters.requests;
    if (view.op() == nullptr) return refuse(view.header(), abi::Errno::enosys);
    if (const abi::Errno error = view.check_length(shared_.session); error != abi::Errno::none) {
        return refuse(view.header(), error);
    }
    static constexpr auto kServe = table(wire::OpTable{});
    try {
        kServe[view.op()->row](*this, view);
    } catch (const std::exception&) { // no memory, or no thread
        refuse(view.header(), abi::Errno::enomem);
    }
}

client::DataIn CallRunner::data_in(const server::ByteView& data) {
    if (own_.size() < data.size) own_.resize(data.size);
    return {own_.data(), static_cast<std::uint32_t>(data.copy_to(own_)), {}};
}

client::DataOut CallRunner::data_out(std::uint32_t size) {
    const std::uint32_t len = std::min(size, shared_.channel.max_bounced());
    if (own_.size() < len) own_.resize(len);
    return {own_.data(), len, {}};
}

template <class Row> abi::Errno CallRunner::fill(client::Call<Row::opcode>& call, const server::Request<Row>& request) {
    constexpr Opcode kOp = Row::opcode;
    constexpr bool kMoves = kOp == Opcode::read || kOp == Opcode::write;
    if constexpr (!std::is_same_v<typename Row::In, wire::None>) call.args = request.in;
    call.in_size = static_cast<std::uint16_t>(wire::fixed_in_size(*call.op, shared_.channel.params().flags));
    if constexpr (Row::in_tail == wire::InTail::name || Row::in_tail == wire::InTail::name_pair ||
                  Row::in_tail == wire::InTail::name_data) {
        call.name = {request.name.data(), request.name.size()};
    }
    if constexpr (Row::in_tail == wire::InTail::name_pair) {
        call.name2 = {request.second_name.data(), request.second_name.size()};
    }
    if constexpr (kOp == Opcode::tmpfile) {
        static constexpr char kNone[] = {'-'};
        call.name = kNone; // the kernel's own is no name, and means nothing
    }
    if constexpr (Row::traits.extensions == wire::Extensions::allowed) {
        call.ext = request.extensions.data();
        call.ext_len = static_cast<std::uint16_t>(request.extensions.size());
    }
    if constexpr (kMoves) {
        if (request.in.size > payload_.size()) return abi::Errno::einval; // more than INIT allowed
        segments_[1] = {payload_.device(), request.in.size};
    }
    if constexpr (kOp == Opcode::write) {
        call.data_in = {payload_.host(), request.in.size, segments_};
    } else if constexpr (Row::in_tail == wire::InTail::name_data) {
        call.data_in = data_in(request.data);
    }
    if constexpr (kOp == Opcode::read) {
        call.data_out = {payload_.host(), request.in.size, segments_};
    } else if constexpr (kOp == Opcode::readlink) {
        call.data_out = data_out(kLongestTarget);
    } else if constexpr (Row::out_tail != wire::OutTail::none) {
        call.data_out = data_out(request.in.size);
        call.args.size = call.data_out.len;
    }
    return abi::Errno::none;
}

template <class Row> void CallRunner::serve(const server::Request<Row>& request) {
    constexpr Opcode kOp = Row::opcode;
    constexpr bool kCloses = kOp == Opcode::release || kOp == Opcode::releasedir;
    constexpr bool kMoves = kOp == Opcode::read || kOp == Opcode::write;
    const RunningCalls::Listed listed(shared_.running, request.header.unique, stop_);
    if constexpr (kCloses) {
        if (shared_.held->names(request.header.nodeid, request.in.fh)) {
            return close_later<kOp>(shared_, request.header, request.in);
        }
    }
    if constexpr (kOp == Opcode::release) unlock_handle(shared_, request.header, request.in.fh);
    if constexpr (kOp == Opcode::flush) note_flush(shared_, request.header, request.in.lock_owner);
    client::Single<kOp> operation;
    if (const abi::Errno error = fill<Row>(operation.call, request); error != abi::Errno::none) {
        return refuse(request.header, error);
    }
    const abi::Caller caller = caller_of(request.header);
    posix::CallLimits limits{.stop = &stop_, .grace = kGrace};
    // Nobody waits for a close, and what is not closed stays open. A killed process interrupts the FLUSH that ends its locks, and the
    // kernel waits for the answer all the same: others may believe then that they are gone.
    if constexpr (kCloses || kOp == Opcode::flush) limits.stop = nullptr;
    posix::MountCall call(shared_.channel, caller, limits);
    if constexpr (kMoves) {
        const Region* const registered = shared_.channel.find_registered(payload_.host(), payload_.size());
        if (registered != nullptr) call.moves(*registered);
    }
    const auto after = [this, named = named_by(request)](const posix::LimitedCall&, auto&) {
        was_let_go_ = true;
        shared_.held->hold(named);
        return posix::AfterLate([held = shared_.held, named](posix::Channel& channel, posix::LateOutcome) {
            held->release(channel, named);
        });
    };
    call.run_and_leave([] { return posix::Held(); }, after, operation, request.header.nodeid);
    answer<Row>(operation, request);
}

template <class Row>
void CallRunner::answer(client::Single<Row::opcode>& operation, const server::Request<Row>& request) {
    auto& call = operation.call;
    posix::Failure failure = posix::failure_of(operation);
    if constexpr (Row::opcode == Opcode::lookup) {
        // The server said for how long there is no such name: the kernel remembers that.
        if (failure && call.succeeded() && call.reply.nodeid == 0 && failure.errc == Errc::ok) failure = {};
    }
    std::span<const std::byte> data;
    if constexpr (Row::out_tail != wire::OutTail::none) data = {call.data_out.host, call.bytes};
    std::span<const std::byte> fixed;
    if constexpr (!std::is_same_v<typename Row::Out, wire::None>) fixed = bytes_of(call.reply);
    if constexpr (Row::out_tail == wire::OutTail::size_or_data) {
        if (call.args.size != 0) fixed = {};
    }
    const bool was_answered = !failure;
    if (was_answered) failure = check_answer<Row>(call);
    Delivery delivery = Delivery::not_taken;
    if (failure) {
        refuse(request.header, failure.as_errno());
    } else {
        delivery = shared_.device.reply(request.header.unique, abi::Errno::none, fixed, data);
        note(delivery);
    }
    if constexpr (Row::grants.lookups != wire::Grants::Lookups::none || Row::traits.gives_back != Opcode{}) {
        if (!was_answered || delivery == Delivery::taken) return;
        client::Granted granted{};
        if constexpr (Row::out_tail == wire::OutTail::direntpluses) {
            granted.records = data;
        } else {
            granted = client::granted_by(*call.op, request.header.nodeid, fixed.data());
        }
        undo(granted);
    }
}

// Gives back what nobody took.
void CallRunner::undo(const client::Granted& granted) { client::undo_grants(granted, GiveBack{shared_.channel}); }

void CallRunner::serve(const server::RequestOf<Opcode::init>& request) {
    const client::SessionParams& params = shared_.channel.params();
    const std::uint32_t read = shared_.channel.piece_limits<Opcode::read>().registered;
    const std::uint32_t write = shared_.channel.piece_limits<Opcode::write>().registered;
    // The kernel counts in pages of its own, which are larger on some machines.
    const auto page = std::max(static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE)), kPage);
    server::ServerOptions options;
    options.flags = flags_for_kernel(params);
    options.max_pages =
        static_cast<std::uint16_t>(std::min<std::uint32_t>(read / page, std::numeric_limits<std::uint16_t>::max()));
    options.max_write = std::min(write, options.max_pages * page);
    options.max_readahead = params.max_readahead;
    options.time_gran = params.time_gran;
    if (params.max_background != 0) {
        options.max_background = params.max_background;
        options.congestion_threshold = params.congestion_threshold;
    }
    server::ServerSession::InitAnswer answer = shared_.session.init(request.in, options);
    answer.out.minor = std::min(answer.out.minor, params.minor);
    note(shared_.device.reply(request.header.unique, answer.error, bytes_of(answer.out).first(answer.size)));
}

// The kernel sends it for block devices alone; DESTROY of the server is the channel's.
void CallRunner::serve(const server::RequestOf<Opcode::destroy>& request) {
    note(shared_.device.reply(request.header.unique, abi::Errno::none));
}

void CallRunner::serve(const server::RequestOf<Opcode::forget>& request) {
    std::vector<client::Node*> nodes;
    shared_.held->give_back(request.header.nodeid, request.in.nlookup, nodes);
    shared_.channel.forget(nodes);
}

void CallRunner::serve(const server::RequestOf<Opcode::batch_forget>& request) {
    std::vector<client::Node*> nodes;
    server::RecordReader<wire::ForgetOne> reader = server::records(request);
    wire::ForgetOne one{};
    while (reader.next(one)) shared_.held->give_back(one.nodeid, one.nlookup, nodes);
    shared_.channel.forget(nodes);
}

// A call that another worker has just taken is about to be listed: the kernel sends this again then.
void CallRunner::serve(const server::RequestOf<Opcode::interrupt>& request) {
    ++shared_.counters.interrupts;
    if (shared_.running.interrupt(request.in.unique)) return;
    static_cast<void>(shared_.device.reply(request.header.unique, abi::Errno::eagain));
}

// Only a file system that an ioctl is meant for knows how many bytes it moves.
void CallRunner::serve(const server::RequestOf<Opcode::ioctl>& request) { refuse(request.header, abi::Errno::enotty); }

// Nobody would tell the kernel when a file has become ready: files are ready at any time for it from now on.
void CallRunner::serve(const server::RequestOf<Opcode::poll>& request) { refuse(request.header, abi::Errno::enosys); }

void CallRunner::serve(const server::RequestOf<Opcode::setlk>& request) {
    if (request.in.lk.type != abi::kLockUnlock) return try_lock(shared_, request.header, request.in);
    note_unlock(shared_, request.header, request.in);
    serve<wire::RowOf<Opcode::setlk>>(request);
}

void CallRunner::serve(const server::RequestOf<Opcode::setlkw>& request) {
    try {
        shared_.run_apart([&shared = shared_, header = request.header, wanted = request.in] {
            try {
                wait_for_lock(shared, header, wanted);
            } catch (const std::exception&) { // no memory
                static_cast<void>(shared.device.reply(header.unique, abi::Errno::enolck));
            }
        });
    } catch (const std::system_error&) { // no thread
        refuse(request.header, abi::Errno::enolck);
    }
}

void CallRunner::serve(const server::RequestOf<Opcode::notify_reply>&) {} // nothing is asked for
void CallRunner::serve(const server::RequestOf<Opcode::setupmapping>& request) {
    refuse(request.header, abi::Errno::enosys);
}
void CallRunner::serve(const server::RequestOf<Opcode::removemapping>& request) {
    refuse(request.header, abi::Errno::enosys);
}

} // namespace vfsproto::kernel_mount
