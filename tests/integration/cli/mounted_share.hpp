// SPDX-License-Identifier: BSD-2-Clause
// The program with a share that it puts behind the kernel, for tests that work in the mounted directory.
#pragma once

#include "integration/cli/share.hpp"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace vfsproto::test {

// Says why if nothing can be mounted here.
inline bool mounts_are_missing() {
    if (::geteuid() != 0) {
        skip("a test that mounts wants to be root");
        return true;
    }
    if (::access("/dev/fuse", R_OK | W_OK) != 0) {
        skip("no /dev/fuse here");
        return true;
    }
    // The kernel says EINVAL to whoever may mount, because no descriptor of /dev/fuse is named.
    if (::mount("none", "/", "fuse", 0, "") == -1 && errno == EPERM) {
        skip("root may not mount here");
        return true;
    }
    return false;
}

inline dev_t device_number(const std::filesystem::path& path) {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 ? info.st_dev : 0;
}

// The program, with the share mounted beside it. What is mounted is taken away with the object.
class MountedShare {
public:
    explicit MountedShare(Server server, const std::vector<std::string>& options = {}) : share_(server) {
        std::filesystem::create_directory(point());
        std::string uri = "dir:" + share_.path().string();
        if (server != Server::embedded) {
            daemon_.emplace(std::vector<std::string>{"xattr", "flock", "posix_lock"}, share_.path());
            uri = "vhost-user:" + daemon_->socket();
        }
        std::vector<std::string> words{"--device", uri, "mount"};
        words.insert(words.end(), options.begin(), options.end());
        words.push_back(point().string());
        program_.emplace(words);
        while (!is_mounted()) {
            siginfo_t ended{};
            REQUIRE(::waitid(P_PID, static_cast<id_t>(program_->pid()), &ended, WEXITED | WNOHANG | WNOWAIT) == 0);
            REQUIRE(ended.si_pid == 0);
            std::this_thread::yield();
        }
    }
    ~MountedShare() { ::umount2(point().c_str(), MNT_DETACH); }

    [[nodiscard]] const Share& share() const { return share_; }
    [[nodiscard]] std::filesystem::path point() const { return share_.beside("point"); }
    [[nodiscard]] std::string path(const std::string& name) const { return (point() / name).string(); }
    [[nodiscard]] Virtiofsd& daemon() { return *daemon_; }
    [[nodiscard]] RunningProgram& program() { return *program_; }
    [[nodiscard]] bool is_mounted() const { return device_number(point()) != device_number(share_.path()); }
    // Takes the mount away, after which the program has to leave with 0 and without a word.
    void unmount() {
        REQUIRE(::umount2(point().c_str(), 0) == 0);
        check_end(0);
    }
    void check_end(int status) {
        const Ran ran = program_->wait();
        CHECK(ran.status == status);
        CHECK(ran.err == "");
        CHECK_FALSE(is_mounted());
    }

private:
    Share share_;
    std::optional<Virtiofsd> daemon_;
    std::optional<RunningProgram> program_;
};

inline bool is_missing(Server server) {
    return mounts_are_missing() || (server != Server::embedded && Virtiofsd::missing());
}

} // namespace vfsproto::test
