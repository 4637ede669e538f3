// SPDX-License-Identifier: BSD-2-Clause
#include "kernel_session.hpp"

#include "worker_cut.hpp"

#include "vfsproto/backends/signal_free_thread.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"
#include "vfsproto/fuse/wire/notifications.hpp"

#include <system_error>
#include <utility>

namespace vfsproto::kernel_mount {

namespace {

constexpr std::chrono::milliseconds kLookForMemoryEvery{100};

} // namespace

KernelSession::KernelSession(posix::Channel& channel, backends::FileDescriptor device)
    : shared_{.channel = channel, .device = KernelDevice(std::move(device))} {
    shared_.run_apart = [this](std::function<void()> run) { run_apart(std::move(run)); };
    catch_cut();
    const std::lock_guard lock(mutex_);
    start_worker();
}

void KernelSession::start_worker() {
    workers_.reserve(workers_.size() + 1);
    workers_.push_back(backends::start_signal_free_thread([this] { work(); }));
    ++alive_;
}

void KernelSession::work() noexcept {
    let_cut_through();
    {
        CallRunner runner(shared_);
        bool has_served = false;
        while (!stopping_) {
            if (runner.prepare() == Errc::ok) {
                if (!take_one(runner)) break;
                has_served = true;
            } else if (has_served) { // its memory belongs to a request that was let go of
                wait_for_memory();
            } else {
                break;
            }
        }
    }
    const std::lock_guard lock(mutex_);
    --alive_;
    ended_.notify_all();
}

// The server has the memory that is missing, and gives it back with its answers.
void KernelSession::wait_for_memory() {
    std::unique_lock lock(mutex_);
    ended_.wait_for(lock, kLookForMemoryEvery, [this] { return stopping_.load(); });
}

// False if the mount has been taken away.
bool KernelSession::take_one(CallRunner& runner) {
    const auto room = runner.room();
    ++idle_;
    const ssize_t got = ::readv(shared_.device.fd(), room.data(), static_cast<int>(room.size()));
    const int error = got < 0 ? errno : 0;
    const bool is_last = --idle_ == 0;
    // ENOENT: the request was taken back. ENODEV: the mount was taken away, or its connection ended.
    if (error == ENODEV || error == ECONNABORTED) taken_away_ = true;
    if (got < 0) return error == EINTR || error == EAGAIN || error == ENOENT || error == ENOMEM;
    if (is_last) {
        const std::lock_guard lock(mutex_);
        if (!stopping_ && workers_.size() < kMostWorkers) {
            try {
                start_worker();
            } catch (const std::exception&) {} // those that are there go on
        }
    }
    runner.serve(static_cast<std::size_t>(got));
    return true;
}

void KernelSession::run_apart(std::function<void()> run) {
    const std::lock_guard lock(mutex_);
    backends::start_signal_free_thread([this, run = std::move(run)] {
        run();
        const std::lock_guard done(mutex_);
        --apart_;
        ended_.notify_all();
    }).detach();
    ++apart_;
}

bool KernelSession::is_over() {
    const std::lock_guard lock(mutex_);
    return alive_ == 0;
}

void KernelSession::end() noexcept {
    stopping_ = true;
    shared_.running.interrupt_all();
    shared_.held->stop_waiting();
    {
        std::unique_lock lock(mutex_);
        while (alive_ != 0 || apart_ != 0) {
            for (std::thread& worker : workers_) cut(worker);
            ended_.wait_for(lock, kCutEvery);
        }
    }
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
}

void KernelSession::notify(wire::NotifyCode code, std::span<const std::byte> fixed, std::string_view name) {
    std::byte message[sizeof(wire::OutHeader) + sizeof(wire::NotifyDeleteOut) + wire::kDirentNameMax + 1];
    const auto bytes = wire::encode_notification(message, code, fixed, name);
    const bool is_known = bytes && shared_.device.notify(std::span<const std::byte>(message).first(*bytes)) != EINVAL;
    ++(is_known ? shared_.counters.notifications : shared_.counters.unknown);
}

void KernelSession::take_change(const posix::ServerChange& change) {
    using What = posix::ServerChange::What;
    const auto send = [&](wire::NotifyCode code, const auto& fixed) {
        notify(code, std::as_bytes(std::span(&fixed, 1)), change.name);
    };
    const auto len = static_cast<std::uint32_t>(change.name.size());
    switch (change.what) {
    case What::file: {
        wire::NotifyInvalInodeOut all{}; // from the first byte to the last
        all.ino = change.nodeid;
        return send(wire::NotifyCode::inval_inode, all);
    }
    case What::name: {
        wire::NotifyInvalEntryOut entry{};
        entry.parent = change.nodeid;
        entry.namelen = len;
        return send(wire::NotifyCode::inval_entry, entry);
    }
    case What::removal: {
        wire::NotifyDeleteOut removal{};
        removal.parent = change.nodeid;
        removal.child = change.child;
        removal.namelen = len;
        return send(wire::NotifyCode::delete_entry, removal);
    }
    case What::everything: return notify(wire::NotifyCode::inc_epoch, {}, {}); // names alone; the rest expires
    }
}

} // namespace vfsproto::kernel_mount
