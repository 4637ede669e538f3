// SPDX-License-Identifier: BSD-2-Clause
#include "json.hpp"

#include "escape.hpp"
#include "mode.hpp"
#include "owner.hpp"

#include <nlohmann/json.hpp>

namespace vfsproto::cli {

using namespace abi;
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
    for (const Value& item : *value_) {
        text.append(text.empty() ? "" : " ").append(item.is_string() ? item.get<std::string>() : item.dump());
    }
    return text.empty() ? "none" : text;
}

std::string Json::dump() const { return value_->dump(-1, ' ', false, Value::error_handler_t::replace); }

void print_json(Program& program, const Json& value) {
    program.put_lines(value.dump() + '\n');
    program.check();
}

void print_done(Program& program, std::string_view path) {
    if (!program.wants_json()) return;
    Json object;
    add_text(object, "path", path);
    print_json(program, object);
}

void print_done(Program& program, std::string_view path, std::string_view target) {
    if (!program.wants_json()) return;
    Json object;
    add_text(object, "path", path);
    add_text(object, "target", target);
    print_json(program, object);
}

void add_text(Json& object, const char* key, std::string_view bytes) {
    object.set(key, bytes);
    if (!is_utf8(bytes)) object.set(std::string(key) + "_base64", to_base64(std::as_bytes(std::span(bytes))));
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
