// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/open_device.hpp"

#include "vfsproto/backends/loopback.hpp"
#include "vfsproto/backends/passthrough.hpp"
#include "vfsproto/backends/vhost_user.hpp"
#include "vfsproto/posix/failure.hpp"

#include <fmt/format.h>

#include <system_error>

namespace vfsproto::posix {
namespace {

using Trouble = OpenedDevice::Trouble;

constexpr std::string_view kDirectory = "dir:";
constexpr std::string_view kVhostUser = "vhost-user:";

OpenedDevice serve_directory(const std::string& path, const DeviceOptions& options) {
    backends::PassthroughOptions served;
    served.root = path;
    backends::LoopbackOptions loopback;
    loopback.queue_size = options.queue_size;
    loopback.description = "directory " + path;
    try {
        auto device = backends::make_loopback(std::make_unique<backends::Passthrough>(served), std::move(loopback));
        if (device != nullptr) return {std::move(device), Trouble::none, {}};
        return {nullptr, Trouble::device, "no descriptors left, or a queue size that is not 1 to 32768"};
    } catch (const std::system_error& error) {
        const Failure why(static_cast<wire::Errno>(error.code().value()));
        return {nullptr, Trouble::device, fmt::format("cannot serve the directory {}: {}", path, why.text())};
    }
}

OpenedDevice connect_to(const std::string& socket, const DeviceOptions& options) {
    backends::VhostUserOptions wanted;
    wanted.socket_path = socket;
    wanted.queue_size = options.queue_size;
    wanted.reply_timeout = options.reply_timeout;
    auto opened = backends::VhostUser::open(std::move(wanted));
    if (opened) return {std::move(opened.device), Trouble::none, {}};
    return {nullptr, Trouble::device, std::move(opened.message)};
}

} // namespace

OpenedDevice open_device(std::string_view uri, const DeviceOptions& options) {
    if (uri.starts_with(kDirectory) && uri.size() > kDirectory.size()) {
        return serve_directory(std::string(uri.substr(kDirectory.size())), options);
    }
    if (uri.starts_with(kVhostUser) && uri.size() > kVhostUser.size()) {
        return connect_to(std::string(uri.substr(kVhostUser.size())), options);
    }
    return {nullptr, Trouble::usage, fmt::format("'{}' is no device: say dir:PATH or vhost-user:SOCKET", uri)};
}

} // namespace vfsproto::posix
