// SPDX-License-Identifier: BSD-2-Clause
// What --json prints.
#pragma once

#include "program.hpp"

#include "vfsproto/posix/file.hpp"

#include <nlohmann/json.hpp>

#include <span>
#include <string_view>

namespace vfsproto::cli {

using Json = nlohmann::ordered_json;

// One value and a newline. Never fails of what a string holds.
void print_json(Program& program, const Json& value);

// A name or path. What is no UTF-8 cannot be a JSON string: it is shown with replacement characters, and `key`_hex has
// the bytes.
void add_name(Json& object, const char* key, std::string_view bytes);
// Any bytes: as "encoding": "utf-8" or "base64" beside `key`.
void add_bytes(Json& object, const char* key, std::span<const std::byte> bytes);
// type, mode, ino, nlink, owner, size, times …. Times are whole seconds, with their nanoseconds apart.
void add_attributes(Json& object, const posix::Attributes& attributes);

} // namespace vfsproto::cli
