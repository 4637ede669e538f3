// SPDX-License-Identifier: BSD-2-Clause
#include "watcher.hpp"

#include "vfsproto/backends/signal_free_thread.hpp"

#include <boost/asio/post.hpp>

#include <fcntl.h>

namespace vfsproto::backends::vhost_user {
namespace {

// Asio closes what it watches, and its epoll set must hold a descriptor of its own.
int duplicate(int fd) { return ::fcntl(fd, F_DUPFD_CLOEXEC, 0); }

} // namespace

Watcher::Watcher(Connection& connection)
    : connection_(connection), work_(context_.get_executor()), socket_(context_, duplicate(connection.socket())) {
    wait_for_hangup();
    thread_ = start_signal_free_thread([this] { context_.run(); });
}

Watcher::~Watcher() {
    context_.stop();
    thread_.join();
}

void Watcher::wait_for_hangup() {
    // This does not wait for readable: whoever asks takes the answer.
    socket_.async_wait(Descriptor::wait_error, [this](const boost::system::error_code& error) {
        if (error == boost::asio::error::operation_aborted) return;
        connection_.fail("the back end closed the connection", Connection::Ended::by_peer);
        tell();
    });
}

void Watcher::on_gone(std::function<void()> handler) {
    boost::asio::post(context_, [this, handler = std::move(handler)]() mutable {
        handler_ = std::move(handler);
        if (connection_.gone()) tell();
    });
}

Errc Watcher::watch_errors(QueueIndex index, int event) {
    const int copy = duplicate(event);
    if (copy < 0) return Errc::no_memory;
    boost::asio::post(context_, [this, index, copy] {
        Descriptor& descriptor = errors_.emplace_back(context_, copy);
        descriptor.async_wait(Descriptor::wait_read, [this, index](const boost::system::error_code& error) {
            if (error == boost::asio::error::operation_aborted) return;
            connection_.fail("the back end gave up queue " + std::to_string(static_cast<unsigned>(index)));
            tell();
        });
    });
    return Errc::ok;
}

void Watcher::tell() {
    const std::function<void()> handler = std::exchange(handler_, nullptr);
    if (handler) handler();
}

} // namespace vfsproto::backends::vhost_user
