// SPDX-License-Identifier: BSD-2-Clause
// The errors of the engine itself: it refuses a call, or the peer broke a rule. The errors of a file server ("no such file")
// are abi::Errno, data in a reply.
#pragma once

#include <cstdint>

namespace vfsproto {

enum class Errc : std::uint8_t {
    ok,

    // The caller's side. Nothing is latched.
    no_slot,        // back-pressure: wait for a reply, then try again
    queue_full,     // the ring has no room for this chain now
    bad_argument,   // an argument no peer could be given
    too_large,      // longer than the negotiated or provided room
    not_negotiated, // needs a feature the other side did not accept
    wrong_state,    // legal, but not now
    no_memory,      // the storage the caller gave is used up
    timed_out,      // its deadline passed: the caller waits no more
    abandoned,      // its caller waits no more, for a reason of its own
    suspended,      // nothing is asked of the device until it is resumed
    unmapped_id,    // an id of the caller has no image at the server

    // The device or the transport.
    device_gone,      // reset, unplugged, or its socket closed: every request fails with ENOTCONN
    needs_reset,      // the device set DEVICE_NEEDS_RESET
    reset_timeout,    // status did not read 0 in time
    features_refused, // FEATURES_OK did not stick
    no_version_1,     // a legacy device: VIRTIO_F_VERSION_1 is not offered
    config_invalid,   // configuration space makes no sense (empty tag, no request queue)
    queue_absent,     // a queue this device must have is not there
    transport_failed, // the transport's own protocol was broken or its call failed

    // The device broke a rule of the ring, seen by the driver. The queue is latched.
    ring_id_out_of_range,   // used id is no descriptor of this ring
    ring_id_not_live,       // used id is not the head of a chain in flight
    ring_double_completion, // used id was completed already
    ring_used_length,       // used length above what was writable
    ring_index_jump,        // used index ahead by more than what is in flight

    // The driver broke a rule of the ring, seen by the device side. The queue is latched.
    avail_index_jump,   // avail index ahead by more than the ring holds
    avail_head_invalid, // head is no descriptor of this ring, or is in flight already
    chain_too_long,     // loops, or has more descriptors than allowed
    chain_next_invalid, // next points outside the table
    chain_order,        // a readable descriptor after a writable one
    chain_address,      // a descriptor outside the memory given
    chain_indirect,     // a malformed indirect table
    chain_empty,        // no bytes at all

    // The peer broke a rule of FUSE.
    message_length,      // on a stream: shorter than a header, or longer than its room. The stream is latched
    protocol_violation,  // a malformed reply or request: fails that one request
    unique_mismatch,     // a reply to a request we did not make: latches the lane
    version_unsupported, // INIT: another major, or a minor below 27
    init_refused,        // INIT: the server answered with an error

    // The server ended, and another session takes the place of this one. Nothing is latched.
    reply_lost, // a request was under way: nobody knows if it was done, and it is not safe to send it once more
    file_lost,  // an open file could not be opened again, or another file has its name now
    locks_lost, // an open file may have had locks, which the server took along: others may have changed it since
    writes_lost, // what was written to an open file since its last fsync is gone: the server kept it in memory of its own
};

// A short English sentence, static storage. Any context.
[[nodiscard]] const char* to_string(Errc) noexcept;

} // namespace vfsproto
