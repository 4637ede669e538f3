// SPDX-License-Identifier: BSD-2-Clause
// A device behind a vhost-user socket, seen from the front end: a virtiofsd, or any other back end. The front end knows no
// device type. What depends on one stands in the options, whose defaults are a file system's.
#pragma once

#include "vfsproto/backends/attachment.hpp"
#include "vfsproto/backends/opened.hpp"

#include <chrono>
#include <optional>
#include <string_view>

namespace vfsproto::backends {

// Configuration space of a virtio file system device (transport/fs_config.hpp). A tag longer than 36 bytes is cut.
[[nodiscard]] std::vector<std::byte> fs_config_space(std::string_view tag, std::uint16_t num_request_queues);
inline constexpr std::size_t kFsRequestQueuesAt = 36; // the number in it

struct VhostUserOptions {
    std::string socket_path;   // where the back end listens
    int connected_socket = -1; // or a socket that is connected already; taken over, also when open() fails

    // Used when the back end has none, or does not answer for as many bytes as this has. Empty: none is asked for, and
    // every read of it is config_invalid.
    std::vector<std::byte> config = fs_config_space("vfsproto", 1);
    // Tells where in `config` the number of request queues stands, a Le32. If `config` is used and the back end counts its queues
    // (MQ), that number becomes what it counts, less the first of them. Without a value `config` is used as it is.
    std::optional<std::size_t> request_queues_at{};
    std::uint16_t queues = 2; // used when the back end does not count them (no MQ)
    // Queues in each that a back end counts (GET_QUEUE_NUM): 2 for a network device, whose back ends count pairs.
    std::uint16_t queues_per_count = 1;
    std::uint16_t queue_size = 256; // the most entries a queue is offered: 1 to 32768

    // Quirks of the back end. Without a value they are found by the features it offers.
    std::optional<client::Quirks> quirks;
    std::string server_name = "virtiofsd"; // who is missing when nobody listens, for people

    std::chrono::milliseconds connect_patience{1000}; // how long a refused connection is tried again
    std::chrono::milliseconds reply_timeout{5000};    // a back end silent for longer has failed
    std::uint64_t withheld_protocol_features = 0;     // bits not to be negotiated although both sides know them
    std::size_t arena_size = std::size_t{64} << 20;   // bytes of one memory region
};

class VhostUser : public Attachment {
public:
    // Connects and asks everything that is asked once. May take connect_patience and, with a bad back end, several
    // reply_timeouts. Errors: bad_argument; transport_failed; device_gone; queue_absent.
    [[nodiscard]] static Opened<VhostUser> open(VhostUserOptions options);

    // Stops one queue (GET_VRING_BASE). Returns the ring's base: the index of the next chain the back end would have taken,
    // on a packed ring the position of that chain, and that of the next used descriptor in the upper half. Afterwards the
    // back end touches neither the ring nor the buffers. enable_queue() starts the queue again from there; after a reset
    // it starts anew. Errors: queue_absent, wrong_state when it does not run, transport_failed, device_gone.
    [[nodiscard]] virtual Result<std::uint32_t> stop_queue(QueueIndex index) noexcept = 0;

    // Returns how often the queue's doorbell was rung. Any thread.
    [[nodiscard]] virtual std::uint64_t doorbells(QueueIndex index) const noexcept = 0;
};

} // namespace vfsproto::backends
