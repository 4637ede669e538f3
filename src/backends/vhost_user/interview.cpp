// SPDX-License-Identifier: BSD-2-Clause
#include "backend.hpp"
#include "quirks_table.hpp"

#include <algorithm>
#include <cstring>

namespace vfsproto::backends::vhost_user {
namespace {

// One object per conversation: each step returns what went wrong.
class Interview {
public:
    Interview(Connection& connection, const VhostUserOptions& options) : connection_(connection), options_(options) {}

    Errc run() {
        if (const Errc why = features(); why != Errc::ok) return why;
        if (const Errc why = limits(); why != Errc::ok) return why;
        if (const Errc why = connection_.tell(Request::set_owner, std::span<const std::byte>{}); why != Errc::ok) {
            return why;
        }
        return config();
    }
    Peer peer;

private:
    // Both are always asked: some back ends count as negotiated only what was queried.
    Errc features() {
        const auto offered = connection_.ask_u64(Request::get_features);
        if (!offered) return offered.error();
        peer.offered = FeatureSet(*offered);
        if (peer.offered.has(Feature::vhost_protocol_features)) {
            const auto known = connection_.ask_u64(Request::get_protocol_features);
            if (!known) return known.error();
            peer.protocol = *known;
            peer.negotiated = *known & protocol::kSupported & ~options_.withheld_protocol_features;
            if (const Errc why = connection_.tell(Request::set_protocol_features, peer.negotiated); why != Errc::ok) {
                return why;
            }
            if ((peer.negotiated & protocol::kReplyAck) != 0) connection_.set_acks(Connection::Acks::on);
        }
        peer.quirks = options_.quirks ? *options_.quirks : recognise(peer.offered, peer.protocol);
        return Errc::ok;
    }

    Errc limits() {
        std::uint64_t queues = options_.queues;
        if ((peer.negotiated & protocol::kMq) != 0) {
            const auto count = connection_.ask_u64(Request::get_queue_num);
            if (!count) return count.error();
            queues = std::min<std::uint64_t>(*count, kMaxVrings) * options_.queues_per_count;
        }
        if (queues == 0) {
            connection_.fail("the back end has no queue");
            return Errc::queue_absent;
        }
        if (peer.quirks.max_request_queues != 0) {
            queues = std::min<std::uint64_t>(queues, peer.quirks.max_request_queues + std::uint64_t{1}); // and hiprio
        }
        peer.queues = static_cast<std::uint16_t>(std::min<std::uint64_t>(queues, kMaxVrings));

        peer.slots = MemoryTableMessage::kMaxRegions;
        if ((peer.negotiated & protocol::kConfigureMemSlots) != 0) {
            const auto slots = connection_.ask_u64(Request::get_max_mem_slots);
            if (!slots) return slots.error();
            constexpr std::uint64_t kSane = 4096;
            peer.slots = static_cast<std::size_t>(std::min(*slots, kSane));
        }
        return Errc::ok;
    }

    Errc config() {
        peer.config = options_.config;
        count_request_queues();
        const std::size_t size = peer.config.size();
        if ((peer.negotiated & protocol::kConfig) == 0 || size == 0) return Errc::ok;
        ConfigMessage question;
        question.size = static_cast<std::uint32_t>(size);
        const std::size_t length = ConfigMessage::kHeaderSize + size;
        ConfigMessage answer;
        const auto got = connection_.ask(Request::get_config, std::as_bytes(std::span(&question, 1)).first(length),
                                         std::as_writable_bytes(std::span(&answer, 1)).first(length));
        if (!got) return got.error();
        if (*got == 0) return Errc::ok; // "I have none of that size": ours stands
        if (*got != length || answer.offset != 0 || answer.size != size) {
            connection_.fail("a malformed answer to GET_CONFIG");
            return Errc::transport_failed;
        }
        std::memcpy(peer.config.data(), answer.data, size);
        return Errc::ok;
    }

    // The configuration of the options knows nothing of this back end.
    void count_request_queues() {
        if (!options_.request_queues_at || (peer.negotiated & protocol::kMq) == 0 || peer.queues < 2) return;
        const std::size_t at = *options_.request_queues_at;
        if (at > peer.config.size() || peer.config.size() - at < sizeof(Le32)) return;
        const Le32 count(static_cast<std::uint32_t>(peer.queues - 1)); // without hiprio
        std::memcpy(peer.config.data() + at, &count, sizeof count);
    }

    Connection& connection_;
    const VhostUserOptions& options_;
};

} // namespace

std::optional<Peer> interview(Connection& connection, const VhostUserOptions& options, Errc& why) {
    Interview conversation(connection, options);
    why = conversation.run();
    if (why != Errc::ok) return std::nullopt;
    return std::move(conversation.peer);
}

} // namespace vfsproto::backends::vhost_user
