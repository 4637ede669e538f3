// SPDX-License-Identifier: BSD-2-Clause
// The front end: the rooms beside this one, in the order of the protocol.
#pragma once

#include "memory_table.hpp"
#include "vring.hpp"
#include "watcher.hpp"

#include "vfsproto/backends/vhost_user.hpp"

#include <deque>
#include <optional>

namespace vfsproto::backends::vhost_user {

// Describes the back end by its own answers, asked once.
struct Peer {
    FeatureSet offered;           // as GET_FEATURES answered
    std::uint64_t protocol = 0;   // as GET_PROTOCOL_FEATURES answered
    std::uint64_t negotiated = 0; // protocol features in use
    std::uint16_t queues = 0;
    std::size_t slots = 0; // memory regions
    std::vector<std::byte> config;
    client::Quirks quirks;
};

class Backend final : public VhostUser, private Transport {
public:
    Backend(std::unique_ptr<Connection> connection, Peer peer, VhostUserOptions options);

    Transport& transport() noexcept override { return *this; }
    Result<Region> allocate(std::size_t bytes) noexcept override { return memory_.allocate(bytes); }
    void release(const Region& region) noexcept override { memory_.release(region); }
    void on_gone(std::function<void()> handler) override { watcher_.on_gone(std::move(handler)); }
    client::Quirks quirks() const noexcept override { return peer_.quirks; }
    std::vector<std::pair<std::string, std::string>> describe() const override;

    Result<std::uint32_t> stop_queue(QueueIndex index) noexcept override;
    std::uint64_t doorbells(QueueIndex index) const noexcept override;
    std::uint64_t system_calls() const noexcept override;
    std::string gone_reason() const override { return connection_->failure(); }
    bool server_has_ended() const noexcept override { return connection_->was_closed_by_peer(); }

private:
    Result<FeatureSet> device_features() noexcept override;
    Errc accept_features(FeatureSet features) noexcept override;
    Errc read_config(std::uint32_t offset, std::span<std::byte> out) noexcept override;
    Result<std::uint16_t> queue_count() noexcept override;
    Result<std::uint16_t> max_queue_size(QueueIndex index) noexcept override;
    Errc enable_queue(QueueIndex index, const QueueAddresses& addresses) noexcept override;
    Result<std::uint8_t> status() noexcept override;
    Errc set_status(std::uint8_t value) noexcept override;
    Errc reset() noexcept override;
    Doorbell doorbell(QueueIndex index) noexcept override;
    WaitHandle wait_handle(QueueIndex index) noexcept override;

    [[nodiscard]] Vring* vring(QueueIndex index) noexcept;
    [[nodiscard]] const Vring* vring(QueueIndex index) const noexcept;
    [[nodiscard]] Errc open_events(Vring& ring, QueueIndex index) noexcept;
    [[nodiscard]] Errc enable(Vring& ring) noexcept;

    std::unique_ptr<Connection> connection_;
    Peer peer_;
    VhostUserOptions options_;
    MemoryTable memory_;
    std::deque<Vring> vrings_; // never moved
    bool is_packed_ = false;   // RING_PACKED was accepted
    std::uint8_t status_ = 0;
    Watcher watcher_; // last: its thread ends before anything it looks at
};

// Steps 2 to 7 of the sequence: everything before the features are settled.
[[nodiscard]] std::optional<Peer> interview(Connection& connection, const VhostUserOptions& options, Errc& why);

} // namespace vfsproto::backends::vhost_user
