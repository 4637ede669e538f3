// SPDX-License-Identifier: BSD-2-Clause
#include "host.hpp"

// The four functions a compiler may call on its own; all that the core needs of a C library.
extern "C" {
void* memcpy(void* to, const void* from, std::size_t bytes) {
    auto* out = static_cast<unsigned char*>(to);
    const auto* in = static_cast<const unsigned char*>(from);
    for (std::size_t i = 0; i < bytes; ++i) out[i] = in[i];
    return to;
}
void* memmove(void* to, const void* from, std::size_t bytes) {
    auto* out = static_cast<unsigned char*>(to);
    const auto* in = static_cast<const unsigned char*>(from);
    if (out <= in) return memcpy(to, from, bytes);
    for (std::size_t i = bytes; i > 0; --i) out[i - 1] = in[i - 1];
    return to;
}
void* memset(void* to, int value, std::size_t bytes) {
    auto* out = static_cast<unsigned char*>(to);
    for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<unsigned char>(value);
    return to;
}
int memcmp(const void* left, const void* right, std::size_t bytes) {
    const auto* a = static_cast<const unsigned char*>(left);
    const auto* b = static_cast<const unsigned char*>(right);
    for (std::size_t i = 0; i < bytes; ++i) {
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    }
    return 0;
}
// The compiler may keep the table of an abstract class, which names this; nobody calls it.
void __cxa_pure_virtual() { host::fail("a pure virtual function", "called"); } // NOLINT
}

namespace host {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kMemory = 2u << 20;
alignas(kPage) std::byte memory[kMemory];
std::size_t taken = 0;

} // namespace

vfsproto::Region take_memory(std::size_t bytes) noexcept {
    const std::size_t whole = (bytes + kPage - 1) & ~(kPage - 1);
    if (whole > kMemory - taken) fail("memory", "used up");
    std::byte* const start = memory + taken;
    taken += whole;
    return {start, vfsproto::DeviceAddr{reinterpret_cast<std::uintptr_t>(start)}, whole};
}

void print(const char* text) noexcept {
    for (; *text != 0; ++text) {
        if (*text == '\n') machine::put('\r');
        machine::put(*text);
    }
}

void print(const char* text, std::size_t length) noexcept {
    for (std::size_t i = 0; i < length; ++i) machine::put(text[i]);
}

void print_number(std::uint64_t number) noexcept {
    char digits[20];
    std::size_t count = 0;
    do digits[count++] = static_cast<char>('0' + number % 10);
    while ((number /= 10) != 0);
    while (count > 0) machine::put(digits[--count]);
}

void print_hex(std::uint32_t number) noexcept {
    for (int shift = 28; shift >= 0; shift -= 4) machine::put("0123456789abcdef"[number >> shift & 15]);
}

void fail(const char* what, const char* why) noexcept {
    print("failed: ");
    print(what);
    print(": ");
    print(why);
    print("\n");
    machine::power_off();
}

} // namespace host
