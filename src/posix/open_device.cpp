// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/open_device.hpp"

#include "vfsproto/backends/fuse_stream.hpp"
#include "vfsproto/backends/loopback.hpp"
#include "vfsproto/backends/memfs.hpp"
#include "vfsproto/backends/passthrough.hpp"
#include "vfsproto/backends/shared_window.hpp"
#include "vfsproto/backends/vfio_pci.hpp"
#include "vfsproto/backends/vhost_user.hpp"
#include "vfsproto/posix/failure.hpp"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include <time.h>

namespace vfsproto::posix {
namespace {

using Trouble = OpenedDevice::Trouble;

static_assert(kWindowUnit == std::uint64_t{1} << backends::SharedWindow::kAlignment);

// Serves what `make(window)` makes, with the window that is wanted; `what` it is, for people.
template <class Make> OpenedDevice serve_here(std::string what, const DeviceOptions& options, Make&& make) {
    if (options.window % kWindowUnit != 0 || options.window > kMostWindow) {
        return {nullptr, Trouble::usage,
                fmt::format("a window has a multiple of {} MiB, and at most {} GiB: not {} bytes", kWindowUnit >> 20,
                            kMostWindow >> 30, options.window)};
    }
    backends::LoopbackOptions loopback;
    loopback.queue_size = options.queue_size;
    loopback.num_request_queues = options.request_queues;
    loopback.description = std::move(what);
    if (options.window != 0) {
        loopback.window = backends::SharedWindow::create(static_cast<std::size_t>(options.window));
        if (loopback.window == nullptr) {
            return {nullptr, Trouble::device, fmt::format("no address space for a window of {} bytes", options.window)};
        }
    }
    auto served = make(loopback.window);
    auto device = backends::make_loopback(std::move(served), std::move(loopback));
    if (device != nullptr) return {std::move(device), Trouble::none, {}};
    return {nullptr, Trouble::device, "no descriptors left, a queue size that is not 1 to 32768, or no request queue"};
}

OpenedDevice serve_directory(const std::string& path, const DeviceOptions& options) {
    backends::PassthroughOptions served;
    served.root = path;
    served.log = options.log;
    try {
        return serve_here("directory " + path, options, [&](std::shared_ptr<backends::MappingSink> window) {
            served.window = std::move(window);
            return std::make_unique<backends::Passthrough>(served);
        });
    } catch (const std::system_error& error) {
        const Failure why(static_cast<abi::Errno>(error.code().value()));
        return {nullptr, Trouble::device, fmt::format("cannot serve the directory {}: {}", path, why.text())};
    }
}

OpenedDevice serve_memory(const std::string&, const DeviceOptions& options) {
    constexpr std::uint64_t kValid = 1'000'000'000; // ns: nobody else changes anything
    return serve_here("memory of this process", options, [&](std::shared_ptr<backends::MappingSink> window) {
        backends::MemfsOptions served;
        served.window = std::move(window);
        served.entry_valid = served.attr_valid = kValid;
        served.clock = [] {
            timespec now{};
            ::clock_gettime(CLOCK_REALTIME, &now);
            return backends::MemfsTime{now.tv_sec, static_cast<std::uint32_t>(now.tv_nsec)};
        };
        return std::make_unique<backends::Memfs>(std::move(served));
    });
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

enum class Place : std::uint8_t { here, elsewhere }; // where the server runs
enum class Rest : std::uint8_t { needed, none };     // what stands behind the prefix

struct Scheme {
    std::string_view prefix;
    Rest rest;
    Place place;
    OpenedDevice (*open)(const std::string& rest, const DeviceOptions& options);
};
constexpr Scheme kSchemes[] = {
    {"dir:", Rest::needed, Place::here, serve_directory},
    {"memfs:", Rest::none, Place::here, serve_memory},
    {"vhost-user:", Rest::needed, Place::elsewhere, connect_to},
    {"fuse-stream:", Rest::needed, Place::elsewhere, talk_to},
    {"vfio:", Rest::needed, Place::elsewhere, take_over},
};

} // namespace

OpenedDevice open_device(std::string_view uri, const DeviceOptions& options) {
    for (const Scheme& scheme : kSchemes) {
        const bool has_rest = uri.size() > scheme.prefix.size();
        if (!uri.starts_with(scheme.prefix) || has_rest != (scheme.rest == Rest::needed)) continue;
        if (options.window != 0 && scheme.place == Place::elsewhere) {
            return {nullptr, Trouble::usage,
                    fmt::format("only dir: and memfs: can be given a window: '{}' has its own or none", uri)};
        }
        return scheme.open(std::string(uri.substr(scheme.prefix.size())), options);
    }
    return {nullptr, Trouble::usage,
            fmt::format(
                "'{}' is no device: say dir:PATH, memfs:, vhost-user:SOCKET, fuse-stream:SOCKET or vfio:ADDRESS", uri)};
}

} // namespace vfsproto::posix
