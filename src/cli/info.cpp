// SPDX-License-Identifier: BSD-2-Clause
// info: what the device is and what was agreed with it.
#include "commands.hpp"
#include "json.hpp"
#include "readable.hpp"

#include <algorithm>

namespace vfsproto::cli {
namespace {

struct NoOptions {};

std::string with_underscores(std::string key) {
    std::replace(key.begin(), key.end(), ' ', '_');
    return key;
}

std::string with_spaces(std::string key) {
    std::replace(key.begin(), key.end(), '_', ' ');
    return key;
}

template <class NameOf> Json names_of(std::uint64_t bits, NameOf&& name_of) {
    Json names = Json::array();
    for (unsigned bit = 0; bit < 64; ++bit) {
        if ((bits >> bit & 1) == 0) continue;
        const char* name = name_of(bit);
        names.push_back(name != nullptr ? std::string(name) : fmt::format("bit {}", bit));
    }
    return names;
}

Json device_part(posix::Channel& channel) {
    Json device;
    for (const auto& [key, value] : channel.attachment().describe()) device[with_underscores(key)] = value;
    const posix::DriverQueues& rings = channel.rings();
    device["tag"] = rings.config().tag;
    device["request_queues"] = rings.config().num_request_queues;
    device["queue_size"] = rings.request_ring().size();
    device["features_offered"] = names_of(rings.offered().bits(), feature_name);
    device["features_used"] = names_of(rings.features().bits(), feature_name);
    return device;
}

Json session_part(posix::Channel& channel) {
    const client::SessionParams& params = channel.params();
    Json session;
    session["version"] = fmt::format("{}.{}", wire::kMajor, params.minor);
    session["flags"] = names_of(params.flags.bits(), wire::init_flag_name);
    session["flags_offered"] = names_of(params.offered.bits(), wire::init_flag_name);
    session["max_write"] = params.max_write;
    session["max_read"] = params.max_read;
    session["max_pages"] = params.max_pages;
    session["max_readahead"] = params.max_readahead;
    session["max_background"] = params.max_background;
    session["congestion_threshold"] = params.congestion_threshold;
    session["time_gran"] = params.time_gran;
    session["requests_in_flight"] = channel.slots();
    return session;
}

Json quirks_part(const client::Quirks& quirks) {
    Json part;
    part["server"] = quirks.peer;
    part["request_queues_used"] = quirks.max_request_queues == 0 ? Json("all") : Json(quirks.max_request_queues);
    part["interrupts"] = quirks.interrupts == client::InterruptUse::allowed ? "allowed" : "never";
    part["reply_to_destroy"] = quirks.destroy_reply == client::DestroyReply::always ? "always" : "may be missing";
    return part;
}

Json space_part(const wire::Kstatfs& status) {
    Json part;
    part["blocks"] = status.blocks;
    part["blocks_free"] = status.bfree;
    part["blocks_available"] = status.bavail;
    part["block_size"] = status.bsize;
    part["fragment_size"] = status.frsize;
    part["files"] = status.files;
    part["files_free"] = status.ffree;
    part["name_length"] = status.namelen;
    return part;
}

std::string text_of(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (!value.is_array()) return value.dump();
    std::string text;
    for (const Json& item : value) text.append(text.empty() ? "" : " ").append(item.get<std::string>());
    return text.empty() ? "none" : text;
}

// A long list goes on below itself.
void print_value(Output& out, std::string_view text, std::size_t indent) {
    constexpr std::size_t kWidth = 100;
    const std::size_t room = kWidth - indent;
    while (text.size() > room) {
        const std::size_t space = text.rfind(' ', room);
        if (space == std::string_view::npos || space == 0) break;
        out.print("{}\n{:{}}", text.substr(0, space), "", indent);
        text.remove_prefix(space + 1);
    }
    out.print("{}\n", text);
}

void print_parts(Output& out, const Json& parts) {
    std::size_t width = 0;
    for (const auto& part : parts.items()) {
        for (const auto& row : part.value().items()) width = std::max(width, row.key().size());
    }
    bool first = true;
    for (const auto& part : parts.items()) {
        out.print("{}{}\n", first ? "" : "\n", part.key());
        first = false;
        for (const auto& row : part.value().items()) {
            out.print("  {:<{}}  ", with_spaces(row.key()), width);
            print_value(out, out.name(text_of(row.value())), width + 4);
        }
    }
}

void run_info(Program& program, const NoOptions&) {
    posix::Channel& channel = program.mount().channel();
    Json parts;
    parts["device"] = device_part(channel);
    parts["fuse"] = session_part(channel);
    parts["quirks"] = quirks_part(channel.attachment().quirks());
    const auto status = program.mount().statfs("/");
    if (program.succeeded("/", status)) parts["statfs"] = space_part(*status);
    if (program.wants_json()) return print_json(program, parts);
    print_parts(program.out(), parts);
}

} // namespace

void add_info(CLI::App& app, Chosen& chosen) {
    add_command<NoOptions>(
        app, chosen, "info", "Show what the device is and what it can do", [](CLI::App&, NoOptions&) {}, run_info);
}

} // namespace vfsproto::cli
