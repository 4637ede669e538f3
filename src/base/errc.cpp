// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/base/errc.hpp"

namespace vfsproto {

const char* to_string(Errc errc) noexcept {
    switch (errc) {
    case Errc::ok: return "no error";
    case Errc::no_slot: return "all request slots are in use";
    case Errc::queue_full: return "the virtqueue is full";
    case Errc::bad_argument: return "bad argument";
    case Errc::too_large: return "too large for what was negotiated";
    case Errc::not_negotiated: return "needs a feature that was not negotiated";
    case Errc::wrong_state: return "not possible in this state";
    case Errc::no_memory: return "the storage given is used up";
    case Errc::timed_out: return "the deadline passed";
    case Errc::abandoned: return "abandoned by its caller";
    case Errc::suspended: return "suspended, and not resumed yet";
    case Errc::unmapped_id: return "the caller has no user or group id at the server";
    case Errc::device_gone: return "the device is gone";
    case Errc::needs_reset: return "the device asks to be reset";
    case Errc::reset_timeout: return "the device did not finish its reset in time";
    case Errc::features_refused: return "the device refused the chosen features";
    case Errc::no_version_1: return "a legacy device (VIRTIO_F_VERSION_1 is not offered)";
    case Errc::config_invalid: return "the device's configuration space makes no sense";
    case Errc::queue_absent: return "a queue this device must have is absent";
    case Errc::transport_failed: return "the transport failed";
    case Errc::ring_id_out_of_range: return "the device used a descriptor id outside the ring";
    case Errc::ring_id_not_live: return "the device used a descriptor id that is not in flight";
    case Errc::ring_double_completion: return "the device completed a chain twice";
    case Errc::ring_used_length: return "the device claims to have written more than it was given";
    case Errc::ring_index_jump: return "the device's used index is ahead of what is in flight";
    case Errc::avail_index_jump: return "the driver's avail index is ahead of what the ring holds";
    case Errc::avail_head_invalid: return "the driver made an invalid head available";
    case Errc::chain_too_long: return "a descriptor chain loops or is too long";
    case Errc::chain_next_invalid: return "a descriptor's next lies outside the table";
    case Errc::chain_order: return "a readable descriptor follows a writable one";
    case Errc::chain_address: return "a descriptor lies outside the shared memory";
    case Errc::chain_indirect: return "a malformed indirect table";
    case Errc::chain_empty: return "an empty descriptor chain";
    case Errc::message_length: return "the peer sent a message of an impossible length";
    case Errc::protocol_violation: return "the peer broke the FUSE protocol";
    case Errc::unique_mismatch: return "a reply to a request that was never made";
    case Errc::version_unsupported: return "the server speaks an unsupported FUSE version";
    case Errc::init_refused: return "the server refused FUSE_INIT";
    case Errc::reply_lost: return "the server ended before it answered: it may have been done, or not";
    case Errc::file_lost: return "the server ended, and the open file was not found again";
    case Errc::locks_lost: return "the server ended, and the locks of the open file with it";
    case Errc::writes_lost: return "the server ended, and what was written and not synced with it";
    }
    return "unknown error";
}

} // namespace vfsproto
