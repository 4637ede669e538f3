// SPDX-License-Identifier: BSD-2-Clause
// One range of the device's shared memory window, and what a host asks of the window and is answered.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vfsproto::client {

// Says how a mapping may be used. Whoever may write may also read.
enum class MapAccess : std::uint8_t { read, write };

// A range lies in storage of the host, and stays in place while its window is used. Hosts read window_offset and file_offset.
struct DaxRange {
    enum class State : std::uint8_t {
        free,
        setting_up, // its SETUPMAPPING is under way
        upgrading,  // the same, over a read-only mapping of its own
        mapped,
        removing,    // its REMOVEMAPPING is under way
        quarantined, // nobody knows what the server has mapped here
    };

    std::uint64_t window_offset = 0; // bytes from the start of the window
    std::uint64_t file_offset = 0;   // bytes from the start of the file
    std::uint64_t nodeid = 0;
    std::uint32_t uses = 0; // callers that may touch the mapping, or wait for their own set-up
    State state = State::free;
    MapAccess access = MapAccess::read;
    bool unwanted = false; // it is not found any more, and is removed when nobody uses it

    DaxRange* hash_next = nullptr;
    DaxRange* previous = nullptr; // in the list of ranges in the same state, oldest first
    DaxRange* next = nullptr;
};

// The bytes of a file that a caller wants to touch. `size` is that of the file, as the host knows it: bytes at or beyond the
// end fault at the server, so that they go by READ and WRITE, which also are the only way to make a file longer.
struct DaxWanted {
    std::uint64_t nodeid = 0;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::uint64_t size = 0;
    MapAccess access = MapAccess::read;
};

struct DaxAnswer {
    enum class Kind : std::uint8_t {
        ready,     // the caller may touch `length` bytes at window_offset, and calls release(*range) afterwards
        set_up,    // the host sends SETUPMAPPING for *range, and tells handle_set_up() what became of it
        reclaim,   // there is no free range: the host takes a removal, sends it, and asks again
        wait,      // somebody else's request, use or cut is in the way: ask again after the next change, or fall back
        fall_back, // READ and WRITE must do it, because of `why`
    };
    enum class Why : std::uint8_t {
        none,
        no_window,  // there is none, or none of one range
        refused,    // the server answered ENOSYS or EOPNOTSUPP to a SETUPMAPPING of this session
        all_in_use, // every range is used by somebody, or quarantined
        beyond_end, // the bytes lie at or beyond the end of the file
    };

    Kind kind = Kind::fall_back;
    Why why = Why::none;
    DaxRange* range = nullptr;
    std::uint64_t window_offset = 0; // of the first byte wanted
    std::uint64_t length = 0;        // bytes from there on: to the end of what is wanted, of the range, or of the file
};

// A change that takes bytes of a file away, in storage of the host: a SETATTR of its size, or a FALLOCATE that punches a hole.
struct DaxCut {
    std::uint64_t nodeid = 0;
    std::uint64_t from = 0;        // the first byte that goes
    std::uint64_t to = UINT64_MAX; // the first one behind them that stays
    DaxCut* next = nullptr;
};

// Ranges whose REMOVEMAPPING is under way. They are all of one node, whose number goes into the request's header.
struct DaxRemoval {
    std::uint64_t nodeid = 0;
    std::uint32_t count = 0;
    DaxRange* first = nullptr;
};

struct DaxCounters {
    std::uint64_t hits = 0;     // answers that needed no request
    std::uint64_t set_ups = 0;  // ranges mapped
    std::uint64_t upgrades = 0; // ranges mapped once more, to be written
    std::uint64_t removals = 0; // REMOVEMAPPINGs taken
    std::uint64_t removed = 0;  // ranges they gave back
    std::uint64_t failed = 0;   // set-ups and removals that the server refused, or that nobody knows the end of
};

} // namespace vfsproto::client
