// SPDX-License-Identifier: BSD-2-Clause
// Something a model run is done on. Every step's whole result is a line of text: equal lines are equal results.
#pragma once

#include "operation.hpp"

#include <string>

namespace model {

class Subject {
public:
    virtual ~Subject() = default;
    // Returns "ok …" with all that can be seen of the result, or the name of the error.
    [[nodiscard]] std::string apply(const Operation& operation);
    // Every file with its type, mode, link count, size, contents and target, one a line, in order.
    [[nodiscard]] virtual std::string whole_tree() = 0;

private:
    // Do the operations of one sort.
    [[nodiscard]] virtual std::string on_names(const Operation& operation) = 0;
    [[nodiscard]] virtual std::string on_attributes(const Operation& operation) = 0;
    [[nodiscard]] virtual std::string on_open_file(const Operation& operation) = 0;
};

// A short text for many bytes.
[[nodiscard]] inline std::string digest(const void* data, std::size_t len) {
    std::uint64_t hash = 1469598103934665603u;
    for (std::size_t i = 0; i < len; ++i) hash = (hash ^ static_cast<const unsigned char*>(data)[i]) * 1099511628211u;
    return std::to_string(len) + ':' + std::to_string(hash);
}

} // namespace model
