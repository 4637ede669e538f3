// SPDX-License-Identifier: BSD-2-Clause
#include "sha256.hpp"

#include <fmt/format.h>
#include <nettle/sha2.h>

#include <array>
#include <cstdint>

namespace vfsproto::cli {

Sha256::Sha256() : context_(std::make_unique<sha256_ctx>()) { sha256_init(context_.get()); }

Sha256::~Sha256() = default;

void Sha256::take(std::span<const std::byte> bytes) noexcept {
    sha256_update(context_.get(), bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
}

std::string Sha256::finish() {
    std::array<std::uint8_t, SHA256_DIGEST_SIZE> sum{};
    sha256_digest(context_.get(), sum.size(), sum.data());
    return fmt::format("{:02x}", fmt::join(sum, ""));
}

} // namespace vfsproto::cli
