// SPDX-License-Identifier: BSD-2-Clause
// The attachment's own thread: sees the socket hang up and rings break while everybody else sleeps.
#pragma once

#include "connection.hpp"

#include "vfsproto/transport/transport.hpp"

#include <utility> // Boost 1.74 needs it first

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <list>
#include <thread>

namespace vfsproto::backends::vhost_user {

class Watcher {
public:
    // Starts to watch. The connection must outlive this.
    explicit Watcher(Connection& connection);
    ~Watcher();
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

    // Called once, from the watcher's thread, as soon as the connection has gone or if it had gone before.
    void on_gone(std::function<void()> handler);
    // A written error eventfd means the back end gave that ring up: nothing on it would ever complete. Errors: no_memory
    // when the system has no descriptors left.
    [[nodiscard]] Errc watch_errors(QueueIndex index, int event);

private:
    using Descriptor = boost::asio::posix::stream_descriptor;

    void wait_for_hangup();
    void tell();

    Connection& connection_;
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    // Only the watcher's thread touches what follows, once it runs.
    Descriptor socket_;
    std::list<Descriptor> errors_;
    std::function<void()> handler_;
    std::thread thread_;
};

} // namespace vfsproto::backends::vhost_user
