// SPDX-License-Identifier: BSD-2-Clause
// One virtio-fs device, from reset to reset, with the engine's own parts: bring-up, two split rings, a connection, a lane.
// Nothing here knows which machine it runs on.
#pragma once

#include "host.hpp"

#include "vfsproto/fuse/client/connection.hpp"
#include "vfsproto/fuse/client/lane.hpp"
#include "vfsproto/fuse/client/operations/operation.hpp"
#include "vfsproto/transport/bring_up.hpp"
#include "vfsproto/transport/fs_config.hpp"
#include "vfsproto/virtqueue/queue_ref.hpp"
#include "vfsproto/virtqueue/split_driver.hpp"

#include <array>

// Any failure ends the run with words: there is nobody to hand an error to.
class Share {
public:
    explicit Share(vfsproto::Transport& transport) noexcept : bring_up_(transport), transport_(transport) {}
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    void mount() noexcept;
    void unmount() noexcept;
    [[nodiscard]] const vfsproto::FsConfig& config() const noexcept { return config_; }

    // Starts an operation and looks at the ring until it is finished. False: the server said no.
    template <class Op, class... Arguments>
    [[nodiscard]] bool run(Op& operation, const Arguments&... arguments) noexcept {
        finished_ = false;
        operation.user = this;
        operation.on_finish = [](vfsproto::client::Operation& done) noexcept {
            static_cast<Share*>(done.user)->finished_ = true;
        };
        operation.start(client_, vfsproto::client::Caller{}, arguments...);
        await_finish();
        if (operation.errc() != vfsproto::Errc::ok) host::fail("an operation", to_string(operation.errc()));
        return operation.succeeded();
    }
    // Gives one lookup back.
    void forget(std::uint64_t nodeid) noexcept;

private:
    static constexpr std::uint16_t kRingSize = 64; // at most
    static constexpr std::size_t kSlots = 8;
    static constexpr std::uint32_t kBounce = 64 * 1024;

    struct Queue {
        vfsproto::SplitDriver driver;
        std::array<vfsproto::SplitDriverState, kRingSize> shadow{};
    };

    void set_up(Queue& queue, vfsproto::QueueIndex index) noexcept;
    void await_finish() noexcept;
    void await_session(vfsproto::client::SessionState wanted) noexcept;
    void pump() noexcept;

    vfsproto::BringUp bring_up_;
    vfsproto::Transport& transport_;
    vfsproto::FsConfig config_{};
    Queue hiprio_;
    Queue requests_;
    vfsproto::client::Connection connection_;
    vfsproto::client::Lane lane_;
    std::array<vfsproto::client::Lane::Entry, kSlots> slots_{};
    vfsproto::client::Client client_{&lane_, &connection_.params(), &connection_.sticky()};
    vfsproto::client::ForgetLink forgotten_;
    bool finished_ = false;
};
