// SPDX-License-Identifier: BSD-2-Clause
#include "backend.hpp"

#include "../unix_socket.hpp"

#include "vfsproto/transport/fs_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <system_error>

namespace vfsproto::backends {

std::vector<std::byte> fs_config_space(std::string_view tag, std::uint16_t num_request_queues) {
    FsConfig config;
    config.tag_length = static_cast<std::uint8_t>(std::min(tag.size(), FsConfig::kTagSize));
    std::memcpy(config.tag, tag.data(), config.tag_length);
    config.num_request_queues = num_request_queues;
    // The size of notification buffers is left out: no back end offers that feature, and they answer for 40 bytes.
    std::vector<std::byte> space(offsetof(FsConfigLayout, notify_buf_size));
    static_cast<void>(write_fs_config(config, 0, space));
    static_assert(kFsRequestQueuesAt == offsetof(FsConfigLayout, num_request_queues));
    return space;
}

Opened<VhostUser> VhostUser::open(VhostUserOptions options) {
    using namespace vhost_user;
    FileDescriptor socket(std::exchange(options.connected_socket, -1));
    if (options.queue_size == 0 || options.queue_size > 32768) {
        return {nullptr, Errc::bad_argument, "the queue size must be 1 to 32768"};
    }
    if (options.config.size() > ConfigMessage::kMaxSize) {
        return {nullptr, Errc::bad_argument, "the configuration space is longer than 256 bytes"};
    }
    if (options.arena_size == 0 || options.arena_size % Arena::kPage != 0) {
        return {nullptr, Errc::bad_argument, "the arena size must be a multiple of 4096 bytes"};
    }
    if (!socket) {
        Connected connected = connect_unix(options.socket_path, options.server_name, options.connect_patience);
        if (!connected.socket) return {nullptr, connected.error, std::move(connected.message)};
        socket = std::move(connected.socket);
    }
    auto connection = std::make_unique<Connection>(std::move(socket), options.reply_timeout);
    Errc why = Errc::ok;
    std::optional<Peer> peer = interview(*connection, options, why);
    if (!peer) {
        const std::string reason = connection->failure();
        return {nullptr, why, "vhost-user " + options.socket_path + ": " + (reason.empty() ? to_string(why) : reason)};
    }
    try {
        return {std::make_unique<Backend>(std::move(connection), std::move(*peer), std::move(options)), Errc::ok, {}};
    } catch (const std::system_error&) { // no thread, or nothing to watch the socket with
    }
    return {nullptr, Errc::no_memory, "no descriptors or threads left"};
}

namespace vhost_user {
namespace {

// The transport's own business, and what a legacy driver would look at; no driver above sees these.
FeatureSet without_own_bits(FeatureSet features) noexcept {
    constexpr std::uint64_t kNotifyOnEmpty = std::uint64_t{1} << 24;
    features.remove(Feature::vhost_log_all);
    features.remove(Feature::vhost_protocol_features);
    return FeatureSet(features.bits() & ~kNotifyOnEmpty);
}

constexpr std::uint16_t kLargestRing = 32768; // virtio 1.2 §2.7

} // namespace

Backend::Backend(std::unique_ptr<Connection> connection, Peer peer, VhostUserOptions options)
    : connection_(std::move(connection)),
      peer_(std::move(peer)),
      options_(std::move(options)),
      memory_(*connection_, options_.arena_size,
              (peer_.negotiated & protocol::kConfigureMemSlots) != 0 ? MemoryTable::Changes::by_region
                                                                     : MemoryTable::Changes::whole_table,
              peer_.slots),
      watcher_(*connection_) {
    for (std::uint16_t i = 0; i < peer_.queues; ++i) vrings_.emplace_back(i);
}

Result<FeatureSet> Backend::device_features() noexcept {
    if (connection_->gone()) return Errc::device_gone;
    return without_own_bits(peer_.offered);
}

Errc Backend::accept_features(FeatureSet features) noexcept {
    FeatureSet answer = features & without_own_bits(peer_.offered);
    if (answer != features) return Errc::bad_argument;
    // A back end told of no bit 30 would start its rings without ENABLE and forget the protocol features.
    if (peer_.offered.has(Feature::vhost_protocol_features)) answer.add(Feature::vhost_protocol_features);
    is_packed_ = features.has(Feature::ring_packed);
    const Errc why = connection_->tell(Request::set_features, answer.bits());
    // A refusal that left the connection standing is the device's "no" to these features.
    return why == Errc::transport_failed && !connection_->gone() ? Errc::features_refused : why;
}

Errc Backend::read_config(std::uint32_t offset, std::span<std::byte> out) noexcept {
    if (connection_->gone()) return Errc::device_gone;
    const auto& config = peer_.config;
    if (offset > config.size() || out.size() > config.size() - offset) return Errc::config_invalid;
    std::copy_n(config.begin() + offset, out.size(), out.begin());
    return Errc::ok;
}

Result<std::uint16_t> Backend::queue_count() noexcept {
    if (connection_->gone()) return Errc::device_gone;
    return peer_.queues;
}

Result<std::uint16_t> Backend::max_queue_size(QueueIndex index) noexcept {
    if (connection_->gone()) return Errc::device_gone;
    if (vring(index) == nullptr) return Errc::queue_absent;
    return options_.queue_size;
}

Errc Backend::enable_queue(QueueIndex index, const QueueAddresses& addresses) noexcept {
    if (connection_->gone()) return Errc::device_gone;
    Vring* const ring = vring(index);
    if (ring == nullptr) return Errc::queue_absent;
    if (ring->started()) return Errc::wrong_state;
    VringPlace place{addresses.size, memory_.user_address(addresses.descriptors),
                     memory_.user_address(addresses.driver), memory_.user_address(addresses.device)};
    if (is_packed_) {
        place.fresh_base = kPackedFreshBase;
        place.largest_base = 0xffff'ffff;
    }
    if (place.size == 0 || place.size > kLargestRing || place.descriptors == 0 || place.available == 0 ||
        place.used == 0) {
        return Errc::bad_argument;
    }
    if (const Errc why = open_events(*ring, index); why != Errc::ok) return why;
    if (const Errc why = memory_.publish(); why != Errc::ok) return why;
    if (const Errc why = ring->start(*connection_, place); why != Errc::ok) return why;
    if ((status_ & status::kDriverOk) == 0) return Errc::ok;
    const Errc why = enable(*ring);
    return why == Errc::ok ? connection_->settle() : why;
}

Errc Backend::open_events(Vring& ring, QueueIndex index) noexcept {
    if (ring.has_events()) return Errc::ok;
    if (const Errc why = ring.open_events(); why != Errc::ok) return why;
    return watcher_.watch_errors(index, ring.error_event());
}

Errc Backend::enable(Vring& ring) noexcept {
    // SET_VRING_ENABLE needs protocol features. Without them rings run at once.
    if (!peer_.offered.has(Feature::vhost_protocol_features)) return Errc::ok;
    return ring.enable(*connection_);
}

Result<std::uint8_t> Backend::status() noexcept {
    if (connection_->gone()) return Errc::device_gone;
    return status_;
}

// The status is kept on this side: the back end takes features and rings one by one and has no such register.
Errc Backend::set_status(std::uint8_t value) noexcept {
    if (connection_->gone()) return Errc::device_gone;
    const bool starts = (value & ~status_ & status::kDriverOk) != 0;
    status_ = value;
    if (!starts) return Errc::ok;
    for (Vring& ring : vrings_) {
        if (!ring.started()) continue;
        if (const Errc why = enable(ring); why != Errc::ok) return why;
    }
    // A doorbell that overtakes ENABLE may be swallowed: nobody rings before the back end has read it.
    return connection_->settle();
}

Errc Backend::reset() noexcept {
    if (connection_->gone()) return Errc::device_gone;
    for (Vring& ring : vrings_) {
        if (ring.started()) {
            if (const auto base = ring.stop(*connection_); !base) return base.error();
        }
        ring.forget_base();
    }
    status_ = 0;
    return Errc::ok;
}

Result<std::uint32_t> Backend::stop_queue(QueueIndex index) noexcept {
    if (connection_->gone()) return Errc::device_gone;
    Vring* const ring = vring(index);
    if (ring == nullptr) return Errc::queue_absent;
    return ring->started() ? ring->stop(*connection_) : Result<std::uint32_t>(Errc::wrong_state);
}

Doorbell Backend::doorbell(QueueIndex index) noexcept {
    Vring* const ring = vring(index);
    return ring == nullptr ? Doorbell{} : ring->doorbell();
}

WaitHandle Backend::wait_handle(QueueIndex index) noexcept {
    const Vring* const ring = vring(index);
    return ring == nullptr ? WaitHandle{} : ring->wait_handle();
}

std::uint64_t Backend::doorbells(QueueIndex index) const noexcept {
    const Vring* const ring = vring(index);
    return ring == nullptr ? 0 : ring->doorbells();
}

std::uint64_t Backend::system_calls() const noexcept {
    std::uint64_t calls = 0;
    for (const Vring& ring : vrings_) calls += ring.doorbells();
    return calls;
}

Vring* Backend::vring(QueueIndex index) noexcept {
    const auto at = static_cast<std::size_t>(index);
    return at < vrings_.size() ? &vrings_[at] : nullptr;
}

const Vring* Backend::vring(QueueIndex index) const noexcept {
    const auto at = static_cast<std::size_t>(index);
    return at < vrings_.size() ? &vrings_[at] : nullptr;
}

std::vector<std::pair<std::string, std::string>> Backend::describe() const {
    return {{"transport", "vhost-user"},
            {"socket", options_.socket_path},
            {"back end", peer_.quirks.peer},
            {"protocol features", fmt::format("{:#x} offered, {:#x} used", peer_.protocol, peer_.negotiated)},
            {"queues", std::to_string(peer_.queues)},
            {"memory slots", std::to_string(peer_.slots)},
            {"configuration", (peer_.negotiated & protocol::kConfig) != 0 ? "back end" : "front end"}};
}

} // namespace vhost_user
} // namespace vfsproto::backends
