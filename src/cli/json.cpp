// SPDX-License-Identifier: BSD-2-Clause
#include "json.hpp"

#include "escape.hpp"
#include "mode.hpp"
#include "owner.hpp"

#include <nlohmann/json.hpp>

namespace vfsproto::cli {

using namespace wire::linux_abi;
using Value = nlohmann::ordered_json;

Json::Json() : value_(std::make_unique<Value>()) {}
Json::Json(std::string_view text) : value_(std::make_unique<Value>(std::string(text))) {}
Json::Json(double number) : value_(std::make_unique<Value>(number)) {}
Json::Json(Truth truth) : value_(std::make_unique<Value>(truth.value)) {}
Json::Json(Signed number) : value_(std::make_unique<Value>(number.value)) {}
Json::Json(Unsigned number) : value_(std::make_unique<Value>(number.value)) {}
Json::Json(const Value& value) : value_(std::make_unique<Value>(value)) {}
Json::Json(const Json& other) : Json(*other.value_) {}
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(Json other) noexcept {
    value_ = std::move(other.value_);
    return *this;
}
Json::~Json() = default;

Json Json::array() { return Json(Value::array()); }

void Json::set(std::string_view key, const Json& value) { (*value_)[std::string(key)] = *value.value_; }
void Json::push_back(const Json& value) { value_->push_back(*value.value_); }

std::vector<std::pair<std::string, Json>> Json::members() const {
    std::vector<std::pair<std::string, Json>> found;
    for (const auto& member : value_->items()) found.emplace_back(member.key(), Json(member.value()));
    return found;
}

std::string Json::shown() const {
    if (value_->is_string()) return value_->get<std::string>();
    if (!value_->is_array()) return value_->dump();
    std::string text;
    for (const Value& item : *value_) text.append(text.empty() ? "" : " ").append(item.get<std::string>());
    return text.empty() ? "none" : text;
}

std::string Json::dump(int indent) const { return value_->dump(indent, ' ', false, Value::error_handler_t::replace); }

void print_json(Program& program, const Json& value) {
    const int indent = program.out().is_terminal() ? 2 : -1;
    program.out().write(value.dump(indent));
    program.out().write("\n");
}

void add_name(Json& object, const char* key, std::string_view bytes) {
    object.set(key, bytes);
    if (!is_utf8(bytes)) object.set(std::string(key) + "_hex", to_hex(bytes));
}

void add_bytes(Json& object, const char* key, std::span<const std::byte> bytes) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const bool readable = is_utf8(text);
    object.set("encoding", readable ? "utf-8" : "base64");
    object.set(key, readable ? Json(text) : Json(to_base64(bytes)));
}

void add_attributes(Json& object, const posix::Attributes& attributes) {
    object.set("type", type_name(attributes.mode));
    object.set("mode", fmt::format("{:04o}", attributes.mode & kSIallugo));
    object.set("ino", attributes.ino);
    object.set("nlink", attributes.nlink);
    object.set("uid", attributes.uid);
    object.set("gid", attributes.gid);
    object.set("user", user_name(attributes.uid));
    object.set("group", group_name(attributes.gid));
    object.set("size", attributes.size);
    object.set("blocks", attributes.blocks);
    object.set("blksize", attributes.blksize);
    const std::uint32_t type = file_type(attributes.mode);
    if (type == kSIfblk || type == kSIfchr) {
        object.set("major", device_major(attributes.rdev));
        object.set("minor", device_minor(attributes.rdev));
    }
    object.set("atime", static_cast<std::int64_t>(attributes.atime));
    object.set("atime_nsec", attributes.atimensec);
    object.set("mtime", static_cast<std::int64_t>(attributes.mtime));
    object.set("mtime_nsec", attributes.mtimensec);
    object.set("ctime", static_cast<std::int64_t>(attributes.ctime));
    object.set("ctime_nsec", attributes.ctimensec);
}

} // namespace vfsproto::cli
