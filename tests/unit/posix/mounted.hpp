// SPDX-License-Identifier: BSD-2-Clause
// Mounts to test with: over a file system in memory and over a directory of the host, in this process. Each checks in the
// end that the server holds nothing for us any more and has nothing to complain of.
#pragma once

#include "support/accounting.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"
#include "support/scratch_directory.hpp"

#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/node_cache.hpp"
#include "vfsproto/posix/detail/path_walk.hpp"
#include "vfsproto/posix/mount.hpp"
#include "vfsproto/posix/mount_options.hpp"

#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace Catch {
template <> struct StringMaker<vfsproto::abi::Errno> {
    static std::string convert(vfsproto::abi::Errno error) {
        using namespace vfsproto::wire;
        return has_name(error) ? errno_name(error) : std::to_string(static_cast<int>(error));
    }
};
template <> struct StringMaker<vfsproto::Errc> {
    static std::string convert(vfsproto::Errc errc) { return vfsproto::to_string(errc); }
};
template <> struct StringMaker<vfsproto::posix::Failure> {
    static std::string convert(const vfsproto::posix::Failure& failure) {
        return failure.happened() ? failure.text() : "no failure";
    }
};
} // namespace Catch

namespace vfsproto::test {

using abi::Errno;

// The server's answer; a failure of the engine is none of them.
[[nodiscard]] inline Errno error_of(const posix::Failure& failure) {
    INFO(failure.text());
    if (failure.errc != Errc::ok) FAIL("the engine failed: " << failure.text());
    return failure.error;
}
template <class T> [[nodiscard]] Errno error_of(const posix::Expected<T>& outcome) {
    return outcome ? Errno::none : error_of(outcome.failure());
}

template <class T> [[nodiscard]] T value_of(posix::Expected<T> outcome) {
    if (!outcome) FAIL("failed: " << outcome.failure().text());
    return *std::move(outcome);
}
inline void succeeds(const posix::Failure& failure) {
    if (failure.happened()) FAIL("failed: " << failure.text());
    SUCCEED();
}

[[nodiscard]] inline std::vector<std::byte> bytes_of(std::string_view text) {
    const auto* data = reinterpret_cast<const std::byte*>(text.data());
    return {data, data + text.size()};
}
[[nodiscard]] inline std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
// Different at every place, and for every seed.
[[nodiscard]] inline std::vector<std::byte> noise(std::size_t size, unsigned seed = 1) {
    std::vector<std::byte> bytes(size);
    std::uint32_t state = seed * 2654435761u + 1;
    for (std::byte& byte : bytes) {
        state = state * 1664525u + 1013904223u;
        byte = static_cast<std::byte>(state >> 24);
    }
    return bytes;
}

inline void put(posix::Mount& mount, std::string_view path, std::string_view text) {
    using namespace abi;
    posix::File file = value_of(mount.open_file(path, kOCreat | kOTrunc | kOWronly));
    const auto bytes = bytes_of(text);
    REQUIRE(value_of(mount.write(file, bytes, 0)) == text.size());
    succeeds(mount.close(std::move(file)));
}
[[nodiscard]] inline std::string get(posix::Mount& mount, std::string_view path) {
    posix::File file = value_of(mount.open_file(path, abi::kORdonly));
    std::vector<std::byte> bytes(value_of(mount.stat(file)).size + 1);
    bytes.resize(value_of(mount.read(file, bytes, 0)));
    succeeds(mount.close(std::move(file)));
    return text_of(bytes);
}

[[nodiscard]] inline std::unique_ptr<posix::Mount> mount_of(std::unique_ptr<backends::Attachment> device,
                                                            const posix::MountOptions& options = {}) {
    REQUIRE(device != nullptr);
    auto mount = posix::Mount::open(std::move(device), options);
    if (!mount) FAIL("cannot mount: " << mount.failure().text());
    return *std::move(mount);
}

// Options, gathered so that a test names only what it wants to be otherwise.
struct MountedOptions {
    posix::MountOptions mount{};
    backends::LoopbackOptions device{};
    backends::MemfsOptions memfs{};
    Scratch scratch = Scratch::disk; // of OverDirectory
};

class OverMemfs {
public:
    explicit OverMemfs(MountedOptions options = {})
        : fs(std::move(options.memfs)),
          inline_(options.device.service == backends::LoopbackService::inline_in_doorbell) {
        auto device = backends::make_loopback(fs, std::move(options.device));
        loopback = device.get();
        mount = mount_of(std::move(device), options.mount);
    }
    ~OverMemfs() {
        if (mount != nullptr && loopback->gone_reason().empty() && inline_) {
            // A device that failed was reset, and its server has forgotten all.
            if (mount->channel().failure() == Errc::ok) check_lookups(*mount, fs);
            mount->prune();
            CHECK(fs.open_handles() == 0);
            CHECK(fs.lookups() == 0);
        }
        mount.reset();
        CHECK(fs.open_handles() == 0);
        CHECK(fs.lookups() == 0);
        CHECK(fs.misuse().over_forgets == 0);
        CHECK(fs.misuse().stale_nodes == 0);
        CHECK(fs.misuse().bad_handles == 0);
    }
    OverMemfs(const OverMemfs&) = delete;
    OverMemfs& operator=(const OverMemfs&) = delete;

    [[nodiscard]] posix::Mount& operator*() { return *mount; }
    [[nodiscard]] posix::Mount* operator->() { return mount.get(); }
    // Lets go what the file system held back.
    void release_held() {
        fs.release_held();
        loopback->complete();
    }

    backends::Memfs fs;
    backends::Loopback* loopback = nullptr;
    std::unique_ptr<posix::Mount> mount;

private:
    bool inline_; // else FORGETs may still be on their way
};

class OverDirectory {
public:
    explicit OverDirectory(MountedOptions options = {})
        : directory(options.scratch),
          fs({directory.path().string()}),
          inline_(options.device.service == backends::LoopbackService::inline_in_doorbell) {
        auto device = backends::make_loopback(fs, std::move(options.device));
        loopback = device.get();
        mount = mount_of(std::move(device), options.mount);
    }
    ~OverDirectory() {
        if (mount != nullptr && loopback->gone_reason().empty() && inline_) {
            // A device that failed was reset, and its server has forgotten all.
            if (mount->channel().failure() == Errc::ok) check_lookups(*mount, fs);
            mount->prune();
            CHECK(fs.counters().handles == 0);
            CHECK(fs.counters().inodes == 1); // the root
        }
        mount.reset();
        CHECK(fs.counters().handles == 0);
        CHECK(fs.counters().inodes == 1);
        CHECK(fs.counters().over_forgotten == 0);
    }
    OverDirectory(const OverDirectory&) = delete;
    OverDirectory& operator=(const OverDirectory&) = delete;

    [[nodiscard]] posix::Mount& operator*() { return *mount; }
    [[nodiscard]] posix::Mount* operator->() { return mount.get(); }

    ScratchDirectory directory;
    backends::Passthrough fs;
    backends::Loopback* loopback = nullptr;
    std::unique_ptr<posix::Mount> mount;

private:
    bool inline_; // else FORGETs may still be on their way
};

} // namespace vfsproto::test
