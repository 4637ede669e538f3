// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/open_device.hpp"

#include "vfsproto/backends/fuse_stream.hpp"
#include "vfsproto/backends/loopback.hpp"
#include "vfsproto/backends/passthrough.hpp"
#include "vfsproto/backends/vfio_pci.hpp"
#include "vfsproto/backends/vhost_user.hpp"
#include "vfsproto/posix/failure.hpp"

#include <fmt/format.h>

#include <system_error>

namespace vfsproto::posix {
namespace {

using Trouble = OpenedDevice::Trouble;

OpenedDevice serve_directory(const std::string& path, const DeviceOptions& options) {
    backends::PassthroughOptions served;
    served.root = path;
    served.log = options.log;
    backends::LoopbackOptions loopback;
    loopback.queue_size = options.queue_size;
    loopback.num_request_queues = options.request_queues;
    loopback.description = "directory " + path;
    try {
        auto device = backends::make_loopback(std::make_unique<backends::Passthrough>(served), std::move(loopback));
        if (device != nullptr) return {std::move(device), Trouble::none, {}};
        return {nullptr, Trouble::device,
                "no descriptors left, a queue size that is not 1 to 32768, or no request queue"};
    } catch (const std::system_error& error) {
        const Failure why(static_cast<wire::Errno>(error.code().value()));
        return {nullptr, Trouble::device, fmt::format("cannot serve the directory {}: {}", path, why.text())};
    }
}

OpenedDevice connect_to(const std::string& socket, const DeviceOptions& options) {
    backends::VhostUserOptions wanted;
    wanted.socket_path = socket;
    wanted.request_queues_at = backends::kFsRequestQueuesAt;
    wanted.queue_size = options.queue_size;
    wanted.reply_timeout = options.reply_timeout;
    auto opened = backends::VhostUser::open(std::move(wanted));
    if (opened) return {std::move(opened.device), Trouble::none, {}};
    return {nullptr, Trouble::device, std::move(opened.message)};
}

OpenedDevice talk_to(const std::string& socket, const DeviceOptions& options) {
    backends::FuseStreamOptions wanted;
    wanted.socket_path = socket;
    wanted.queue_size = options.queue_size;
    auto opened = backends::FuseStream::open(std::move(wanted));
    if (opened) return {std::move(opened.device), Trouble::none, {}};
    return {nullptr, Trouble::device, std::move(opened.message)};
}

OpenedDevice take_over(const std::string& address, const DeviceOptions& options) {
    constexpr std::string_view kNoIommu = ",noiommu";
    backends::VfioPciOptions wanted;
    wanted.device = address;
    wanted.reset_patience = options.reply_timeout;
    if (address.ends_with(kNoIommu)) {
        wanted.device.resize(address.size() - kNoIommu.size());
        wanted.unguarded = backends::Unguarded::allowed;
    }
    auto opened = backends::VfioPci::open(std::move(wanted));
    if (opened) return {std::move(opened.device), Trouble::none, {}};
    const Trouble trouble = opened.error == Errc::bad_argument ? Trouble::usage : Trouble::device;
    return {nullptr, trouble, std::move(opened.message)};
}

struct Scheme {
    std::string_view prefix;
    OpenedDevice (*open)(const std::string& rest, const DeviceOptions& options);
};
constexpr Scheme kSchemes[] = {
    {"dir:", serve_directory},
    {"vhost-user:", connect_to},
    {"fuse-stream:", talk_to},
    {"vfio:", take_over},
};

} // namespace

OpenedDevice open_device(std::string_view uri, const DeviceOptions& options) {
    for (const Scheme& scheme : kSchemes) {
        if (!uri.starts_with(scheme.prefix) || uri.size() == scheme.prefix.size()) continue;
        return scheme.open(std::string(uri.substr(scheme.prefix.size())), options);
    }
    return {nullptr, Trouble::usage,
            fmt::format("'{}' is no device: say dir:PATH, vhost-user:SOCKET, fuse-stream:SOCKET or vfio:ADDRESS", uri)};
}

} // namespace vfsproto::posix
