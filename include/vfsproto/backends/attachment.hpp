// SPDX-License-Identifier: BSD-2-Clause
// The hosted seam between the backends and the faces above them: one device, reachable, with memory both sides can see. Most
// are virtio devices, whose queues are laid out over transport(); others bring queues of their own, by own_queues().
#pragma once

#include "vfsproto/backends/queue_set.hpp"
#include "vfsproto/base/region.hpp"
#include "vfsproto/base/result.hpp"
#include "vfsproto/fuse/client/quirks.hpp"
#include "vfsproto/transport/transport.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace vfsproto::backends {

// Owned by the face. Its calls may sleep; they are made by one thread at a time. It outlives every ring laid in its
// memory, and its destructor ends the device.
class Attachment {
public:
    Attachment() = default;
    Attachment(const Attachment&) = delete;
    Attachment& operator=(const Attachment&) = delete;
    virtual ~Attachment() = default;

    // Returns the virtio device. An attachment with queues of its own has none: every call on what it returns is answered
    // with transport_failed.
    [[nodiscard]] virtual Transport& transport() noexcept { return no_transport(); }
    // Returns the attachment's own queues, live, which the caller owns and destroys before the attachment. None for a virtio
    // device: its queues are brought up over transport(). Called once. May sleep.
    [[nodiscard]] virtual OwnQueues own_queues() { return {}; }

    // Memory the device can reach: zeroed, page aligned, owned by the attachment until release(). Legal at any time,
    // also while queues run. Errors: no_memory, transport_failed, device_gone.
    [[nodiscard]] virtual Result<Region> allocate(std::size_t bytes) noexcept = 0;
    virtual void release(const Region&) noexcept = 0;

    // Returns the device's shared memory region of that id, mapped (virtio 1.2 §2.10; virtio-fs' DAX window is 0). Its device
    // addresses count from its start. No bytes: there is none, or this attachment does not map it.
    [[nodiscard]] virtual Region window(std::uint8_t /*id*/) const noexcept { return {}; }

    // Called once, from a thread of the attachment's own, when the device has gone (its socket hung up, say). To be set
    // before the first queue is enabled. The handler must not destroy the attachment.
    virtual void on_gone(std::function<void()> handler) = 0;
    // Returns why the device has gone, for people; empty while it has not. Any thread.
    [[nodiscard]] virtual std::string gone_reason() const { return {}; }

    // True if the server has ended, as far as this side can know: it has closed the connection, and does no more of what it was
    // asked. False of one that was given up, and may still act, and where nobody can know. Any thread.
    [[nodiscard]] virtual bool server_has_ended() const noexcept { return false; }

    // Behind a bus, a server that dies may leave a device that just never answers.
    enum class End : std::uint8_t { is_told, may_be_silent };
    [[nodiscard]] virtual End end() const noexcept { return End::is_told; }

    [[nodiscard]] virtual client::Quirks quirks() const noexcept = 0;
    // System calls made so far to ring doorbells and to raise interrupts on this side of the device. Any thread.
    [[nodiscard]] virtual std::uint64_t system_calls() const noexcept = 0;
    // Describes the device for people: ("transport", "vhost-user"), ("socket", "/run/…") and the like.
    [[nodiscard]] virtual std::vector<std::pair<std::string, std::string>> describe() const = 0;
};

} // namespace vfsproto::backends
