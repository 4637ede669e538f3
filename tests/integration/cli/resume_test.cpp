// SPDX-License-Identifier: BSD-2-Clause
// The commands get and put with --resume go on with what an earlier copy has left, once it is compared with the source.
#include "integration/cli/local_files.hpp"
#include "integration/cli/printed_lines.hpp"
#include "integration/cli/refusing_host.hpp"
#include "integration/cli/share.hpp"
#include "support/watchdog.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <thread>

using namespace vfsproto::test;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kSize = 3 * kMiB + 5;
constexpr std::size_t kCut = kMiB + 7;

// Bytes that do not repeat, so that a piece in the wrong place shows.
std::string bytes_of(std::size_t size, unsigned seed) {
    std::string bytes(size, '\0');
    std::uint32_t state = seed;
    for (char& byte : bytes) {
        state = state * 1'664'525 + 1'013'904'223;
        byte = static_cast<char>(state >> 24);
    }
    return bytes;
}

// One copy by get or put, and where both sides lie.
struct Copying {
    std::vector<std::string> words;
    fs::path source;
    fs::path target;

    [[nodiscard]] std::vector<std::string> with(std::initializer_list<std::string> options) const {
        std::vector<std::string> line = words;
        line.insert(line.begin() + 1, options.begin(), options.end());
        return line;
    }
    [[nodiscard]] fs::path directory() const { return target.parent_path(); }
};
Copying copying_by(const Share& share, const std::string& command) {
    const fs::path here = share.beside("here");
    for (const fs::path& directory : {here, here / "to", share.path() / "to"}) fs::create_directories(directory);
    if (command == "get") return {{command, "source", here / "to/copy"}, share.path() / "source", here / "to/copy"};
    return {{command, here / "source", "to/copy"}, here / "source", share.path() / "to/copy"};
}

std::vector<fs::path> halves_in(const fs::path& directory) {
    std::vector<fs::path> halves;
    for (const auto& entry : fs::directory_iterator(directory)) {
        if (entry.path().filename().string().starts_with(".vfsproto-")) halves.push_back(entry.path());
    }
    return halves;
}

// Runs a copy on a disk that is full after so many bytes of each file. The program itself serves the share for that.
Ran run_with_room(const Share& share, const Copying& copying, std::initializer_list<std::string> options,
                  std::size_t room) {
    std::vector<std::string> words = copying.with(options);
    words.insert(words.begin(), {"--device", "dir:" + share.path().string()});
    const RefusingHost host = RefusingHost::with_room(room);
    return run_program(words);
}

// Cuts the copy, and returns the half that stays.
fs::path cut(const Share& share, const Copying& copying) {
    const Ran ran = run_with_room(share, copying, {"--resume"}, kCut);
    CHECK(ran.status == 1);
    CHECK(contains(ran.err, "ENOSPC"));
    const std::vector<fs::path> halves = halves_in(copying.directory());
    REQUIRE(halves.size() == 1);
    REQUIRE(fs::file_size(halves[0]) == kCut);
    return halves[0];
}

// Goes on with the copy, and returns how many bytes were moved for that.
std::uint64_t resume(const Share& share, const Copying& copying) {
    std::vector<std::string> words = copying.with({"--resume"});
    words.insert(words.begin(), "--json");
    const std::string lines = share.output(words);
    CHECK(halves_in(copying.directory()).empty());
    return copied_sums(lines)["bytes"];
}

} // namespace

TEST_CASE("a copy with --resume goes on where the last one was cut", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const std::string bytes = bytes_of(kSize, 1);
    for (const char* command : {"get", "put"}) {
        INFO(command);
        const Copying copying = copying_by(share, command);
        write_file(copying.source, bytes);
        write_file(copying.target, "old");
        REQUIRE(::chmod(copying.target.c_str(), 0640) == 0);
        const fs::path half = cut(share, copying);
        CHECK(Share::contents(copying.target) == "old");
        CHECK((Share::contents(half) == bytes.substr(0, kCut)));
        CHECK((fs::status(half).permissions() & fs::perms::mask) == fs::perms(0600)); // nobody else is to read it
        // It may be cut more than once, and once more when it has got its last mode.
        REQUIRE(::chmod(half.c_str(), 0644) == 0);
        CHECK(run_with_room(share, copying, {"--resume"}, 2 * kCut).status == 1);
        CHECK((Share::contents(half) == bytes.substr(0, 2 * kCut)));
        CHECK((fs::status(half).permissions() & fs::perms::mask) == fs::perms(0600));
        CHECK(resume(share, copying) == kSize - 2 * kCut);
        CHECK((Share::contents(copying.target) == bytes));
        CHECK((fs::status(copying.target).permissions() & fs::perms::mask) == fs::perms(0640));
    }
}

TEST_CASE("a copy with --resume keeps the holes on both sides of the cut", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    constexpr std::size_t kWhole = 64 * kMiB;
    const std::string bytes = bytes_of(kMiB, 1);
    for (const char* command : {"get", "put"}) {
        INFO(command);
        const Copying copying = copying_by(share, command);
        std::ofstream source(copying.source, std::ios::binary);
        for (const std::size_t at : {std::size_t{0}, 8 * kMiB, 40 * kMiB}) {
            source.seekp(static_cast<std::streamoff>(at));
            source << bytes;
        }
        source.close();
        REQUIRE(::truncate(copying.source.c_str(), kWhole) == 0);
        CHECK(run_with_room(share, copying, {"--resume"}, 8 * kMiB + kMiB / 2).status == 1);
        REQUIRE(halves_in(copying.directory()).size() == 1);
        CHECK(resume(share, copying) == kMiB / 2 + kMiB);
        CHECK((Share::contents(copying.target) == Share::contents(copying.source)));
        struct stat made{};
        REQUIRE(::stat(copying.target.c_str(), &made) == 0);
        CHECK(static_cast<std::size_t>(made.st_blocks) * 512 < kWhole / 2);
    }
}

TEST_CASE("a copy of a tree with --resume goes on with each file that was cut", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    for (const char* command : {"get", "put"}) {
        INFO(command);
        Copying copying = copying_by(share, command);
        fs::create_directories(copying.source / "deep");
        for (const char* name : {"one", "two", "deep/three"}) {
            write_file(copying.source / name, bytes_of(kSize, static_cast<unsigned char>(name[0])));
        }
        write_file(copying.source / "small", "small");
        CHECK(run_with_room(share, copying, {"-rT", "--resume"}, kCut).status == 1);
        CHECK(halves_in(copying.target).size() == 2);
        CHECK(halves_in(copying.target / "deep").size() == 1);
        CHECK(Share::contents(copying.target / "small") == "small");
        copying.words = copying.with({"-rT", "--checksum"}); // what is there already is not copied again
        CHECK(resume(share, copying) == 3 * (kSize - kCut));
        for (const char* name : {"one", "two", "deep/three"}) {
            CHECK((Share::contents(copying.target / name) == Share::contents(copying.source / name)));
        }
        CHECK(halves_in(copying.target).empty());
        CHECK(halves_in(copying.target / "deep").empty());
    }
}

TEST_CASE("nothing stays of a copy that is cut without --resume", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    for (const char* command : {"get", "put"}) {
        INFO(command);
        const Copying copying = copying_by(share, command);
        write_file(copying.source, bytes_of(kSize, 1));
        CHECK(run_with_room(share, copying, {}, kCut).status == 1);
        CHECK(fs::is_empty(copying.directory()));
    }
    CHECK(share.output({"put", "--resume", "-", "copy"}, "text") == ""); // what cannot be read again is copied as ever
    CHECK(share.read("copy") == "text");
}

TEST_CASE("nothing stays of a copy with --resume of which nothing arrived", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    for (const char* command : {"get", "put"}) {
        INFO(command);
        const Copying copying = copying_by(share, command);
        write_file(copying.source, "content");
        CHECK(run_with_room(share, copying, {"--resume"}, 0).status == 1);
        CHECK(fs::is_empty(copying.directory()));
    }
}

TEST_CASE("a half with other bytes than the source is not gone on with", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const std::string bytes = bytes_of(kSize, 1);
    for (const char* command : {"get", "put"}) {
        const Copying copying = copying_by(share, command);
        write_file(copying.source, bytes);
        std::string last_differs = bytes.substr(0, kCut);
        last_differs.back() ^= 1;
        std::string first_differs = bytes.substr(0, kCut);
        first_differs.front() ^= 1;
        for (const std::string& held : {last_differs, first_differs, bytes + "more"}) {
            INFO(command << ' ' << held.size());
            fs::remove(copying.target);
            write_file(cut(share, copying), held);
            CHECK(resume(share, copying) == kSize);
            CHECK((Share::contents(copying.target) == bytes));
        }
        fs::remove(copying.target);
        write_file(cut(share, copying), bytes); // all of it arrived, and has not got its name
        CHECK(resume(share, copying) == 0);
        CHECK((Share::contents(copying.target) == bytes));
    }
}

TEST_CASE("a source that changed since the cut is copied from its first byte, and the old half goes", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    for (const char* command : {"get", "put"}) {
        INFO(command);
        const Copying copying = copying_by(share, command);
        write_file(copying.source, bytes_of(kSize, 1));
        cut(share, copying);
        write_file(copying.directory() / ".vfsproto-0123456789abcdef", "somebody else's"); // no half of this file
        const std::string changed = bytes_of(kSize, 2);
        write_file(copying.source, changed);
        std::vector<std::string> words = copying.with({"--resume"});
        CHECK(share.output(words) == "");
        CHECK((Share::contents(copying.target) == changed));
        CHECK(halves_in(copying.directory()) ==
              std::vector<fs::path>{copying.directory() / ".vfsproto-0123456789abcdef"});
        fs::remove(copying.directory() / ".vfsproto-0123456789abcdef");
    }
}

TEST_CASE("what has the name of a half by chance is never written to", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const std::string bytes = bytes_of(kSize, 1);
    const std::string beginning = bytes.substr(0, kMiB); // of another file: it could be gone on with
    for (const char* command : {"get", "put"}) {
        INFO(command);
        const Copying copying = copying_by(share, command);
        write_file(copying.source, bytes);
        const fs::path half = cut(share, copying);
        const fs::path precious = copying.directory() / "precious";
        const auto check = [&](const char* what) {
            INFO(what);
            write_file(precious, beginning);
            fs::remove(copying.target);
            return resume(share, copying);
        };
        write_file(precious, beginning);
        const auto is_made_anew = [&](const char* what) {
            CHECK(check(what) == kSize);
            CHECK((Share::contents(copying.target) == bytes));
            CHECK((Share::contents(precious) == beginning));
        };
        fs::remove(half);
        fs::create_symlink("precious", half);
        is_made_anew("symbolic link");
        fs::create_hard_link(precious, half);
        is_made_anew("hard link");
        REQUIRE(::mkfifo(half.c_str(), 0600) == 0);
        is_made_anew("FIFO");
        if (::geteuid() == 0) {
            write_file(half, bytes.substr(0, kCut));
            constexpr uid_t kOther = 12345;
            REQUIRE(::chown(half.c_str(), kOther, 0) == 0);
            is_made_anew("file of somebody else");
        }
        fs::remove(copying.target);
        fs::create_directory(half);
        write_file(half / "file", "precious");
        CHECK(contains(share.complaint(copying.with({"--resume"})), "EISDIR"));
        CHECK(Share::contents(half / "file") == "precious");
        CHECK_FALSE(fs::exists(copying.target));
        fs::remove_all(half);
        fs::remove(precious);
    }
}

TEST_CASE("get --resume leaves a half alone that another program writes to", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(Server::embedded);
    const Copying copying = copying_by(share, "get");
    write_file(copying.source, bytes_of(kSize, 1));
    const fs::path half = cut(share, copying);
    const int other = ::open(half.c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(::flock(other, LOCK_EX) == 0);
    CHECK(contains(share.complaint(copying.with({"--resume"})), "EBUSY"));
    CHECK(fs::file_size(half) == kCut);
    CHECK_FALSE(fs::exists(copying.target));
    ::close(other);
    CHECK(resume(share, copying) == kSize - kCut);
}

TEST_CASE("a copy with --resume that a signal ends goes on", "[cli][heavy]") {
    const Watchdog watchdog("the copy that a signal ends");
    const Server server = GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust);
    const Share share(server);
    if (share.missing()) return;
    constexpr off_t kLarge = 300 << 20; // takes long enough for a signal to come
    const std::string end = "the end";
    for (const char* command : {"get", "put"}) {
        INFO(command);
        const Copying copying = copying_by(share, command);
        const int file = ::open(copying.source.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        REQUIRE(::posix_fallocate(file, 0, kLarge) == 0);
        REQUIRE(::pwrite(file, end.data(), end.size(), kLarge - 7) == 7);
        ::close(file);
        const auto has_begun = [&] {
            const auto halves = halves_in(copying.directory());
            std::error_code gone;
            return fs::exists(copying.target) || (!halves.empty() && fs::file_size(halves[0], gone) > 0 && !gone);
        };
        constexpr int kTries = 20; // a busy machine may let the program end first
        int status = 0;
        for (int i = 0; i < kTries && status == 0; ++i) {
            fs::remove(copying.target);
            std::unique_ptr<Virtiofsd> daemon;
            std::string device = "dir:" + share.path().string();
            if (server != Server::embedded) {
                const Daemon kind = server == Server::virtiofsd ? Daemon::c : Daemon::rust;
                daemon = std::make_unique<Virtiofsd>(kind, std::vector<std::string>{}, share.path());
                device = "vhost-user:" + daemon->socket();
            }
            std::vector<std::string> words = copying.with({"--resume"});
            words.insert(words.begin(), {"--device", device});
            RunningProgram program(words);
            while (!has_begun()) std::this_thread::yield();
            program.signal(SIGTERM);
            status = program.wait().status;
        }
        REQUIRE(status == -SIGTERM);
        REQUIRE(halves_in(copying.directory()).size() == 1);
        const std::uint64_t held = fs::file_size(halves_in(copying.directory())[0]);
        CHECK(held > 0);
        CHECK(resume(share, copying) == kLarge - held);
        std::ifstream copy(copying.target, std::ios::binary);
        copy.seekg(-7, std::ios::end);
        std::string last(end.size(), '\0');
        copy.read(last.data(), 7);
        CHECK(last == end);
        CHECK(fs::file_size(copying.target) == kLarge);
        fs::remove(copying.target);
        fs::remove(copying.source);
    }
}
