// SPDX-License-Identifier: BSD-2-Clause
// The values that --json prints. The library's own header is large: only json.cpp includes it.
#pragma once

#include "program.hpp"

#include "vfsproto/posix/file.hpp"

#include <nlohmann/json_fwd.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
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
    // Returns the value as JSON on one line. Bytes that are no UTF-8 are replaced.
    [[nodiscard]] std::string dump() const;

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

// Prints one value as a line, at once. Throws as Program::check(). Main thread.
void print_json(Program& program, const Json& value);
// Prints a line, with --json alone, for what a command has done to a file or with two paths. Main thread.
void print_done(Program& program, std::string_view path);
void print_done(Program& program, std::string_view path, std::string_view target);

// Adds a name, a path or another text. JSON text is UTF-8: other bytes are shown as replacement characters, and `key`_base64
// has them all.
void add_text(Json& object, const char* key, std::string_view bytes);
// Adds type, mode, owner, size, times and the rest. Times are whole seconds, with their nanoseconds beside them.
void add_attributes(Json& object, const posix::Attributes& attributes);

} // namespace vfsproto::cli
