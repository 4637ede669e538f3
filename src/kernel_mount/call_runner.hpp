// SPDX-License-Identifier: BSD-2-Clause
// A request of the kernel is taken apart as the op table says, and made a request of the client; the answer, once checked, goes
// back.
#pragma once

#include "handle_locks.hpp"
#include "held_nodes.hpp"
#include "kernel_device.hpp"
#include "late_locks.hpp"
#include "running_calls.hpp"

#include "vfsproto/base/region.hpp"
#include "vfsproto/fuse/client/operations/operation.hpp"
#include "vfsproto/fuse/server/request_view.hpp"
#include "vfsproto/posix/detail/mount_call.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace vfsproto::kernel_mount {

// Counts since the mount began. Any thread.
struct MountCounters {
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> interrupts{0};
    std::atomic<std::uint64_t> not_taken{0};     // replies that came too late
    std::atomic<std::uint64_t> notifications{0}; // passed on
    std::atomic<std::uint64_t> unknown{0};       // changes that the kernel cannot be told of
};

// The workers of a mount share this.
struct MountShared {
    posix::Channel& channel;
    KernelDevice device;
    server::ServerSession session{}; // with the kernel
    RunningCalls running{};
    std::shared_ptr<HeldNodes> held = std::make_shared<HeldNodes>(); // calls that were let go of end later
    std::shared_ptr<LateLocks> late_locks = std::make_shared<LateLocks>();
    HandleLocks handle_locks{};
    // Requests that may wait for a lock at the server.
    std::shared_ptr<std::atomic<std::size_t>> lock_waits = std::make_shared<std::atomic<std::size_t>>(0);
    MountCounters counters{};
    std::function<void(std::function<void()>)>
        run_apart{}; // runs something that may wait for long on a thread of its own
};

// A worker has one, whose memory holds one request.
class CallRunner {
public:
    explicit CallRunner(MountShared& shared) noexcept : shared_(shared) {}
    ~CallRunner();
    CallRunner(const CallRunner&) = delete;
    CallRunner& operator=(const CallRunner&) = delete;

    // Makes room for a request. Errors: no_memory and the transport's.
    [[nodiscard]] Errc prepare();
    // Returns where a request goes: the payload of a WRITE to the start of memory that the device reaches.
    [[nodiscard]] std::array<iovec, 2> room() noexcept;
    // Serves a request of so many bytes.
    void serve(std::size_t bytes);

    // Serves a request whose row is known. What needs more than to be passed on has an overload.
    template <class Row> void serve(const server::Request<Row>& request);
    void serve(const server::RequestOf<wire::Opcode::init>& request);
    void serve(const server::RequestOf<wire::Opcode::destroy>& request);
    void serve(const server::RequestOf<wire::Opcode::forget>& request);
    void serve(const server::RequestOf<wire::Opcode::batch_forget>& request);
    void serve(const server::RequestOf<wire::Opcode::interrupt>& request);
    void serve(const server::RequestOf<wire::Opcode::ioctl>& request);
    void serve(const server::RequestOf<wire::Opcode::poll>& request);
    void serve(const server::RequestOf<wire::Opcode::setlk>& request);
    void serve(const server::RequestOf<wire::Opcode::setlkw>& request);
    void serve(const server::RequestOf<wire::Opcode::notify_reply>& request);
    void serve(const server::RequestOf<wire::Opcode::setupmapping>& request);
    void serve(const server::RequestOf<wire::Opcode::removemapping>& request);

private:
    static constexpr std::size_t kHead = sizeof(wire::InHeader) + sizeof(wire::WriteIn);

    template <class Row> static void serve_row(CallRunner& runner, server::RequestView& view);
    template <class... Rows> static constexpr auto table(wire::RowList<Rows...>) noexcept;

    template <class Row> abi::Errno fill(client::Call<Row::opcode>& call, const server::Request<Row>& request);
    template <class Row> void answer(client::Single<Row::opcode>& operation, const server::Request<Row>& request);
    void refuse(const wire::InHeader& header, abi::Errno why);
    void note(Delivery delivery) noexcept;
    [[nodiscard]] client::DataIn data_in(const server::ByteView& data);
    [[nodiscard]] client::DataOut data_out(std::uint32_t size);
    void undo(const client::Granted& granted);

    MountShared& shared_;
    Region payload_{};
    bool was_let_go_ = false; // the request before: the server may still move bytes of its payload
    alignas(8) std::byte head_[kHead];
    server::RequestScratch scratch_;
    Segment segments_[2];        // the first is the lane's
    std::vector<std::byte> own_; // data that the device reaches by a copy
    posix::StopSource stop_;
};

} // namespace vfsproto::kernel_mount
