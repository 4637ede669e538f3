// SPDX-License-Identifier: BSD-2-Clause
// Mapped files of a mount with limits, at a server whose mappings wait until they are told to go on.
#include "support/catch.hpp"
#include "support/scratch_directory.hpp"
#include "support/watchdog.hpp"
#include "unit/mapped/window.hpp"

#include "vfsproto/backends/loopback.hpp"
#include "vfsproto/backends/passthrough.hpp"
#include "vfsproto/backends/shared_window.hpp"

#include <chrono>
#include <condition_variable>
#include <fstream>
#include <memory>
#include <mutex>
#include <span>
#include <string>

using namespace vfsproto;
using namespace vfsproto::test;
using posix::File;
using posix::MappedFile;
using posix::MappedFiles;
using posix::Mount;

namespace {

constexpr std::size_t kRanges = 4;
constexpr std::chrono::milliseconds kShort{5};
constexpr std::chrono::milliseconds kLonger{200}; // enough for what is answered

// Serves a directory. Requests about mappings wait while the gate is closed, and their queue with them.
class Gated : public backends::Passthrough {
public:
    using Passthrough::handle;
    using Passthrough::Passthrough;

    void handle(const server::RequestOf<wire::Opcode::setupmapping>& request,
                server::ReplyTo<wire::Opcode::setupmapping>& reply) noexcept {
        wait();
        Passthrough::handle(request, reply);
    }
    void handle(const server::RequestOf<wire::Opcode::removemapping>& request,
                server::ReplyTo<wire::Opcode::removemapping>& reply) noexcept {
        wait();
        Passthrough::handle(request, reply);
    }
    void close_gate() {
        const std::lock_guard lock(mutex_);
        is_closed_ = true;
    }
    void open_gate() {
        {
            const std::lock_guard lock(mutex_);
            is_closed_ = false;
        }
        opened_.notify_all();
    }

private:
    void wait() noexcept {
        std::unique_lock lock(mutex_);
        opened_.wait(lock, [this] { return !is_closed_; });
    }

    std::mutex mutex_;
    std::condition_variable opened_;
    bool is_closed_ = false;
};

struct LimitedWindow {
    explicit LimitedWindow(std::chrono::milliseconds time) {
        std::ofstream(directory.path() / "file", std::ios::binary) << text;
        auto window = backends::SharedWindow::create(kRanges * kRange, kAlignment);
        backends::PassthroughOptions served;
        served.root = directory.path().string();
        served.window = window;
        auto made = std::make_unique<Gated>(served);
        fs = made.get();
        backends::LoopbackOptions device;
        device.window = window;
        device.service = backends::LoopbackService::threads;
        posix::MountOptions options;
        MappedFiles::offer(options);
        auto opened = Mount::open(backends::make_loopback(std::move(made), std::move(device)), options);
        REQUIRE(opened);
        mount = *std::move(opened);
        limited = mount->limited_by({.time = time});
        auto mapping = MappedFiles::open(*limited, kRange);
        REQUIRE(mapping);
        files = *std::move(mapping);
        auto file_opened = mount->open_file("file", abi::kORdwr);
        REQUIRE(file_opened);
        file = *std::move(file_opened);
    }
    ~LimitedWindow() { fs->open_gate(); }

    // On a busy machine the time may be over before anything was asked: until it is mapped.
    std::unique_ptr<MappedFile> map() {
        for (;;) {
            auto mapped = files->map(file);
            if (mapped) return *std::move(mapped);
            REQUIRE(mapped.failure().errc == Errc::timed_out);
        }
    }
    // Reads the whole file until that takes no longer than it may.
    std::string read(MappedFile& mapped) {
        std::string back(text.size(), '\0');
        for (;;) {
            const auto count = mapped.read(std::as_writable_bytes(std::span(back)), 0);
            if (count && *count == back.size()) return back;
            if (!count) REQUIRE(count.failure().errc == Errc::timed_out);
        }
    }

    const std::string text = std::string(kRange, 'a') + std::string(kRange, 'b');
    ScratchDirectory directory;
    Gated* fs = nullptr;
    std::unique_ptr<Mount> mount;
    std::unique_ptr<Mount> limited;
    std::unique_ptr<MappedFiles> files;
    File file; // ends before the mount
};

} // namespace

TEST_CASE("mapped: a mapping that gets no answer ends at the deadline, and costs its range alone", "[limits]") {
    const Watchdog watchdog("SETUPMAPPING");
    LimitedWindow f(kShort);
    const auto mapped = f.map();
    f.fs->close_gate();
    std::string back(f.text.size(), '\0');
    while (f.files->counters().quarantined == 0) {
        const auto count = mapped->read(std::as_writable_bytes(std::span(back)), 0);
        REQUIRE_FALSE(count);
        CHECK(count.failure().errc == Errc::timed_out);
    }
    f.fs->open_gate();
    CHECK(f.read(*mapped) == f.text);
    CHECK(f.files->counters().set_ups != 0); // it is asked for mappings as before
}

TEST_CASE("mapped: the end of a mapped file waits for no longer than a call, and its ranges stay unused", "[limits]") {
    const Watchdog watchdog("REMOVEMAPPING");
    LimitedWindow f(kLonger);
    auto mapped = f.map();
    CHECK(f.read(*mapped) == f.text);
    REQUIRE(f.files->counters().quarantined == 0);
    f.fs->close_gate();
    mapped.reset();
    CHECK(f.files->counters().quarantined != 0);
    f.fs->open_gate();
    mapped = f.map();
    CHECK(f.read(*mapped) == f.text);
}
