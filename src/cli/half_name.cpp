// SPDX-License-Identifier: BSD-2-Clause
#include "half_name.hpp"

#include "sha256.hpp"

#include <fmt/format.h>

#include <span>

namespace vfsproto::cli {
namespace {

constexpr std::string_view kBegin = ".vfsproto-half-";
constexpr std::size_t kTargetDigits = 16;
constexpr std::size_t kVersionDigits = 32;

std::string digits_of(std::string_view text, std::size_t count) {
    Sha256 sum;
    sum.take(std::as_bytes(std::span(text)));
    return sum.finish().substr(0, count);
}

} // namespace

std::string half_name_prefix(std::string_view target) {
    return std::string(kBegin) + digits_of(target, kTargetDigits) + '-';
}

std::string half_name(std::string_view target, const abi::Attributes& source) {
    const std::string version = fmt::format("{} {} {}.{} {}.{}", source.ino, source.size, source.mtime,
                                            source.mtimensec, source.ctime, source.ctimensec);
    return half_name_prefix(target) + digits_of(version, kVersionDigits);
}

bool is_half_name(std::string_view name) noexcept {
    return name.starts_with(kBegin) && name.size() == kBegin.size() + kTargetDigits + 1 + kVersionDigits;
}

} // namespace vfsproto::cli
