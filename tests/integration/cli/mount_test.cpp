// SPDX-License-Identifier: BSD-2-Clause
// A mount of the kernel: what its programs do arrives at the server, and no end of either side leaves it behind.
#include "integration/cli/mounted_share.hpp"
#include "support/watchdog.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <set>

using namespace vfsproto::test;
namespace fs = std::filesystem;

namespace {

class OpenedHere {
public:
    OpenedHere(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0640)) {
        INFO(path);
        REQUIRE(fd_ >= 0);
    }
    ~OpenedHere() { ::close(fd_); }
    OpenedHere(const OpenedHere&) = delete;
    OpenedHere& operator=(const OpenedHere&) = delete;
    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_;
};

// A number of bytes that is no multiple of anything.
std::string patterned(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + i / 4093);
    return text;
}

std::size_t open_descriptors(pid_t process) {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& each : fs::directory_iterator("/proc/" + std::to_string(process) + "/fd"))
        ++count;
    return count;
}

// True if this thread of ours waits for something.
bool is_asleep(pid_t thread) {
    const std::string text = Share::contents("/proc/self/task/" + std::to_string(thread) + "/stat");
    const std::size_t end = text.rfind(')');
    return end != std::string::npos && end + 2 < text.size() && (text[end + 2] == 'S' || text[end + 2] == 'D');
}

void catch_signal(int number) {
    struct sigaction action{};
    action.sa_handler = [](int) {}; // without SA_RESTART
    ::sigaction(number, &action, nullptr);
}

} // namespace

TEST_CASE("what programs write through a mount of the kernel is at the server, and what they read", "[cli]") {
    const Server server = GENERATE(as<Server>{}, Server::embedded, Server::virtiofsd);
    if (is_missing(server)) return;
    const Watchdog watchdog("programs on a mount");
    MountedShare mounted(server);
    const Share& share = mounted.share();
    constexpr std::size_t kSize = (5 << 20) + 4711; // several of the largest requests, and a piece
    const std::string bytes = patterned(kSize);
    {
        const OpenedHere file(mounted.path("file"), O_RDWR | O_CREAT | O_EXCL);
        REQUIRE(::write(file.get(), bytes.data(), kSize) == static_cast<ssize_t>(kSize));
        REQUIRE(::fsync(file.get()) == 0);
    }
    CHECK(share.read("file") == bytes);
    share.write("other", bytes);
    CHECK(Share::contents(mounted.path("other")) == bytes);
    {
        const OpenedHere direct(mounted.path("other"), O_RDONLY | O_DIRECT);
        std::string room(kSize + 4096, '\0');
        CHECK(::pread(direct.get(), room.data(), room.size(), 4096) == static_cast<ssize_t>(kSize - 4096));
        CHECK(room.compare(0, kSize - 4096, bytes, 4096) == 0);
    }

    fs::create_directory(mounted.path("dir"));
    REQUIRE(::mkfifo(mounted.path("dir/fifo").c_str(), 0600) == 0);
    CHECK(S_ISFIFO(status(share, "dir/fifo").st_mode));
    REQUIRE(::chmod(mounted.path("dir/fifo").c_str(), 0644) == 0);
    CHECK((status(share, "dir/fifo").st_mode & 07777) == 0644);
    fs::create_symlink("../file", mounted.path("dir/link"));
    CHECK(fs::read_symlink(mounted.path("dir/link")) == "../file");
    fs::create_hard_link(mounted.path("file"), mounted.path("dir/hard"));
    CHECK(status(share, "file").st_nlink == 2);
    CHECK(::renameat2(AT_FDCWD, mounted.path("dir/hard").c_str(), AT_FDCWD, mounted.path("other").c_str(),
                      RENAME_NOREPLACE) == -1);
    CHECK(errno == EEXIST);
    CHECK(::renameat2(AT_FDCWD, mounted.path("dir/fifo").c_str(), AT_FDCWD, mounted.path("other").c_str(),
                      RENAME_EXCHANGE) == 0);
    CHECK(S_ISFIFO(status(share, "other").st_mode));
    fs::rename(mounted.path("dir/fifo"), mounted.path("second"));

    REQUIRE(::setxattr(mounted.path("second").c_str(), "user.color", "red", 3, 0) == 0);
    char color[8];
    CHECK(::getxattr((share.path() / "second").c_str(), "user.color", color, sizeof color) == 3);
    CHECK(::listxattr(mounted.path("second").c_str(), nullptr, 0) == sizeof "user.color");
    CHECK(::removexattr(mounted.path("second").c_str(), "user.color") == 0);
    struct statvfs there{};
    struct statvfs here{};
    REQUIRE((::statvfs(mounted.path("").c_str(), &there) == 0 && ::statvfs(share.path().c_str(), &here) == 0));
    CHECK(there.f_blocks == here.f_blocks);
    CHECK(fs::remove_all(mounted.path("dir")) == 3);
    CHECK_FALSE(share.exists("dir"));
    mounted.unmount();
}

TEST_CASE("a mount of the kernel has the calls of Linux that change a file in place", "[cli]") {
    const Server server = GENERATE(as<Server>{}, Server::embedded, Server::virtiofsd);
    if (is_missing(server)) return;
    const Watchdog watchdog("fallocate, lseek and the like on a mount");
    MountedShare mounted(server);
    constexpr off_t kBlock = 1 << 20;
    {
        const OpenedHere file(mounted.path("file"), O_RDWR | O_CREAT);
        REQUIRE(::fallocate(file.get(), 0, 0, kBlock) == 0);
        REQUIRE(::ftruncate(file.get(), 3 * kBlock) == 0);
        CHECK(::pwrite(file.get(), "end", 3, 3 * kBlock) == 3);
        CHECK(::lseek(file.get(), kBlock, SEEK_DATA) == ::lseek(::dup(file.get()), 3 * kBlock, SEEK_SET));
        const OpenedHere copy(mounted.path("copy"), O_RDWR | O_CREAT);
        loff_t from = 3 * kBlock;
        CHECK(::copy_file_range(file.get(), &from, copy.get(), nullptr, 3, 0) == 3);
        CHECK(mounted.share().read("copy") == "end");
        int attributes = 0;
        CHECK(::ioctl(file.get(), FS_IOC_GETFLAGS, &attributes) == -1);
        CHECK(errno == ENOTTY);
    }
    const int nameless = ::open(mounted.path("").c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (server == Server::embedded) {
        REQUIRE(nameless >= 0);
        CHECK(::write(nameless, "text", 4) == 4);
        const std::string self = "/proc/self/fd/" + std::to_string(nameless);
        CHECK(::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, mounted.path("named").c_str(), AT_SYMLINK_FOLLOW) == 0);
        CHECK(mounted.share().read("named") == "text");
    } else if (nameless < 0) {
        CHECK(errno == EOPNOTSUPP); // the daemon knows none
    }
    ::close(nameless);
    ::umount2(mounted.point().c_str(), MNT_DETACH); // a copy of the descriptor is still open
}

TEST_CASE("a directory of many names is listed whole through a mount of the kernel", "[cli]") {
    const Server server = GENERATE(as<Server>{}, Server::embedded, Server::virtiofsd);
    if (is_missing(server)) return;
    const Watchdog watchdog("a listing through a mount");
    MountedShare mounted(server);
    std::set<std::string> made;
    for (int i = 0; i < 700; ++i) {
        const std::string name = "name of a file " + std::to_string(i);
        mounted.share().write(name, "");
        made.insert(name);
    }
    std::set<std::string> listed;
    for (const auto& entry : fs::directory_iterator(mounted.point())) listed.insert(entry.path().filename());
    CHECK(listed == made);
    mounted.unmount();
}

TEST_CASE("locks through a mount of the kernel are the server's, and a signal ends the wait for one", "[cli]") {
    const Server server = GENERATE(as<Server>{}, Server::embedded, Server::virtiofsd);
    if (is_missing(server)) return;
    const Watchdog watchdog("locks on a mount");
    MountedShare mounted(server);
    mounted.share().write("file", "text");
    {
        const OpenedHere first(mounted.path("file"), O_RDWR);
        const OpenedHere second(mounted.path("file"), O_RDWR);
        const OpenedHere at_server((mounted.share().path() / "file").string(), O_RDWR);
        REQUIRE(::flock(first.get(), LOCK_EX) == 0);
        CHECK(::flock(second.get(), LOCK_EX | LOCK_NB) == -1);
        CHECK(::flock(at_server.get(), LOCK_EX | LOCK_NB) == -1);
        CHECK(errno == EWOULDBLOCK);

        constexpr int kSignal = SIGUSR1;
        catch_signal(kSignal);
        std::atomic<bool> ended{false};
        int error = 0;
        std::thread waiter([&] {
            error = ::flock(second.get(), LOCK_EX) == 0 ? 0 : errno;
            ended = true;
        });
        while (!ended) {
            ::pthread_kill(waiter.native_handle(), kSignal);
            std::this_thread::yield();
        }
        waiter.join();
        CHECK(error == EINTR);

        std::thread taker([&] { error = ::flock(second.get(), LOCK_EX) == 0 ? 0 : errno; });
        CHECK(::flock(first.get(), LOCK_UN) == 0);
        taker.join();
        CHECK(error == 0);
    }
    mounted.unmount();
}

TEST_CASE("more programs may wait for a lock through a mount of the kernel than a device takes requests", "[cli]") {
    if (is_missing(Server::embedded)) return;
    const Watchdog watchdog("many who wait for a lock on a mount");
    MountedShare mounted(Server::embedded);
    mounted.share().write("file", "text");
    constexpr std::size_t kWaiters = 70; // a queue has 64 slots
    {
        const OpenedHere first(mounted.path("file"), O_RDWR);
        REQUIRE(::flock(first.get(), LOCK_EX) == 0);
        std::vector<std::unique_ptr<OpenedHere>> files;
        for (std::size_t i = 0; i < kWaiters; ++i) {
            files.push_back(std::make_unique<OpenedHere>(mounted.path("file"), O_RDWR));
        }
        std::vector<std::atomic<pid_t>> ids(kWaiters);
        std::atomic<std::size_t> failed{0};
        std::vector<std::thread> waiters;
        for (std::size_t i = 0; i < kWaiters; ++i) {
            waiters.emplace_back([&, i] {
                ids[i] = static_cast<pid_t>(::syscall(SYS_gettid));
                if (::flock(files[i]->get(), LOCK_EX) != 0 || ::flock(files[i]->get(), LOCK_UN) != 0) ++failed;
            });
        }
        for (const std::atomic<pid_t>& id : ids) {
            while (id == 0 || !is_asleep(id)) std::this_thread::yield(); // the watchdog ends this
        }
        CHECK(::flock(first.get(), LOCK_UN) == 0);
        for (std::thread& waiter : waiters) waiter.join();
        CHECK(failed == 0);
    }
    mounted.unmount();
}

TEST_CASE("the lookups of a mount of the kernel are given back to the server", "[cli]") {
    if (is_missing(Server::virtiofsd)) return;
    const Watchdog watchdog("FORGETs of a mount");
    MountedShare mounted(Server::virtiofsd);
    constexpr int kFiles = 200;
    constexpr std::size_t kItsOwn =
        20; // that the daemon may open and close meanwhile, for a directory that is listed above all
    const std::size_t before = open_descriptors(mounted.daemon().pid());
    for (int i = 0; i < kFiles; ++i) mounted.share().write("file" + std::to_string(i), "");
    for (const auto& entry : fs::directory_iterator(mounted.point())) CHECK(entry.is_regular_file());
    CHECK(open_descriptors(mounted.daemon().pid()) + kItsOwn >= before + kFiles);
    for (int i = 0; i < kFiles; ++i) fs::remove(mounted.path("file" + std::to_string(i)));
    while (open_descriptors(mounted.daemon().pid()) > before + kItsOwn)
        std::this_thread::yield(); // the watchdog ends this
    mounted.unmount();
}

TEST_CASE("a signal takes a mount of the kernel away, also from under an open file", "[cli]") {
    if (is_missing(Server::embedded)) return;
    const int number = GENERATE(as<int>{}, SIGINT, SIGTERM, SIGHUP);
    const Watchdog watchdog("a mount after a signal");
    MountedShare mounted(Server::embedded);
    mounted.share().write("file", "text");
    const OpenedHere file(mounted.path("file"), O_RDONLY);
    mounted.program().signal(number);
    mounted.check_end(-number);
    char byte = 0;
    CHECK(::pread(file.get(), &byte, 1, 0) == -1);
    CHECK((errno == ENOTCONN || errno == ECONNABORTED || errno == EIO));
}

TEST_CASE("a signal takes a mount of the kernel away whose daemon stands still", "[cli]") {
    if (is_missing(Server::virtiofsd)) return;
    const Watchdog watchdog("a mount whose daemon stands still");
    MountedShare mounted(Server::virtiofsd);
    fs::create_directory(mounted.share().path() / "dir");
    mounted.daemon().stop();
    int found = 0;
    std::thread caller([&] { found = ::access(mounted.path("dir/file").c_str(), F_OK); });
    mounted.program().signal(SIGTERM);
    mounted.check_end(-SIGTERM);
    caller.join();
    CHECK(found == -1);
    mounted.daemon().go_on();
}

TEST_CASE("what others change in a directory that is served is seen through a mount of the kernel", "[cli]") {
    if (is_missing(Server::embedded)) return;
    const Watchdog watchdog("changes behind a mount");
    MountedShare mounted(Server::embedded);
    CHECK(::access(mounted.path("file").c_str(), F_OK) == -1);
    mounted.share().write("file", "first");
    while (::access(mounted.path("file").c_str(), F_OK) != 0) std::this_thread::yield(); // the watchdog ends these
    CHECK(Share::contents(mounted.path("file")) == "first");
    mounted.share().write("file", "other");
    while (Share::contents(mounted.path("file")) != "other") std::this_thread::yield();
    fs::remove(mounted.share().path() / "file");
    while (::access(mounted.path("file").c_str(), F_OK) == 0) std::this_thread::yield();
    mounted.unmount();
}

TEST_CASE("a mount of the kernel whose daemon dies fails at once, and is taken away", "[cli]") {
    if (is_missing(Server::virtiofsd)) return;
    const Watchdog watchdog("a mount whose daemon died");
    MountedShare mounted(Server::virtiofsd);
    mounted.share().write("file", "text");
    const OpenedHere file(mounted.path("file"), O_RDONLY);
    mounted.daemon().kill();
    char byte = 0;
    CHECK(::pread(file.get(), &byte, 1, 0) == -1);
    CHECK((errno == ENOTCONN || errno == ECONNABORTED || errno == EIO));
    const Ran ran = mounted.program().wait();
    CHECK(ran.status == 3);
    CHECK(ran.err.find('\n') + 1 == ran.err.size());
    CHECK_FALSE(mounted.is_mounted());
}

TEST_CASE("fusermount3 -u ends a mount of the kernel, and -o ro takes no change", "[cli]") {
    if (is_missing(Server::embedded)) return;
    const Watchdog watchdog("a mount that fusermount3 takes away");
    MountedShare mounted(Server::embedded, {"-o", "ro,noatime"});
    CHECK(::mkdir(mounted.path("dir").c_str(), 0700) == -1);
    CHECK(errno == EROFS);
    if (std::system(("fusermount3 -u " + mounted.point().string()).c_str()) != 0) return skip("no fusermount3 here");
    mounted.check_end(0);
}

TEST_CASE("mount in the background ends when the files are there", "[cli]") {
    if (is_missing(Server::embedded)) return;
    const Watchdog watchdog("a mount in the background");
    const Share share(Server::embedded);
    share.write("file", "text");
    const fs::path point = share.beside("point");
    fs::create_directory(point);
    CHECK(share.output({"mount", "--background", point.string()}) == "");
    CHECK(Share::contents(point / "file") == "text");
    CHECK(::umount2(point.c_str(), MNT_DETACH) == 0);
    CHECK(share.complaint({"mount", "--background", (point / "none").string()}).find("No such file") !=
          std::string::npos);
}

TEST_CASE("mount says in one line why it does not", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", "");
    fs::create_directory(share.path() / "dir");
    const fs::path file = share.beside("a file");
    std::ofstream(file) << "";
    CHECK(contains(share.complaint({"mount", file.string()}), "no directory"));
    CHECK(contains(share.complaint({"mount", (share.path() / "dir").string()}), "outside of"));
    const fs::path point = share.beside("point");
    fs::create_directory(point);
    CHECK(contains(share.complaint({"mount", "-o", "ro,speed=9", point.string()}, 2), "speed=9"));
    CHECK(contains(share.complaint({"--map-users", "0:1000:1", "mount", point.string()}, 2), "--map-users"));
    // Nobody can be told how a child ended where SIGCHLD is ignored: that it failed is known all the same.
    const std::string line = "trap '' CHLD; exec " + program_path() + " --device 'dir:" + share.path().string() +
                             "' mount --background '" + (point / "none").string() + "' 2>/dev/null";
    CHECK(std::system(line.c_str()) != 0);
    const std::string none = (point / "none").string();
    const Ran in_background = share.run({"--trace-summary", "mount", "--background", none});
    CHECK(in_background.status == 1);
    CHECK(in_background.err == share.run({"--trace-summary", "mount", none}).err); // once, not by both processes
}
