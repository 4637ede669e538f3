// SPDX-License-Identifier: BSD-2-Clause
// Reads tests/data/golden: messages captured from live daemons.
#pragma once

#include <bit>
#include <cstddef>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace vfsproto::test {

using Bytes = std::vector<std::byte>;

struct Golden {
    std::string daemon;
    std::string name;
    Bytes request;
    Bytes reply;
};

inline Bytes from_hex(const std::string& hex) {
    Bytes bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes.push_back(static_cast<std::byte>(std::stoul(hex.substr(i, 2), nullptr, 16)));
    }
    if (hex.size() % 2 != 0) throw std::runtime_error("odd number of hex digits");
    return bytes;
}

inline void read_golden(const std::string& daemon, std::vector<Golden>& all) {
    std::ifstream file(std::string(VFSPROTO_SOURCE_DIR) + "/tests/data/golden/" + daemon + ".txt");
    if (!file) throw std::runtime_error("no golden file for " + daemon);
    for (std::string line; std::getline(file, line);) {
        const std::string key = line.substr(0, 5);
        const std::string value = line.size() > 5 ? line.substr(5) : "";
        if (key == "name ") all.push_back({daemon, value, {}, {}});
        if (key == "req  ") all.back().request = from_hex(value);
        if (key == "rep  ") all.back().reply = from_hex(value);
        if (key == "used " && std::stoul(value) == 0) all.back().reply.clear();
    }
}

// None where they mean nothing (support/captured.hpp).
inline std::vector<Golden> all_golden() {
    std::vector<Golden> all;
    if constexpr (std::endian::native != std::endian::little) return all;
    read_golden("c_virtiofsd", all);
    read_golden("rust_virtiofsd", all);
    return all;
}

} // namespace vfsproto::test
