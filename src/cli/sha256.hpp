// SPDX-License-Identifier: BSD-2-Clause
// The SHA-256 sum of bytes that come piece by piece.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

struct sha256_ctx; // of the library that computes it

namespace vfsproto::cli {

class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;

    void take(std::span<const std::byte> bytes) noexcept;
    // Returns the sum of all bytes taken as 64 digits, and begins anew.
    [[nodiscard]] std::string finish();

private:
    std::unique_ptr<sha256_ctx> context_;
};

} // namespace vfsproto::cli
