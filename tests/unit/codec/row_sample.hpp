// SPDX-License-Identifier: BSD-2-Clause
// A request and a reply for any row of the op table, filled from a seed.
#pragma once

#include "support/golden_file.hpp"
#include "vfsproto/fuse/wire/extensions.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"

#include <random>

namespace vfsproto::test {

template <class S> S random_struct(std::mt19937& random) {
    S value{};
    auto* bytes = reinterpret_cast<unsigned char*>(&value);
    for (std::size_t i = 0; i < wire::kWireSize<S>; ++i) bytes[i] = static_cast<unsigned char>(random());
    return value;
}

inline Bytes random_bytes(std::mt19937& random, std::size_t size) {
    Bytes bytes(size);
    for (std::byte& b : bytes) b = static_cast<std::byte>(random());
    return bytes;
}

template <class R> struct RowSample {
    typename R::In in{};
    std::string first{};
    std::string second{};
    Bytes data{};
    Bytes extensions{};
    typename R::Out out{};
    Bytes reply_data{};
    wire::u32 asked{};

    explicit RowSample(unsigned seed) {
        std::mt19937 random(seed);
        in = random_struct<typename R::In>(random);
        out = random_struct<typename R::Out>(random);
        const auto has_name = R::in_tail == wire::InTail::name || R::in_tail == wire::InTail::name_pair ||
                              R::in_tail == wire::InTail::name_data;
        if (has_name) first = "first-" + std::to_string(random() % 1000);
        if (R::in_tail == wire::InTail::name_pair) second = "second-" + std::to_string(random() % 1000);
        if constexpr (R::in_tail == wire::InTail::data || R::in_tail == wire::InTail::name_data ||
                      R::in_tail == wire::InTail::array) {
            constexpr wire::TailField field = wire::op_info(R::opcode).tail_field;
            const auto count = static_cast<wire::u32>(random() % 50);
            data = random_bytes(random, std::size_t{count} * field.unit);
            __builtin_memcpy(reinterpret_cast<char*>(&in) + field.offset, &count, sizeof count);
        }
        if constexpr (R::traits.extensions == wire::Extensions::allowed) {
            extensions.resize(256);
            wire::ExtensionWriter writer(extensions);
            const Bytes context = random_bytes(random, random() % 40);
            const wire::NamedContext contexts[] = {{"security.selinux", context}};
            const wire::u32 groups[] = {7, 8, 9};
            if (writer.add_security_contexts(contexts) != Errc::ok || writer.add_groups(groups) != Errc::ok) throw seed;
            extensions.resize(writer.bytes().size());
        }
        if (R::out_tail != wire::OutTail::none) {
            asked = static_cast<wire::u32>(1 + random() % 200);
            reply_data = random_bytes(random, random() % (asked + 1));
        }
    }
};

} // namespace vfsproto::test
