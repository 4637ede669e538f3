// SPDX-License-Identifier: BSD-2-Clause
// FIPS 180-4: the sums of its examples, whatever the pieces they are taken in.
#include "../../../src/cli/sha256.hpp"
#include "support/catch.hpp"

#include <string_view>

using vfsproto::cli::Sha256;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

} // namespace

TEST_CASE("the SHA-256 sums of the standard's examples come out", "[cli]") {
    Sha256 sum;
    CHECK(sum.finish() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sum.take(bytes_of("abc"));
    CHECK(sum.finish() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sum.take(bytes_of("abcdbcdecdefdefgefghfghighij"));
    sum.take(bytes_of("hijkijkljklmklmnlmnomnopnopq"));
    CHECK(sum.finish() == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}
