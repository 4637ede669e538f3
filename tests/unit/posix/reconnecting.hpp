// SPDX-License-Identifier: BSD-2-Clause
// Calls of a ReconnectingMount over a RestartedServer, and faults of that server, in the words of its tests.
#pragma once

#include "unit/posix/mounted.hpp"
#include "unit/posix/restarted_server.hpp"

#include "vfsproto/posix/reconnecting_mount.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::test {

// The first requests of each session are INIT, and GETATTR of the root. The numbers are those of the request queue.
inline constexpr std::uint64_t kFirstOfCaller = 3;
// open_file() without O_CREAT, of a file in the root, sends LOOKUP, OPEN and GETATTR.
inline constexpr std::uint64_t kToOpen = 3;

[[nodiscard]] inline std::unique_ptr<posix::ReconnectingMount> mount_of(posix::ReconnectOptions options) {
    return value_of(posix::ReconnectingMount::open(std::move(options)));
}
[[nodiscard]] inline std::unique_ptr<posix::ReconnectingMount> mount_of(RestartedServer& server) {
    return mount_of(server.mount_options());
}

[[nodiscard]] inline posix::Expected<posix::Attributes> ask_attributes(posix::ReconnectingMount& mount,
                                                                       std::string_view path) {
    return mount.call(wire::Opcode::getattr, [&](posix::Mount& on) { return on.stat(path); });
}
[[nodiscard]] inline posix::Failure make_directory(posix::ReconnectingMount& mount, std::string_view path) {
    return mount.call(wire::Opcode::mkdir, [&](posix::Mount& on) { return on.mkdir(path); });
}
inline void put(posix::ReconnectingMount& mount, const posix::ReconnectingFile& file, std::string_view text,
                std::uint64_t offset) {
    CHECK(value_of(mount.write(file, bytes_of(text), offset)) == text.size());
}
// Returns the first 100 bytes.
[[nodiscard]] inline std::string get(posix::ReconnectingMount& mount, const posix::ReconnectingFile& file) {
    std::vector<std::byte> bytes(100);
    bytes.resize(value_of(mount.read(file, bytes, 0)));
    return text_of(bytes);
}
[[nodiscard]] inline posix::Failure why_unread(posix::ReconnectingMount& mount, const posix::ReconnectingFile& file) {
    std::byte bytes[8];
    return mount.read(file, bytes, 0).failure();
}
// Returns why this file was lost; nullptr if it was not.
[[nodiscard]] inline const posix::Failure* find_lost(const posix::Reconnection& told, std::string_view path) {
    for (const auto& lost : told.lost) {
        if (lost.path == path) return &lost.why;
    }
    return nullptr;
}

// Makes every server do this wrong.
inline void fail_each(RestartedServer& server, backends::loopback::FaultKind kind, std::uint64_t at) {
    server.plan_of = [kind, at](unsigned) {
        backends::loopback::FaultPlan plan;
        plan.faults = {{kind, at}};
        return plan;
    };
}
// Makes the first server do this wrong.
inline void fail_first(RestartedServer& server, backends::loopback::FaultKind kind, std::uint64_t at) {
    server.plan_of = [kind, at](unsigned start) {
        backends::loopback::FaultPlan plan;
        if (start == 1) plan.faults = {{kind, at}};
        return plan;
    };
}

} // namespace vfsproto::test
