// SPDX-License-Identifier: BSD-2-Clause
// The input of a ring's fuzz targets: three bytes that choose the rings, then a script of steps. Whoever reads beyond the
// end reads zeroes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vfsproto::fuzz {

class Script {
public:
    explicit Script(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

    [[nodiscard]] bool is_over() const noexcept { return at_ >= bytes_.size(); }
    void stop() noexcept { at_ = bytes_.size(); }
    std::uint8_t byte() noexcept { return is_over() ? std::uint8_t{0} : static_cast<std::uint8_t>(bytes_[at_++]); }
    std::uint16_t word() noexcept { return static_cast<std::uint16_t>(byte() | byte() << 8); }
    std::uint64_t number(unsigned bytes) noexcept {
        std::uint64_t value = 0;
        for (unsigned i = 0; i < bytes; ++i) value |= std::uint64_t{byte()} << 8 * i;
        return value;
    }
    // Takes a script of `size` bytes off, or of all that are left.
    Script part(std::size_t size) noexcept {
        const std::size_t left = bytes_.size() - at_;
        const Script result(bytes_.subspan(at_, size < left ? size : left));
        at_ += size < left ? size : left;
        return result;
    }

private:
    std::span<const std::byte> bytes_;
    std::size_t at_ = 0;
};

// The first byte of a step selects one of these, modulo kSteps.
enum class Step : std::uint8_t {
    submit,          // readable and writable segments in the two halves of a byte, then a byte for their lengths
    submit_prepared, // by id, on a ring that has them: a byte for the length
    kick,
    poll,       // a byte: room for as many completions
    arm_driver, // a byte: after as many completions
    disarm_driver,
    start_anew, // evacuate and restart the driver, a device of the same kind
    pop,
    push,          // a byte: which of the chains that are out; a byte: how many bytes were written
    push_stranger, // a byte: the head of a chain that is not out
    publish,
    notify, // wants_notification()
    arm_device,
    disarm_device,
    scribble,   // over the ring: an area, an offset of two bytes, a width, a value
    forge_used, // a byte: id; a byte: length; a byte: by how much the index steps, or the flags
    forge_chain, // a byte: id; a byte: address; a byte: length; a byte: flags; a byte: next, or how far the place goes on
    ambush,      // a byte: at which access from now on; a byte: the length of the script the peer runs there
    steps
};
inline constexpr unsigned kSteps = static_cast<unsigned>(Step::steps);

// Bits of the first byte of an input.
namespace chosen {
inline constexpr std::uint8_t kEventIndex = 1;
inline constexpr std::uint8_t kTables = 2;
inline constexpr std::uint8_t kInOrder = 4;
inline constexpr std::uint8_t kPlatform = 8;   // fences for hardware
inline constexpr std::uint8_t kStrangers = 16; // the two sides negotiated different things
} // namespace chosen

// Writes the script of a session that follows the rules, as far as steps and their arguments go.
class ScriptWriter {
public:
    ScriptWriter(std::uint8_t options, std::uint8_t size, std::uint8_t shape) { bytes(options, size, shape); }

    template <class... B> void step(Step step, B... arguments) { bytes(static_cast<std::uint8_t>(step), arguments...); }
    [[nodiscard]] const std::vector<std::byte>& written() const noexcept { return written_; }

private:
    template <class... B> void bytes(B... each) { (written_.push_back(static_cast<std::byte>(each)), ...); }
    std::vector<std::byte> written_;
};

} // namespace vfsproto::fuzz
