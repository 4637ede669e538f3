// SPDX-License-Identifier: BSD-2-Clause
// A READ or a WRITE of any length, under the limits of its call if that has any: what it lends to the device, and what its caller
// hears when a part of it was let go of.
#pragma once

#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/mount_call.hpp"
#include "vfsproto/posix/detail/node_cache.hpp"
#include "vfsproto/posix/file.hpp"

namespace vfsproto::posix {

// A transfer may be let go of while the device still uses its memory. So the memory is the lane's own, by a copy, or a
// Buffer's, which the request then keeps.
template <wire::Opcode Op> class LongTransferCall {
public:
    client::LongTransfer<Op> operation;

    // Looks at the memory before the operation is run by `call`. Errors: EBUSY, for a Buffer that is not free; why the device failed,
    // if it has.
    [[nodiscard]] Failure begin(MountCall& call, const client::TransferSpan& span) noexcept {
        lends_ = call.has_limits() && span.payload == client::Payload::registered;
        if (!lends_) return {};
        const Region& registered = *call.channel().find_registered(span.host, span.len);
        // The bytes of an earlier request, which may still come or be taken from there, would be mixed with those of this one.
        if (!call.channel().is_free(registered)) {
            const Errc failed = call.channel().failure();
            return failed != Errc::ok ? Failure(failed) : Failure(abi::Errno::ebusy);
        }
        call.moves(registered);
        return {};
    }
    // Is told when the operation was let go of.
    void let_go(const LimitedCall& call) noexcept {
        if (call.was_in_flight()) cut_ = call.why();
    }
    // Returns what was moved, when the operation has ended.
    [[nodiscard]] Expected<std::uint64_t> result() const {
        // A count would hide that the rest may still be written at the server, or read into the Buffer.
        const bool hides_the_rest = Op == wire::Opcode::write || lends_;
        if (hides_the_rest && cut_ != Errc::ok) return Failure(cut_);
        if (!operation.succeeded()) return failure_of(operation);
        return operation.done();
    }

private:
    bool lends_ = false;
    Errc cut_ = Errc::ok; // a part is in flight, and nobody knows what becomes of it
};

// Returns what a request that names an open file keeps.
[[nodiscard]] inline Held held_of(NodeCache& cache, const File& file) {
    Held held = cache.hold();
    held.handles.push_back(file.handle());
    return held;
}

} // namespace vfsproto::posix
