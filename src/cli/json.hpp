// SPDX-License-Identifier: BSD-2-Clause
// The values that --json prints. The library's own header is large: only json.cpp includes it.
#pragma once

#include "program.hpp"

#include "vfsproto/posix/file.hpp"

#include <nlohmann/json_fwd.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vfsproto::cli {

// A JSON value: null, text, a number, true or false, an array, or an object whose members keep their order.
class Json {
public:
    Json();
    Json(std::string_view text);
    Json(const std::string& text) : Json(std::string_view(text)) {}
    Json(const char* text) : Json(std::string_view(text)) {}
    Json(double number);
    template <std::same_as<bool> T> Json(T truth) : Json(Truth{truth}) {}
    template <std::signed_integral T> Json(T number) : Json(Signed{number}) {}
    template <std::unsigned_integral T>
        requires(!std::same_as<T, bool>)
    Json(T number) : Json(Unsigned{number}) {}
    Json(const Json& other);
    Json(Json&& other) noexcept;
    Json& operator=(Json other) noexcept;
    ~Json();

    [[nodiscard]] static Json array();

    // Sets a member. A null value becomes an object first.
    void set(std::string_view key, const Json& value);
    void push_back(const Json& value);

    [[nodiscard]] std::vector<std::pair<std::string, Json>> members() const;
    // Returns text without its quotes, the items of an array with blanks between them, "none" for an empty one.
    [[nodiscard]] std::string shown() const;
    // Returns the value as JSON. `indent` is the number of blanks for each level; -1: all on one line.
    [[nodiscard]] std::string dump(int indent) const;

private:
    struct Truth {
        bool value;
    };
    struct Signed {
        std::int64_t value;
    };
    struct Unsigned {
        std::uint64_t value;
    };
    explicit Json(Truth truth);
    explicit Json(Signed number);
    explicit Json(Unsigned number);
    explicit Json(const nlohmann::ordered_json& value);

    std::unique_ptr<nlohmann::ordered_json> value_;
};

// Prints one value and a newline. Bytes that are no UTF-8 are replaced.
void print_json(Program& program, const Json& value);

// Adds a name or path. JSON text is UTF-8: other bytes are shown with replacement characters, and `key`_hex has the bytes.
void add_name(Json& object, const char* key, std::string_view bytes);
// Adds bytes of any kind, with "encoding": "utf-8" or "base64" beside `key`.
void add_bytes(Json& object, const char* key, std::span<const std::byte> bytes);
// Adds type, mode, owner, size, times and the rest. Times are whole seconds, with their nanoseconds beside them.
void add_attributes(Json& object, const posix::Attributes& attributes);

} // namespace vfsproto::cli
