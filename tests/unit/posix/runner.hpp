// SPDX-License-Identifier: BSD-2-Clause
// A thread that runs handlers while a test waits for futures.
#pragma once

#include "vfsproto/posix/detail/asio_prefix.hpp"

#include <boost/asio/io_context.hpp>

#include <thread>

namespace vfsproto::test {

class Runner {
public:
    Runner() = default;
    ~Runner() {
        work_.reset();
        thread_.join();
    }
    Runner(const Runner&) = delete;
    Runner& operator=(const Runner&) = delete;

    boost::asio::io_context io;

private:
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io.get_executor()};
    std::thread thread_{[this] { io.run(); }};
};

} // namespace vfsproto::test
