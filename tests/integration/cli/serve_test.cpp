// SPDX-License-Identifier: BSD-2-Clause
// serve: the engine's own server behind the kernel of this host.
#include "integration/cli/mounted_share.hpp"
#include "integration/cli/posix_suite_run.hpp"
#include "support/watchdog.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace vfsproto::test;
namespace fs = std::filesystem;

namespace {

enum class ServedFiles : std::uint8_t { directory, memory };

// The program, serving a directory or memory to the kernel. What is mounted is taken away with the object.
class KernelServed {
public:
    explicit KernelServed(ServedFiles files, const std::vector<std::string>& options = {}) : share_(Server::embedded) {
        fs::create_directory(point());
        std::vector<std::string> words{"serve", "--fuse", point().string()};
        words.insert(words.end(), options.begin(), options.end());
        if (files == ServedFiles::memory) {
            words.insert(words.end(), {"--fs", "memfs"});
        } else {
            words.push_back(share_.path().string());
        }
        program_.emplace(words);
        while (!is_mounted()) {
            siginfo_t ended{};
            REQUIRE(::waitid(P_PID, static_cast<id_t>(program_->pid()), &ended, WEXITED | WNOHANG | WNOWAIT) == 0);
            REQUIRE(ended.si_pid == 0);
            std::this_thread::yield();
        }
    }
    ~KernelServed() { ::umount2(point().c_str(), MNT_DETACH); }

    [[nodiscard]] const Share& share() const { return share_; }
    [[nodiscard]] fs::path point() const { return share_.beside("point"); }
    [[nodiscard]] RunningProgram& program() { return *program_; }
    [[nodiscard]] bool is_mounted() const { return device_number(point()) != device_number(share_.path()); }
    void check_end(int status) {
        const Ran ran = program_->wait();
        CHECK(ran.status == status);
        CHECK(ran.err == "");
        CHECK_FALSE(is_mounted());
    }
    void unmount() {
        REQUIRE(::umount2(point().c_str(), 0) == 0);
        check_end(0);
    }

private:
    Share share_;
    std::optional<RunningProgram> program_;
};

std::string text_in(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}
void put_text(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

} // namespace

TEST_CASE("serve puts a directory and memory behind the kernel, and leaves when the mount is taken away", "[cli]") {
    if (mounts_are_missing()) return;
    const Watchdog watchdog("serve");
    const ServedFiles files = GENERATE(ServedFiles::directory, ServedFiles::memory);
    KernelServed served(files);
    const fs::path top = served.point();
    put_text(top / "file", "content");
    CHECK(text_in(top / "file") == "content");
    fs::create_directory(top / "dir");
    fs::rename(top / "file", top / "dir/moved");
    fs::create_hard_link(top / "dir/moved", top / "same");
    fs::create_symlink("dir/moved", top / "link");
    CHECK(text_in(top / "link") == "content");
    CHECK(fs::hard_link_count(top / "same") == 2);
    std::size_t entries = 0;
    for (const auto& entry : fs::directory_iterator(top)) entries += entry.path().filename().empty() ? 0 : 1;
    CHECK(entries == 3);
    constexpr std::size_t kBig = 3u << 20;
    put_text(top / "big", std::string(kBig, 'x'));
    CHECK(text_in(top / "big") == std::string(kBig, 'x'));
    fs::remove_all(top / "dir");
    CHECK(text_in(top / "same") == "content");
    if (files == ServedFiles::directory) CHECK(text_in(served.share().path() / "same") == "content");
    served.unmount();
}

TEST_CASE("a signal takes away what serve has mounted, from under those who use it", "[cli]") {
    if (mounts_are_missing()) return;
    const Watchdog watchdog("a signal");
    KernelServed served(GENERATE(ServedFiles::directory, ServedFiles::memory));
    put_text(served.point() / "file", "content");
    const int fd = ::open((served.point() / "file").c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(fd >= 0);
    served.program().signal(SIGTERM);
    served.check_end(-SIGTERM);
    char byte = 0;
    CHECK(::pread(fd, &byte, 1, 0) == -1);
    CHECK(errno == ENOTCONN);
    ::close(fd);
}

TEST_CASE("changes of the served directory are told to the kernel", "[cli]") {
    if (mounts_are_missing()) return;
    const Watchdog watchdog("changes");
    KernelServed served(ServedFiles::directory);
    put_text(served.share().path() / "file", "old");
    CHECK(text_in(served.point() / "file") == "old");
    CHECK_FALSE(fs::exists(served.point() / "fresh"));
    put_text(served.share().path() / "file", "newer");
    put_text(served.share().path() / "fresh", "x");
    // The kernel is told, or what it keeps expires.
    while (text_in(served.point() / "file") != "newer") std::this_thread::yield();
    while (!fs::exists(served.point() / "fresh")) std::this_thread::yield();
    served.unmount();
}

TEST_CASE("serve says in one line what is wrong with its operands", "[cli]") {
    const Share share(Server::embedded);
    const fs::path point = share.beside("point");
    fs::create_directory(point);
    const std::string directory = share.path();
    const auto complaint = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {"serve", "--fuse", point.string()});
        const Ran ran = share.run(words);
        CHECK(ran.status == 2);
        CHECK(ran.out == "");
        return ran.err;
    };
    CHECK(complaint({}).find("name the directory to serve, or say --fs memfs") != std::string::npos);
    CHECK(complaint({"--fs", "memfs", directory}).find("name no directory") != std::string::npos);
    CHECK(complaint({"--fs", "ext4"}).find("'memfs' is the only one") != std::string::npos);
    CHECK(complaint({"-o", "speed=9", directory}).find("speed=9") != std::string::npos);
    const Ran no_point = share.run({"serve", "--fuse", (point / "none").string(), directory});
    CHECK(no_point.status == 1);
    CHECK(no_point.err.find("No such file") != std::string::npos);
    fs::create_directory(share.path() / "inner");
    const Ran inside = share.run({"serve", "--fuse", (share.path() / "inner").string(), directory});
    CHECK(inside.status == 1);
    CHECK(inside.err.find("name one outside of") != std::string::npos);
}

TEST_CASE("the suite of POSIX assertions passes where serve is behind the kernel", "[cli]") {
    if (mounts_are_missing()) return;
    if (sanitized_program() != nullptr) {
        skip("the suite is about the program, not about what a sanitizer sees of it");
        return;
    }
    const Watchdog watchdog("the POSIX suite");
    KernelServed served(ServedFiles::directory, {"-o", "allow_other"});
    const PosixSuiteRun ran = run_posix_suite(served.point(), "mounted_directory");
    INFO(ran.out);
    CHECK(ran.status == 0);
    CHECK(ran.out.find("All tests passed (") != std::string::npos);
    served.unmount();
}
