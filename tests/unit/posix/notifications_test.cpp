// SPDX-License-Identifier: BSD-2-Clause
// A mount brings up the notification queue of a virtio device if it has a use for it, and then only.
#include "support/watchdog.hpp"
#include "unit/posix/mounted.hpp"

#include "vfsproto/fuse/client/trace_event.hpp"
#include "vfsproto/fuse/server/change_sink.hpp"
#include "vfsproto/posix/channel_stats.hpp"
#include "vfsproto/posix/server_change.hpp"
#include "vfsproto/transport/fs_config.hpp"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

using namespace vfsproto;
using backends::LoopbackService;
using posix::CacheMode;
using posix::Mount;
using posix::ServerChange;
using server::Change;
using test::value_of;
using test::Watchdog;
using wire::Opcode;

namespace {

constexpr std::uint64_t kRoot = 1;
constexpr std::uint64_t kHour = 3600ull * 1'000'000'000;

class TellingMemfs : public backends::Memfs {
public:
    using Memfs::Memfs;
    bool can_tell_changes() noexcept { return true; }
    void tell_changes_to(server::ChangeSink* to) noexcept { sink = to; }

    std::atomic<server::ChangeSink*> sink{nullptr};
};
static_assert(server::TellsChanges<TellingMemfs>);

backends::MemfsOptions kept_for_long() {
    backends::MemfsOptions options;
    options.entry_valid = kHour;
    options.attr_valid = kHour;
    return options;
}

// Passes a device on that offers notifications, and has not all that belongs to them.
class HalfNotifying final : public backends::Attachment, private Transport {
public:
    enum class Lacks : std::uint8_t {
        size_of_buffers, // the configuration ends before it, as one that a front end has made up may
        queue,
        last_queue, // so many queues as there are without notifications
    };
    HalfNotifying(std::unique_ptr<backends::Attachment> device, Lacks lacks)
        : device_(std::move(device)), lacks_(lacks) {}

    Transport& transport() noexcept override { return *this; }
    Result<Region> allocate(std::size_t bytes) noexcept override { return device_->allocate(bytes); }
    void release(const Region& region) noexcept override { device_->release(region); }
    void on_gone(std::function<void()> handler) override { device_->on_gone(std::move(handler)); }
    client::Quirks quirks() const noexcept override { return device_->quirks(); }
    std::uint64_t system_calls() const noexcept override { return device_->system_calls(); }
    std::vector<std::pair<std::string, std::string>> describe() const override { return device_->describe(); }

private:
    Transport& inner() noexcept { return device_->transport(); }
    Result<FeatureSet> device_features() noexcept override { return inner().device_features(); }
    Errc accept_features(FeatureSet features) noexcept override {
        notifies_ = features.has(Feature::fs_notification);
        return inner().accept_features(features);
    }
    Errc read_config(std::uint32_t offset, std::span<std::byte> out) noexcept override {
        const bool is_short =
            lacks_ == Lacks::size_of_buffers && offset + out.size() > offsetof(FsConfigLayout, notify_buf_size);
        return is_short ? Errc::config_invalid : inner().read_config(offset, out);
    }
    Result<std::uint16_t> queue_count() noexcept override { return inner().queue_count(); }
    Result<std::uint16_t> max_queue_size(QueueIndex index) noexcept override {
        constexpr QueueIndex kLast{2}; // with one request queue
        const bool is_absent = notifies_ && ((lacks_ == Lacks::queue && index == kNotificationQueue) ||
                                             (lacks_ == Lacks::last_queue && index == kLast));
        return is_absent ? Errc::queue_absent : inner().max_queue_size(index);
    }
    Errc enable_queue(QueueIndex index, const QueueAddresses& at) noexcept override {
        return inner().enable_queue(index, at);
    }
    Result<std::uint8_t> status() noexcept override { return inner().status(); }
    Errc set_status(std::uint8_t value) noexcept override { return inner().set_status(value); }
    Errc reset() noexcept override { return inner().reset(); }
    Doorbell doorbell(QueueIndex index) noexcept override { return inner().doorbell(index); }
    WaitHandle wait_handle(QueueIndex index) noexcept override { return inner().wait_handle(index); }

    std::unique_ptr<backends::Attachment> device_;
    Lacks lacks_;
    bool notifies_ = false;
};

// A mount, what it asked its server, and what it heard.
class Hearing {
    std::atomic<std::uint64_t> lookups_{0};
    std::mutex mutex_;
    std::vector<std::string> heard_;

public:
    explicit Hearing(posix::MountOptions options = {}, backends::LoopbackOptions device = {}) {
        options.channel.trace.context = this;
        options.channel.trace.started = [](void* self, const client::TraceEvent& event) noexcept {
            static_cast<Hearing*>(self)->lookups_ += event.op->opcode == Opcode::lookup;
        };
        options.on_change = [this](const ServerChange& change) { hear(change); };
        mount = test::mount_of(backends::make_loopback(fs, std::move(device)), options);
    }

    void tell(const Change& change) { fs.sink.load()->tell(change); }
    // Returns how many LOOKUPs this takes.
    [[nodiscard]] std::uint64_t lookups_of(const std::string& path) {
        const std::uint64_t before = lookups_;
        static_cast<void>(value_of(mount->stat(path)));
        return lookups_ - before;
    }
    [[nodiscard]] bool heard(const std::string& what) {
        const std::lock_guard lock(mutex_);
        return std::find(heard_.begin(), heard_.end(), what) != heard_.end();
    }

    TellingMemfs fs{kept_for_long()};
    std::unique_ptr<Mount> mount;

private:
    void hear(const ServerChange& change) {
        const std::lock_guard lock(mutex_);
        using What = ServerChange::What;
        if (change.what == What::everything) heard_.emplace_back("everything");
        if (change.what == What::file) heard_.push_back("file " + std::to_string(change.nodeid));
        if (change.what == What::name) heard_.push_back("name " + std::string(change.name));
    }
};

posix::MountOptions keeping() {
    posix::MountOptions options;
    options.cache.mode = CacheMode::automatic;
    return options;
}

bool takes_notifications(Mount& mount) { return mount.channel().queues().features().has(Feature::fs_notification); }

} // namespace

TEST_CASE("a mount that keeps names hears of changes over a virtqueue, and asks anew", "[notifications]") {
    const Watchdog watchdog("changes over a virtqueue");
    backends::LoopbackOptions device;
    device.service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    device.queue_size = GENERATE(std::uint16_t{2}, std::uint16_t{256});
    device.num_request_queues = 2;
    if (GENERATE(false, true)) device.offered.add(Feature::ring_packed);
    posix::MountOptions options = keeping();
    options.channel.rings.request_queues = 2;
    Hearing over(options, device);
    REQUIRE(takes_notifications(*over.mount));
    CHECK(over.mount->channel().queues().request_queues() == 2);
    test::put(*over.mount, "/f", "x");
    CHECK(over.lookups_of("/f") <= 1);
    CHECK(over.lookups_of("/f") == 0);
    over.tell({Change::What::name, kRoot, std::string("f")});
    test::until([&] { return over.heard("name f"); });
    CHECK(over.lookups_of("/f") == 1);
    CHECK(over.lookups_of("/f") == 0);
    over.tell({Change::What::file, 77, {}}); // nobody knows it
    test::until([&] { return over.heard("file 77"); });
    over.tell(Change{});
    test::until([&] { return over.heard("everything"); });
    CHECK(over.lookups_of("/f") == 1);
    CHECK(over.mount->stats().notifications == 3);
}

TEST_CASE("more changes than a mount has buffers for are heard, at least as one", "[notifications]") {
    const Watchdog watchdog("many changes");
    Hearing over(keeping());
    test::put(*over.mount, "/f", "x");
    for (int i = 0; i < 2000; ++i) over.tell({Change::What::name, kRoot, std::string("other")});
    over.tell({Change::What::name, kRoot, std::string("f")});
    test::until([&] { return over.heard("name f") || over.heard("everything"); });
}

TEST_CASE("a mount that keeps nothing and wants to hear nothing leaves the notification queue alone",
          "[notifications]") {
    TellingMemfs fs;
    posix::MountOptions options;
    SECTION("by itself") {}
    SECTION("because the feature is withheld") {
        options = keeping();
        options.channel.rings.withheld.add(Feature::fs_notification);
    }
    const auto mount = test::mount_of(backends::make_loopback(fs), options);
    CHECK_FALSE(takes_notifications(*mount));
    CHECK(fs.sink == nullptr);
    test::put(*mount, "/f", "x");
    CHECK(test::get(*mount, "/f") == "x");
}

TEST_CASE("a device that offers notifications and lacks what belongs to them is used without", "[notifications]") {
    TellingMemfs fs;
    using Lacks = HalfNotifying::Lacks;
    const Lacks lacks = GENERATE(Lacks::size_of_buffers, Lacks::queue, Lacks::last_queue);
    const auto mount = test::mount_of(std::make_unique<HalfNotifying>(backends::make_loopback(fs), lacks), keeping());
    CHECK_FALSE(takes_notifications(*mount));
    CHECK(fs.sink == nullptr);
    test::put(*mount, "/f", "x");
    CHECK(test::get(*mount, "/f") == "x");
}

TEST_CASE("a mount whose device goes while it waits for notifications ends in order", "[notifications]") {
    const Watchdog watchdog("a device that goes");
    TellingMemfs fs;
    auto device = backends::make_loopback(fs);
    backends::Loopback* const loopback = device.get();
    auto mount = test::mount_of(std::move(device), keeping());
    loopback->fail("pulled out");
    test::until([&] { return mount->channel().failure() != Errc::ok; });
    fs.sink.load()->tell(Change{});
    mount.reset();
    CHECK(fs.sink == nullptr);
}

namespace {

// A mount that always believes what it knows, over a directory whose server tells.
struct OverToldDirectory {
    OverToldDirectory() {
        options.mount.cache.mode = CacheMode::always;
        options.mount.channel.trace.context = this;
        options.mount.channel.trace.started = [](void* self, const client::TraceEvent& event) noexcept {
            const Opcode op = event.op->opcode;
            static_cast<OverToldDirectory*>(self)->questions += op == Opcode::lookup || op == Opcode::getattr;
        };
        options.mount.on_change = [this](const ServerChange& change) {
            const std::lock_guard lock(mutex);
            if (change.what == ServerChange::What::name) names.emplace_back(change.name);
        };
        over.emplace(options);
        test::succeeds((**over).mkdir("/markers"));
    }
    [[nodiscard]] std::filesystem::path host(const std::string& name) { return over->directory.path() / name; }
    // Waits until all that has happened at the host so far was told. The marker lies in a directory of its own, because a change of
    // others has what the mount does to names beside it looked at twice.
    void settle() {
        const std::string marker = "marker" + std::to_string(markers++);
        std::ofstream(host("markers/" + marker)) << "";
        test::until([&] {
            const std::lock_guard lock(mutex);
            return std::find(names.begin(), names.end(), marker) != names.end();
        });
    }
    [[nodiscard]] std::uint64_t questions_of_stat(const std::string& path) {
        const std::uint64_t before = questions;
        static_cast<void>(value_of((**over).stat(path)));
        return questions - before;
    }

    test::MountedOptions options;
    std::atomic<std::uint64_t> questions{0};
    std::mutex mutex;
    std::vector<std::string> names;
    int markers = 0;
    std::optional<test::OverDirectory> over;
};

} // namespace

TEST_CASE("what others change in a directory is seen, though the mount always believes what it knows",
          "[notifications]") {
    const Watchdog watchdog("changes that the host makes");
    OverToldDirectory told;
    Mount& mount = **told.over;
    test::put(mount, "/f", "content");
    CHECK(value_of(mount.stat("/f")).size == 7);
    std::filesystem::resize_file(told.host("f"), 3);
    test::until([&] { return value_of(mount.stat("/f")).size == 3; });
    std::filesystem::rename(told.host("f"), told.host("g"));
    test::until([&] { return test::error_of(mount.stat("/f")) == test::Errno::enoent; });
    CHECK(value_of(mount.stat("/g")).size == 3);
    test::succeeds(mount.mkdir("/d"));
    std::ofstream(told.host("d/new")) << "12345";
    test::until([&] { return mount.stat("/d/new") && value_of(mount.stat("/d/new")).size == 5; });
}

TEST_CASE("what a mount changes itself costs it no request, though the host tells of it", "[notifications]") {
    const Watchdog watchdog("changes of the mount's own");
    OverToldDirectory told;
    Mount& mount = **told.over;
    test::succeeds(mount.mkdir("/d"));
    test::succeeds(mount.mkdir("/e"));
    test::put(mount, "/d/f", "content");
    test::succeeds(mount.chmod("/d/f", 0600));
    test::succeeds(mount.chmod("/d", 0700));
    test::succeeds(mount.rename("/d/f", "/e/g"));
    static_cast<void>(value_of(mount.stat("/e/g")));
    static_cast<void>(value_of(mount.stat("/d")));
    told.settle();
    CHECK(told.questions_of_stat("/e/g") == 0);
    CHECK(told.questions_of_stat("/d") == 0);
}
