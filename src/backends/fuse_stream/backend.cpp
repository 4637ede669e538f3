// SPDX-License-Identifier: BSD-2-Clause
// FuseStream: an attachment over one stream.
#include "vfsproto/backends/fuse_stream.hpp"

#include "../unix_socket.hpp"
#include "host_memory.hpp"
#include "stream.hpp"

#include <system_error>

namespace vfsproto::backends {
namespace fuse_stream {
namespace {

// Stops the stream, which the attachment owns, when its owner wants no more.
class StreamQueues final : public QueueSet {
public:
    StreamQueues(Stream& stream, std::uint32_t max_notification) : stream_(stream) {
        config_.num_request_queues = 1;
        config_.notify_buf_size = max_notification;
    }
    ~StreamQueues() override { stream_.stop(); }

    SetQueue hiprio() noexcept override { return {make_queue_ref(hiprio_), stream_.event(Stream::kHiprio)}; }
    std::size_t request_queues() const noexcept override { return 1; }
    SetQueue request_queue(std::size_t) noexcept override {
        return {make_queue_ref(requests_), stream_.event(Stream::kRequests)};
    }
    SetQueue notifications() noexcept override {
        return {make_queue_ref(notifications_), stream_.event(Stream::kNotifications)};
    }
    const FsConfig& config() const noexcept override { return config_; }
    Errc stop() noexcept override {
        stream_.stop();
        return Errc::ok;
    }

private:
    Stream& stream_;
    StreamQueue hiprio_{stream_, Stream::kHiprio};
    StreamQueue requests_{stream_, Stream::kRequests};
    StreamQueue notifications_{stream_, Stream::kNotifications};
    FsConfig config_{};
};

class Backend final : public FuseStream {
public:
    Backend(FileDescriptor socket, FuseStreamOptions options)
        : options_(std::move(options)), stream_(std::move(socket), options_) {}

    [[nodiscard]] bool usable() const noexcept { return stream_.usable(); }

    OwnQueues own_queues() override {
        try {
            auto queues = std::make_unique<StreamQueues>(stream_, options_.max_notification);
            stream_.start();
            return {std::move(queues), Errc::ok};
        } catch (const std::system_error&) { // no thread
            return {nullptr, Errc::no_memory};
        }
    }
    Result<Region> allocate(std::size_t bytes) noexcept override { return memory_.allocate(bytes); }
    void release(const Region& region) noexcept override { memory_.release(region); }
    void on_gone(std::function<void()> handler) override { stream_.on_gone(std::move(handler)); }
    std::string gone_reason() const override { return stream_.gone_reason(); }
    bool server_has_ended() const noexcept override { return stream_.was_closed_by_peer(); }
    client::Quirks quirks() const noexcept override { return options_.quirks; }
    std::uint64_t system_calls() const noexcept override { return stream_.system_calls(); }
    FuseStreamCounters counters() const noexcept override { return stream_.counters(); }
    std::vector<std::pair<std::string, std::string>> describe() const override {
        return {{"transport", "fuse-stream"}, {"socket", options_.socket_path}};
    }

private:
    FuseStreamOptions options_;
    HostMemory memory_; // outlives the stream's thread
    Stream stream_;
};

bool is_stream(int socket) noexcept {
    int type = 0;
    socklen_t size = sizeof type;
    return ::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

} // namespace
} // namespace fuse_stream

Opened<FuseStream> FuseStream::open(FuseStreamOptions options) {
    FileDescriptor socket(std::exchange(options.connected_socket, -1));
    if (options.queue_size == 0 || options.queue_size > 32768) {
        return {nullptr, Errc::bad_argument, "the queue size must be 1 to 32768"};
    }
    if (!socket) {
        Connected connected = connect_unix(options.socket_path, options.server_name, options.connect_patience);
        if (!connected.socket) return {nullptr, connected.error, std::move(connected.message)};
        socket = std::move(connected.socket);
    }
    if (!fuse_stream::is_stream(socket.get())) return {nullptr, Errc::bad_argument, "not a stream socket"};
    auto backend = std::make_unique<fuse_stream::Backend>(std::move(socket), std::move(options));
    if (!backend->usable()) return {nullptr, Errc::no_memory, "no descriptors left"};
    return {std::move(backend), Errc::ok, {}};
}

} // namespace vfsproto::backends
