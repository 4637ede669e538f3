// SPDX-License-Identifier: BSD-2-Clause
// Files read and written through the window of a loopback device that serves a file system in memory.
#include "support/catch.hpp"
#include "support/no_more_descriptors.hpp"
#include "support/window_bytes.hpp"
#include "unit/mapped/figure.hpp"
#include "unit/mapped/window.hpp"

#include "vfsproto/backends/loopback.hpp"
#include "vfsproto/backends/memfs.hpp"
#include "vfsproto/backends/shared_window.hpp"
#include "vfsproto/posix/mapped_files.hpp"
#include "vfsproto/posix/mount.hpp"
#include "vfsproto/posix/mount_options.hpp"

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::test;
using backends::SharedWindow;
using posix::File;
using posix::MappedFile;
using posix::MappedFiles;

namespace {

// A base of the fixture, so that it ends after the mount.
struct ServedMemory {
    ServedMemory(std::size_t ranges, backends::MemfsOptions options)
        : window(SharedWindow::create(ranges * kRange, kAlignment)) {
        options.window = window;
        fs = std::make_unique<backends::Memfs>(std::move(options));
    }

    std::shared_ptr<SharedWindow> window;
    std::unique_ptr<backends::Memfs> fs;
};

struct MemoryWindow : ServedMemory, MappedMount {
    explicit MemoryWindow(std::size_t ranges = 8, backends::MemfsOptions options = {})
        : ServedMemory(ranges, std::move(options)) {
        open_memory();
        map_files();
    }
    void open_memory() {
        backends::LoopbackOptions loopback;
        loopback.window = window;
        posix::MountOptions options;
        options.credentials.caller.uid = 0; // whose writes are mapped
        MappedFiles::offer(options);
        open_mount(backends::make_loopback(*fs, std::move(loopback)), options);
    }
    File make(const std::string& name, const std::string& content) const {
        auto opened = mount->open_file(name, abi::kOCreat | abi::kORdwr, 0644);
        REQUIRE(opened);
        REQUIRE(write(*opened, 0, content) == content.size());
        return *std::move(opened);
    }
};

} // namespace

TEST_CASE("mapped: a file in memory is read and written through a warm window, and nothing is sent") {
    MemoryWindow f;
    std::string text = pattern(3 * kRange);
    const File file = f.make("file", text);
    const auto mapped = f.map(file);
    CHECK(f.read(*mapped, 0, text.size()) == text);
    CHECK(f.write(*mapped, 0, text) == text.size());
    const std::uint64_t before = f.requests();
    for (std::size_t at = 0; at < 2 * kRange; at += 1111) CHECK(f.read(*mapped, at, 999) == text.substr(at, 999));
    CHECK(f.write(*mapped, kRange - 3, "across") == 6);
    CHECK(f.requests() == before);
    text.replace(kRange - 3, 6, "across");
    CHECK(f.read(file, 0, text.size()) == text); // by READ
    CHECK(f.write(file, 2 * kRange - 4, "by WRITE") == 8);
    text.replace(2 * kRange - 4, 8, "by WRITE");
    CHECK(f.read(*mapped, 0, text.size()) == text);
    CHECK(f.files->counters().fallen_back == 0);
}

TEST_CASE("mapped: a file in memory that becomes shorter is read to its end, and grows again with zeros") {
    MemoryWindow f;
    const File file = f.make("file", pattern(4 * kRange));
    const auto mapped = f.map(file);
    CHECK(f.write(*mapped, 0, pattern(4 * kRange)) == 4 * kRange);
    REQUIRE_FALSE(f.mount->truncate(file, kRange + 10).happened());
    CHECK(f.read(*mapped, 3 * kRange, 100).empty());
    CHECK(f.files->counters().faults == 1);
    CHECK(f.write(*mapped, kRange + 10, "lost") == 4); // behind the end, in its page
    CHECK(f.write(file, 3 * kRange - 1, "z") == 1);
    CHECK(f.read(file, kRange + 8, 8) == pattern(kRange + 10).substr(kRange + 8) + std::string(6, '\0'));
    CHECK(f.read(*mapped, 2 * kRange, kRange) == std::string(kRange - 1, '\0') + 'z');
}

TEST_CASE("mapped: a file in memory without a name lives as long as it is open, and then gives all back") {
    MemoryWindow f;
    {
        const File file = f.make("file", pattern(2 * kRange));
        const auto mapped = f.map(file);
        CHECK(f.read(*mapped, 0, 2 * kRange) == pattern(2 * kRange));
        REQUIRE_FALSE(f.mount->unlink("file").happened());
        CHECK(f.write(*mapped, 5, "still") == 5);
        CHECK(f.read(file, 5, 5) == "still");
        CHECK(f.fs->memory_files() == 1);
    }
    f.files.reset();
    f.mount.reset();
    CHECK(f.fs->nodes() == 1);
    CHECK(f.fs->used_bytes() == 0);
    CHECK(f.fs->memory_files() == 0);
    CHECK(f.fs->misuse().over_forgets == 0);
}

TEST_CASE("mapped: without a descriptor for a memfd a file in memory goes by READ and WRITE") {
    MemoryWindow f;
    const File file = f.make("file", pattern(2 * kRange));
    const auto mapped = f.map(file);
    {
        const NoMoreDescriptors none;
        CHECK(f.read(*mapped, 0, 2 * kRange) == pattern(2 * kRange));
        CHECK(f.write(*mapped, 3, "written") == 7);
        CHECK(f.files->counters().fallen_back == 2);
        CHECK(f.files->counters().quarantined == 0);
    }
    CHECK(f.read(file, 3, 7) == "written");
    const auto again = f.map(file); // who was refused does not ask again, others do
    const std::uint64_t fallen_back = f.files->counters().fallen_back;
    CHECK(f.read(*again, 3, 7) == "written");
    CHECK(f.files->counters().fallen_back == fallen_back);
}

TEST_CASE("mapped: a hole for which there is no space goes by READ, and a WRITE there is ENOSPC") {
    backends::MemfsOptions served;
    served.capacity = 2 * kRange;
    MemoryWindow f(8, served);
    const File file = f.make("file", "start");
    REQUIRE_FALSE(f.mount->truncate(file, 4 * kRange).happened());
    const auto mapped = f.map(file);
    CHECK(f.read(*mapped, 0, 5) == "start");
    CHECK(f.read(*mapped, kRange, 3) == std::string(3, '\0'));
    CHECK(f.read(*mapped, 2 * kRange, 3) == std::string(3, '\0')); // by READ
    CHECK(f.files->counters().fallen_back == 1);
    const auto refused = mapped->write(std::as_bytes(std::span("x", 1)), 2 * kRange);
    REQUIRE_FALSE(refused);
    CHECK(refused.failure().error == abi::Errno::enospc);
    CHECK(f.fs->used_bytes() == 2 * kRange);
}

TEST_CASE("mapped: more files in memory than may be in memfds are read, each as it is") {
    backends::MemfsOptions served;
    served.max_memory_files = 2;
    MemoryWindow f(8, served);
    std::vector<File> open;
    std::vector<std::unique_ptr<MappedFile>> mapped;
    for (unsigned i = 0; i < 5; ++i) open.push_back(f.make("file" + std::to_string(i), pattern(2 * kRange, i)));
    for (const File& file : open) mapped.push_back(f.map(file));
    for (int round = 0; round < 2; ++round) {
        for (unsigned i = 0; i < mapped.size(); ++i) CHECK(f.read(*mapped[i], 0, 2 * kRange) == pattern(2 * kRange, i));
    }
    CHECK(f.fs->memory_files() == 2);
    CHECK(f.files->counters().fallen_back == 6); // three files, twice
    mapped.clear();
    CHECK(f.read(*f.map(open[4]), 0, 2 * kRange) == pattern(2 * kRange, 4));
    CHECK(f.files->counters().fallen_back == 6);
    CHECK(f.read(open[0], 0, 2 * kRange) == pattern(2 * kRange));
}

TEST_CASE("mapped: the next session finds what the last one wrote through its window, and nothing mapped") {
    MemoryWindow f;
    {
        const File file = f.make("file", pattern(kRange));
        CHECK(f.write(*f.map(file), 0, "kept") == 4);
    }
    f.files.reset();
    f.mount.reset();
    CHECK_FALSE(is_there(*f.window, 0));
    f.open_memory();
    f.map_files();
    auto opened = f.mount->open_file("file", abi::kORdonly);
    REQUIRE(opened);
    CHECK(f.read(*opened, 0, 4) == "kept");
    CHECK(f.read(*f.map(*opened), 0, 4) == "kept");
}

TEST_CASE("mapped: threads write through a small window what others read by READ, and the other way round") {
    constexpr std::size_t kThreads = 4;
    constexpr std::size_t kPieces = 6;
    MemoryWindow f(3);
    const File file = f.make("file", std::string(kThreads * kPieces * kRange, 'a'));
    const auto mapped = f.map(file);
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (std::size_t t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (std::size_t i = 0; i < 200; ++i) {
                const std::uint64_t at = (i * 7 % kPieces * kThreads + t) * kRange + 100 * t;
                const std::string text = pattern(500, static_cast<unsigned>(i + t));
                const bool by_request = i % 3 == 0;
                const std::uint64_t count = by_request ? f.write(file, at, text) : f.write(*mapped, at, text);
                const std::string back = by_request ? f.read(*mapped, at, 500) : f.read(file, at, 500);
                if (count != text.size() || back != text) ++wrong;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(f.files->counters().set_ups > kPieces); // 24 places go through 3 ranges
}

TEST_CASE("mapped: how fast reads of a warm window of a file system in memory are beside memcpy", "[.figure]") {
    MemoryWindow f(kFigureBytes / kRange);
    f.map_files(0);
    const File file = f.make("file", pattern(kFigureBytes));
    print_figure("memfs", *f.mount, *f.map(file));
}
