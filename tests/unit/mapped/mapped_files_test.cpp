// SPDX-License-Identifier: BSD-2-Clause
// Files read and written through the window of a loopback device that serves a directory of this host.
#include "support/catch.hpp"
#include "support/scratch_directory.hpp"
#include "unit/mapped/figure.hpp"
#include "unit/mapped/window.hpp"

#include "vfsproto/backends/loopback.hpp"
#include "vfsproto/backends/passthrough.hpp"
#include "vfsproto/backends/shared_window.hpp"
#include "vfsproto/posix/mapped_files.hpp"
#include "vfsproto/posix/mount.hpp"
#include "vfsproto/posix/mount_options.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>
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

enum class Offer { yes, no };

// A base of the fixture, so that it ends after the mount.
struct ServedDirectory {
    ScratchDirectory directory;
    std::shared_ptr<SharedWindow> window;
};

struct WindowFixture : ServedDirectory, MappedMount {
    explicit WindowFixture(std::size_t ranges = 8, std::uint32_t uid = 0, Offer offer = Offer::yes) {
        if (ranges != 0) window = SharedWindow::create(ranges * kRange, kAlignment);
        backends::PassthroughOptions served;
        served.root = directory.path().string();
        served.window = window;
        backends::LoopbackOptions loopback;
        loopback.window = window;
        posix::MountOptions options;
        options.credentials.caller.uid = uid;
        if (offer == Offer::yes) MappedFiles::offer(options);
        open_mount(backends::make_loopback(std::make_unique<backends::Passthrough>(served), std::move(loopback)),
                   options);
    }
    void make(const std::string& name, const std::string& content) const {
        std::ofstream(directory.path() / name, std::ios::binary) << content;
    }
    [[nodiscard]] std::string content(const std::string& name) const {
        std::ifstream in(directory.path() / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    File open(const std::string& name, std::uint32_t flags = abi::kORdwr) const {
        auto opened = mount->open_file(name, flags);
        REQUIRE(opened);
        return *std::move(opened);
    }
};

} // namespace

TEST_CASE("mapped: reads of a warm window send nothing, and give what the file has") {
    WindowFixture f;
    const std::string text = pattern(3 * kRange);
    f.make("file", text);
    f.map_files();
    const File file = f.open("file");
    const auto mapped = f.map(file);
    CHECK(f.read(*mapped, 0, text.size()) == text);
    CHECK(f.files->counters().set_ups == 3);
    const std::uint64_t before = f.requests();
    for (std::size_t at = 0; at < 2 * kRange; at += 1111) CHECK(f.read(*mapped, at, 999) == text.substr(at, 999));
    CHECK(f.read(*mapped, 0, text.size()) == text);
    CHECK(f.requests() == before);
    CHECK(f.files->counters().fallen_back == 0);
}

TEST_CASE("mapped: writes of a warm window send nothing, and are in the file at once") {
    WindowFixture f;
    std::string text = pattern(2 * kRange);
    f.make("file", text);
    f.map_files();
    const File file = f.open("file");
    const auto mapped = f.map(file);
    CHECK(f.write(*mapped, 0, text) == text.size());
    const std::uint64_t before = f.requests();
    CHECK(f.write(*mapped, kRange - 3, "across") == 6);
    CHECK(f.requests() == before);
    text.replace(kRange - 3, 6, "across");
    CHECK(f.content("file") == text);
    CHECK(f.read(*mapped, 0, text.size()) == text);
    CHECK(f.requests() == before);
    CHECK_FALSE(f.mount->fsync(file).happened());
}

TEST_CASE("mapped: a range that was read is mapped once more to be written") {
    WindowFixture f;
    f.make("file", pattern(kRange));
    f.map_files();
    const File file = f.open("file");
    const auto mapped = f.map(file);
    CHECK(f.read(*mapped, 0, 5).size() == 5);
    CHECK(f.write(*mapped, 0, "hello") == 5);
    CHECK(f.files->counters().set_ups == 2);
    CHECK(f.read(*mapped, 0, 5) == "hello");
}

TEST_CASE("mapped: bytes beyond the end go by READ and WRITE, which may make the file longer") {
    WindowFixture f;
    f.make("file", "0123456789");
    f.map_files();
    const File file = f.open("file");
    const auto mapped = f.map(file);
    CHECK(f.read(*mapped, 5, 100) == "56789");
    CHECK(f.read(*mapped, 10, 100).empty());
    CHECK(f.read(*mapped, ~std::uint64_t{0}, 1) == "?"); // as Mount::read()
    CHECK(f.write(*mapped, 8, "abcdef") == 6);
    CHECK(f.content("file") == "01234567abcdef");
    const std::uint64_t before = f.requests();
    CHECK(f.read(*mapped, 0, 14) == "01234567abcdef"); // the new end is known
    CHECK(f.requests() == before);
    f.make("file", std::string(100, 'x'));
    CHECK(f.read(*mapped, 0, 100) == std::string(100, 'x')); // by READ
    CHECK_FALSE(mapped->refresh().happened());
    const std::uint64_t refreshed = f.requests();
    CHECK(f.read(*mapped, 0, 100) == std::string(100, 'x'));
    CHECK(f.requests() == refreshed);
}

TEST_CASE("mapped: a file that somebody made shorter is read to its end, and the program lives") {
    WindowFixture f;
    f.make("file", pattern(4 * kRange));
    f.map_files();
    const File file = f.open("file");
    const auto mapped = f.map(file);
    CHECK(f.read(*mapped, 0, 4 * kRange).size() == 4 * kRange);
    std::filesystem::resize_file(f.directory.path() / "file", kRange);
    CHECK(f.read(*mapped, 2 * kRange, 100).empty());
    CHECK(f.read(*mapped, 0, 4 * kRange).size() == kRange);
    CHECK(f.files->counters().faults == 2);
    CHECK(f.write(*mapped, 2 * kRange, "again") == 5); // by WRITE, which makes it longer
    CHECK(f.content("file").substr(2 * kRange) == "again");
}

TEST_CASE("mapped: more is read than the window holds: the least recently used ranges make room") {
    WindowFixture f(2);
    f.map_files();
    std::vector<std::string> texts;
    std::vector<File> open;
    std::vector<std::unique_ptr<MappedFile>> mapped;
    for (unsigned i = 0; i < 4; ++i) {
        const std::string name = "file" + std::to_string(i);
        texts.push_back(pattern(2 * kRange, i + 1));
        f.make(name, texts.back());
        open.push_back(f.open(name));
    }
    for (const File& file : open) mapped.push_back(f.map(file));
    for (int round = 0; round < 3; ++round) {
        for (std::size_t i = 0; i < mapped.size(); ++i) CHECK(f.read(*mapped[i], 0, 2 * kRange) == texts[i]);
    }
    CHECK(f.files->counters().removed > 0);
    CHECK(f.files->counters().fallen_back == 0);
    CHECK(f.files->counters().quarantined == 0);
}

TEST_CASE("mapped: nothing of a file stays mapped when nobody maps it any more") {
    WindowFixture f;
    f.make("file", pattern(2 * kRange));
    f.map_files();
    const File file = f.open("file");
    auto first = f.map(file);
    auto second = f.map(file);
    CHECK(f.read(*first, 0, 2 * kRange).size() == 2 * kRange);
    first.reset();
    CHECK(f.files->counters().removed == 0);
    const std::uint64_t before = f.requests();
    CHECK(f.read(*second, 0, 2 * kRange).size() == 2 * kRange);
    CHECK(f.requests() == before);
    second.reset();
    CHECK(f.files->counters().removed == 2);
    CHECK(f.requests() == before + 1); // one REMOVEMAPPING for both
}

TEST_CASE("mapped: files whose writes need a WRITE get one") {
    const bool is_root = GENERATE(true, false);
    const std::uint32_t flags = GENERATE(abi::kORdwr | abi::kOAppend, abi::kORdwr | abi::kODsync, abi::kORdwr);
    if (is_root && flags == abi::kORdwr) return; // these are mapped
    WindowFixture f(8, is_root ? 0 : 1000);
    f.make("file", "0123456789");
    std::filesystem::permissions(f.directory.path() / "file", std::filesystem::perms(0666));
    f.map_files();
    const File file = f.open("file", flags);
    const auto mapped = f.map(file);
    CHECK(f.write(*mapped, 0, "ab") == 2);
    CHECK(f.files->counters().set_ups == 0);
    CHECK(f.content("file") == ((flags & abi::kOAppend) != 0 ? "0123456789ab" : "ab23456789"));
}

TEST_CASE("mapped: what a file is not open for fails as it does in a mount") {
    WindowFixture f;
    f.make("file", "0123456789");
    f.map_files();
    const File to_read = f.open("file", abi::kORdonly);
    const File to_write = f.open("file", abi::kOWronly);
    const auto reader = f.map(to_read);
    const auto writer = f.map(to_write);
    CHECK(f.read(*writer, 0, 5) == "?");
    CHECK(f.write(*reader, 0, "x") == 0);
    CHECK(f.content("file") == "0123456789");
    CHECK(f.write(*writer, 0, "x") == 1);
    CHECK(f.read(*reader, 0, 3) == "x12");
    CHECK_FALSE(f.files->map(File()));
}

TEST_CASE("mapped: a mount without a window, or that did not offer to map, says so") {
    WindowFixture none(0);
    CHECK(MappedFiles::open(*none.mount).failure().errc == Errc::not_negotiated);
    WindowFixture silent(8, 0, Offer::no);
    CHECK(MappedFiles::open(*silent.mount).failure().errc == Errc::not_negotiated);
    WindowFixture small(8);
    CHECK(MappedFiles::open(*small.mount).failure().errc == Errc::not_negotiated); // no range of 2 MiB
    CHECK(MappedFiles::open(*small.mount, 100).failure().errc == Errc::bad_argument);
}

TEST_CASE("mapped: threads read and write through one small window") {
    constexpr std::size_t kThreads = 4;
    constexpr std::size_t kPieces = 6;
    WindowFixture f(3);
    f.make("file", std::string(kThreads * kPieces * kRange, 'a'));
    f.map_files();
    const File file = f.open("file");
    const auto mapped = f.map(file);
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (std::size_t t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (std::size_t i = 0; i < 300; ++i) {
                const std::uint64_t at = (i * 7 % kPieces * kThreads + t) * kRange + 100 * t;
                const std::string text = pattern(500, static_cast<unsigned>(i + t));
                if (f.write(*mapped, at, text) != text.size()) ++wrong;
                if (f.read(*mapped, at, text.size()) != text) ++wrong;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(f.files->counters().hits > 0);
}

TEST_CASE("mapped: how fast reads of a warm window of a directory are beside memcpy", "[.figure]") {
    WindowFixture f(kFigureBytes / kRange);
    f.make("file", pattern(kFigureBytes));
    auto opened = MappedFiles::open(*f.mount);
    REQUIRE(opened);
    f.files = *std::move(opened);
    const File file = f.open("file");
    print_figure("passthrough", *f.mount, *f.map(file));
}
