// SPDX-License-Identifier: BSD-2-Clause
// The command info tells what the device is and what was agreed with it.
#include "commands.hpp"
#include "json.hpp"
#include "parts.hpp"
#include "readable.hpp"

#include "vfsproto/posix/detail/channel.hpp"

#include <algorithm>

namespace vfsproto::cli {
namespace {

std::string with_underscores(std::string key) {
    std::replace(key.begin(), key.end(), ' ', '_');
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
    for (const auto& [key, value] : channel.attachment().describe()) {
        const bool is_count = key == "queues" || key == "memory slots";
        if (is_count) {
            device.set(with_underscores(key), std::stoull(value));
        } else {
            add_text(device, with_underscores(key).c_str(), value);
        }
    }
    const FsConfig& config = channel.queues().config();
    if (config.tag_length != 0) add_text(device, "tag", config.tag);
    device.set("request_queues", config.num_request_queues);
    device.set("request_queues_used", channel.lanes());
    const posix::DriverQueues* const rings = channel.rings();
    if (rings == nullptr) return device;
    device.set("queue_size", rings->request_ring().size());
    device.set("features_offered", names_of(rings->offered().bits(), feature_name));
    device.set("features_used", names_of(rings->features().bits(), feature_name));
    return device;
}

// A device may have a window that no client of this process reaches, as those behind VFIO.
Json window_part(posix::Channel& channel) {
    backends::Attachment& attachment = channel.attachment();
    const std::uint64_t mapped = attachment.window(0).size();
    const Result<SharedMemory> told = attachment.transport().shared_memory(0);
    const std::uint64_t size = mapped == 0 && told ? told->length : mapped;
    const client::SessionParams& params = channel.params();
    Json window;
    window.set("present", size != 0);
    window.set("size", size);
    window.set("mapped", mapped != 0);
    if (params.flags.has(wire::InitFlag::map_alignment) && params.map_alignment < 64) {
        window.set("alignment", std::uint64_t{1} << params.map_alignment);
    }
    return window;
}

Json session_part(posix::Channel& channel) {
    const client::SessionParams& params = channel.params();
    Json session;
    session.set("version", fmt::format("{}.{}", wire::kMajor, params.minor));
    session.set("flags", names_of(params.flags.bits(), wire::init_flag_name));
    session.set("flags_offered", names_of(params.offered.bits(), wire::init_flag_name));
    session.set("max_write", params.max_write);
    session.set("max_read", params.max_read);
    session.set("max_pages", params.max_pages);
    session.set("max_readahead", params.max_readahead);
    session.set("max_background", params.max_background);
    session.set("congestion_threshold", params.congestion_threshold);
    session.set("time_gran", params.time_gran);
    session.set("requests_in_flight", channel.slots());
    return session;
}

Json quirks_part(const client::Quirks& quirks) {
    Json part;
    part.set("server", quirks.peer);
    part.set("request_queues_used", quirks.max_request_queues == 0 ? Json("all") : Json(quirks.max_request_queues));
    part.set("interrupts", quirks.interrupts == client::InterruptUse::allowed ? "allowed" : "never");
    part.set("reply_to_destroy", quirks.destroy_reply == client::DestroyReply::always ? "always" : "may be missing");
    part.set("create_of_existing", quirks.create_existing == client::CreateExisting::allowed ? "allowed" : "never");
    part.set("lock_waits", quirks.lock_waits == client::LockWaits::by_server ? "by server" : "by client");
    return part;
}

Json space_part(const wire::Kstatfs& status) {
    return counts_part({{"blocks", status.blocks},
                        {"blocks_free", status.bfree},
                        {"blocks_available", status.bavail},
                        {"block_size", status.bsize},
                        {"fragment_size", status.frsize},
                        {"files", status.files},
                        {"files_free", status.ffree},
                        {"name_length", status.namelen}});
}

void run_info(Program& program) {
    posix::Channel& channel = program.mount().channel();
    Json parts;
    parts.set("device", device_part(channel));
    parts.set("window", window_part(channel));
    parts.set("fuse", session_part(channel));
    parts.set("quirks", quirks_part(channel.attachment().quirks()));
    const auto status = program.mount().statfs("/");
    if (program.succeeded("/", status)) parts.set("statfs", space_part(*status));
    if (program.wants_json()) return print_json(program, parts);
    print_parts(program.out(), parts);
}

} // namespace

void add_info(Commands& commands) { commands.add({"info", "Show what the device is and what it can do"}, run_info); }

} // namespace vfsproto::cli
