// SPDX-License-Identifier: BSD-2-Clause
// One request in a trace, from its start to its end, and what ended it.
#pragma once

#include "trace_clock.hpp"

#include "vfsproto/abi/caller.hpp"
#include "vfsproto/base/errc.hpp"
#include "vfsproto/fuse/client/trace_event.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"
#include "vfsproto/fuse/wire/struct_fields.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::cli {

struct TracedRequest {
    const wire::OpInfo* op = nullptr; // nullptr: there is none
    std::uint64_t unique = 0;
    std::uint64_t nodeid = 0;
    abi::Caller caller{};
    std::uint32_t sent = 0; // bytes
    std::uint16_t slot = 0;
    std::uint8_t lane = 0;
    std::array<std::byte, wire::kMaxInSize> in{}; // the fixed struct
    std::size_t in_size = 0;
    std::string name;
    std::string name2;
    std::vector<wire::ForgetOne> forgotten; // of BATCH_FORGET
    TraceClock::Moment start{};
    bool is_told = false; // a writer has seen it

    [[nodiscard]] std::span<const std::byte> args() const noexcept { return {in.data(), in_size}; }
    // Returns the number of the virtqueue: what the session sends itself goes to the queue of its row.
    [[nodiscard]] unsigned queue() const noexcept {
        if (lane != 0) return lane;
        return op->traits.queue == wire::QueueKind::hiprio ? 0 : 1;
    }
};

struct TracedAnswer {
    client::TraceEnd end = client::TraceEnd::over;
    TraceClock::Moment moment{};
    std::uint32_t received = 0;           // bytes
    std::int32_t error = 0;               // the server's errno, positive
    Errc errc = Errc::ok;                 // the failure of the engine or the protocol
    std::span<const std::byte> out{};     // the fixed struct as far as it came
    std::span<const std::byte> records{}; // of READDIRPLUS; the device may change them at any time
    // One of these tells of the data behind it, by its kind.
    std::optional<std::size_t> bytes{};
    std::optional<std::size_t> entries{};
    std::optional<std::string> target{};

    [[nodiscard]] bool failed() const noexcept { return error != 0 || errc != Errc::ok; }
};

// Calls each(field, value) for the fields of a struct that say something, as far as the struct came.
template <class Each>
void for_each_field(std::span<const wire::Field> fields, std::span<const std::byte> from, Each&& each) {
    for (const wire::Field& field : fields) {
        if (field.form == wire::FieldForm::unused || std::size_t{field.offset} + field.size > from.size()) continue;
        each(field, wire::field_value(field, from.data()));
    }
}

// Returns the name of an errno, "ENOENT", or the number where there is no name.
[[nodiscard]] std::string errno_word(std::int32_t error);
// Returns what an end is called: "end", "abandoned" or "late".
[[nodiscard]] const char* word_of(client::TraceEnd end) noexcept;

} // namespace vfsproto::cli
