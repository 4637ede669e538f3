// SPDX-License-Identifier: BSD-2-Clause
#include "json.hpp"

#include "escape.hpp"
#include "mode.hpp"
#include "owner.hpp"

namespace vfsproto::cli {

using namespace wire::linux_abi;

void print_json(Program& program, const Json& value) {
    const int indent = program.out().is_terminal() ? 2 : -1;
    program.out().write(value.dump(indent, ' ', false, Json::error_handler_t::replace));
    program.out().write("\n");
}

void add_name(Json& object, const char* key, std::string_view bytes) {
    object[key] = std::string(bytes);
    if (!is_utf8(bytes)) object[std::string(key) + "_hex"] = to_hex(bytes);
}

void add_bytes(Json& object, const char* key, std::span<const std::byte> bytes) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const bool readable = is_utf8(text);
    object["encoding"] = readable ? "utf-8" : "base64";
    object[key] = readable ? std::string(text) : to_base64(bytes);
}

void add_attributes(Json& object, const posix::Attributes& attributes) {
    object["type"] = type_name(attributes.mode);
    object["mode"] = fmt::format("{:04o}", attributes.mode & kSIallugo);
    object["ino"] = attributes.ino;
    object["nlink"] = attributes.nlink;
    object["uid"] = attributes.uid;
    object["gid"] = attributes.gid;
    object["user"] = user_name(attributes.uid);
    object["group"] = group_name(attributes.gid);
    object["size"] = attributes.size;
    object["blocks"] = attributes.blocks;
    object["blksize"] = attributes.blksize;
    const std::uint32_t type = file_type(attributes.mode);
    if (type == kSIfblk || type == kSIfchr) {
        object["major"] = device_major(attributes.rdev);
        object["minor"] = device_minor(attributes.rdev);
    }
    object["atime"] = static_cast<std::int64_t>(attributes.atime);
    object["atime_nsec"] = attributes.atimensec;
    object["mtime"] = static_cast<std::int64_t>(attributes.mtime);
    object["mtime_nsec"] = attributes.mtimensec;
    object["ctime"] = static_cast<std::int64_t>(attributes.ctime);
    object["ctime_nsec"] = attributes.ctimensec;
}

} // namespace vfsproto::cli
