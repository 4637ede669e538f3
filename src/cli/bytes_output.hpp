// SPDX-License-Identifier: BSD-2-Clause
// The bytes of files on standard output. With --json each piece of a file is a line, so that no file has to fit into memory.
#pragma once

#include "program.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::cli {

class BytesOutput {
public:
    explicit BytesOutput(Program& program) : program_(program) {}

    // The bytes that follow are those of this file from `offset` on.
    void start(std::string_view path, std::uint64_t offset);
    // Takes the next bytes. Throws as Program::check().
    void take(std::span<const std::byte> bytes);
    // Says that all of the part that was asked for has come. Not called where reading failed.
    void end();

private:
    // Says whether more follows.
    enum class Piece : std::uint8_t { inner, last };

    // The text of the pieces of one file, put together, is base64 again: each but the last has a multiple of three bytes.
    static constexpr std::size_t kGroup = 3;
    static constexpr std::size_t kMost = kGroup << 16; // bytes of one piece

    void print(std::span<const std::byte> bytes, Piece piece);

    Program& program_;
    std::string path_;
    std::uint64_t offset_ = 0;    // of what was not printed yet
    std::vector<std::byte> held_; // less than a group
};

} // namespace vfsproto::cli
