// SPDX-License-Identifier: BSD-2-Clause
#include "kernel_server.hpp"

#include "worker_cut.hpp"

#include "vfsproto/backends/signal_free_thread.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <exception>
#include <utility>

namespace vfsproto::kernel_mount {

namespace {

constexpr const char* kDevice = "/dev/fuse";
constexpr unsigned long kClone = _IOR(229, 0, std::uint32_t); // FUSE_DEV_IOC_CLONE

// Returns another descriptor of the same connection: with a list of requests of its own, if the device can be opened, so that
// workers do not meet there.
backends::FileDescriptor another(int device) noexcept {
    backends::FileDescriptor clone(::open(kDevice, O_RDWR | O_CLOEXEC));
    auto source = static_cast<std::uint32_t>(device);
    if (clone && ::ioctl(clone.get(), kClone, &source) == 0) return clone;
    return backends::FileDescriptor(::fcntl(device, F_DUPFD_CLOEXEC, 0));
}

} // namespace

KernelServer::KernelServer(std::unique_ptr<KernelServed> served, backends::FileDescriptor device)
    : served_(std::move(served)) {
    catch_cut();
    workers_.reserve(kMostWorkers);
    teller_.emplace(device.get());
    served_->tell_answers_to(this);
    served_->tell_changes_to(&*teller_);
    try {
        const std::lock_guard lock(mutex_);
        start_worker(std::move(device));
    } catch (...) {
        end();
        throw;
    }
}

void KernelServer::start_worker(backends::FileDescriptor device) {
    const std::size_t id = lanes_made_;
    lanes_[id] = served_->make_lane(static_cast<std::uint16_t>(id), std::move(device));
    lanes_[id]->ask_elsewhere([this](std::span<const std::byte> reply) { try_everywhere(reply); });
    lanes_made_ = id + 1; // before it can park anything
    workers_.push_back(backends::start_signal_free_thread([this, &lane = *lanes_[id]] { work(lane); }));
    ++alive_;
}

// Those that are there go on if no other can be had.
void KernelServer::add_worker() noexcept {
    try {
        const std::lock_guard lock(mutex_);
        if (stopping_ || lanes_made_ == kMostWorkers) return;
        if (backends::FileDescriptor device = another(lanes_[0]->fd())) start_worker(std::move(device));
    } catch (const std::exception&) {}
}

void KernelServer::work(KernelLane& lane) noexcept {
    let_cut_through();
    while (!stopping_) {
        ++idle_;
        const KernelQueue::Took took = lane.wait();
        const bool was_last = --idle_ == 0;
        if (took == KernelQueue::Took::over) {
            taken_away_ = true;
            break;
        }
        if (took == KernelQueue::Took::nothing) continue;
        if (was_last) add_worker();
        requests_.fetch_add(1, std::memory_order_relaxed);
        lane.serve();
        // An unlock or an INTERRUPT may end the wait of a parked request of another lane.
        for (std::size_t i = 0; i < lanes_made_; ++i) {
            if (lanes_[i].get() != &lane) lanes_[i]->answer_parked();
        }
    }
    const std::lock_guard lock(mutex_);
    --alive_;
    ended_.notify_all();
}

// One takes it, unless the request is over.
void KernelServer::try_everywhere(std::span<const std::byte> reply) noexcept {
    for (std::size_t i = 0; i < lanes_made_; ++i) {
        if (::write(lanes_[i]->fd(), reply.data(), reply.size()) >= 0) return;
    }
}

void KernelServer::can_answer(std::uint16_t lane) noexcept {
    if (lane < lanes_made_) lanes_[lane]->answer_parked();
}

bool KernelServer::is_over() {
    const std::lock_guard lock(mutex_);
    return alive_ == 0;
}

// Changes are told as long as the workers serve, because the kernel may wait for an answer before it takes one.
void KernelServer::end() noexcept {
    if (served_ == nullptr) return;
    served_->tell_changes_to(nullptr);
    teller_.reset();
    stopping_ = true;
    {
        std::unique_lock lock(mutex_);
        while (alive_ != 0) {
            for (std::thread& worker : workers_) cut(worker);
            ended_.wait_for(lock, kCutEvery);
        }
    }
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
    served_->tell_answers_to(nullptr);
    for (std::size_t i = 0; i < lanes_made_; ++i) lanes_[i]->abandon();
    served_->end_session();
    for (auto& lane : lanes_) lane.reset();
    served_.reset();
}

} // namespace vfsproto::kernel_mount
