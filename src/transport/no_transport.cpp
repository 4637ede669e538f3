// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/transport/transport.hpp"

namespace vfsproto {

namespace {

class NoTransport final : public Transport {
    Result<FeatureSet> device_features() noexcept override { return Errc::transport_failed; }
    Errc accept_features(FeatureSet) noexcept override { return Errc::transport_failed; }
    Errc read_config(std::uint32_t, std::span<std::byte>) noexcept override { return Errc::transport_failed; }
    Result<std::uint16_t> queue_count() noexcept override { return Errc::transport_failed; }
    Result<std::uint16_t> max_queue_size(QueueIndex) noexcept override { return Errc::transport_failed; }
    Errc enable_queue(QueueIndex, const QueueAddresses&) noexcept override { return Errc::transport_failed; }
    Result<std::uint8_t> status() noexcept override { return Errc::transport_failed; }
    Errc set_status(std::uint8_t) noexcept override { return Errc::transport_failed; }
    Errc reset() noexcept override { return Errc::transport_failed; }
    Doorbell doorbell(QueueIndex) noexcept override { return {}; }
    WaitHandle wait_handle(QueueIndex) noexcept override { return {}; }
};

constinit NoTransport the_one; // it has no state

} // namespace

Transport& no_transport() noexcept { return the_one; }

} // namespace vfsproto
