// SPDX-License-Identifier: BSD-2-Clause
#include "mount_point.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

namespace vfsproto::kernel_mount {

namespace {

using backends::FileDescriptor;

constexpr const char* kDevice = "/dev/fuse";
constexpr const char* kHelper = "fusermount3";
constexpr const char* kHelperSocket = "_FUSE_COMMFD"; // the helper sends the descriptor of /dev/fuse there

std::string text_of(int error) { return std::strerror(error); }

// Runs the helper, with these descriptors as its own. Its words go to `words`, if that is not negative.
class Helper {
public:
    Helper(std::vector<std::string> arguments, int socket, int words) noexcept {
        std::vector<char*> argv{const_cast<char*>(kHelper)};
        for (std::string& argument : arguments) argv.push_back(argument.data());
        argv.push_back(nullptr);
        const std::string variable = fmt::format("{}={}", kHelperSocket, kSocket);
        std::vector<char*> environment;
        for (char** each = environ; *each != nullptr; ++each) environment.push_back(*each);
        environment.push_back(const_cast<char*>(variable.c_str()));
        environment.push_back(nullptr);

        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawnattr_init(&attributes);
        if (words >= 0) ::posix_spawn_file_actions_adddup2(&actions, words, STDERR_FILENO);
        if (socket >= 0) ::posix_spawn_file_actions_adddup2(&actions, socket, kSocket);
        sigset_t none;
        ::sigemptyset(&none);
        ::posix_spawnattr_setsigmask(&attributes, &none);
        ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        error_ = ::posix_spawnp(&pid_, kHelper, &actions, &attributes, argv.data(), environment.data());
        ::posix_spawn_file_actions_destroy(&actions);
        ::posix_spawnattr_destroy(&attributes);
    }
    Helper(const Helper&) = delete;
    Helper& operator=(const Helper&) = delete;

    // Returns 0, or why it could not be started.
    [[nodiscard]] int error() const noexcept { return error_; }
    // True if it ends with success, or nobody can know because this process was started with SIGCHLD ignored.
    [[nodiscard]] bool wait() const noexcept {
        if (error_ != 0) return false;
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0) {
            if (errno != EINTR) return errno == ECHILD;
        }
        return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }

private:
    static constexpr int kSocket = 3;

    pid_t pid_ = -1;
    int error_ = 0;
};

// Returns the descriptor that comes over the socket; none if the helper says nothing.
FileDescriptor receive(int socket) noexcept {
    char byte = 0;
    iovec data{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t got = 0;
    do {
        got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) return {};
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len != CMSG_LEN(sizeof(int)))
        return {};
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return FileDescriptor(fd);
}

// Returns the first line of what the helper said.
std::string first_line(int fd) {
    char text[512];
    const ssize_t got = ::read(fd, text, sizeof text);
    std::string line(text, got > 0 ? static_cast<std::size_t>(got) : 0);
    return line.substr(0, line.find('\n'));
}

bool make_pipe(FileDescriptor& from, FileDescriptor& to) noexcept {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
    from = FileDescriptor(ends[0]);
    to = FileDescriptor(ends[1]);
    return true;
}

} // namespace

std::string MountPoint::choose(const std::string& directory) {
    struct stat info{};
    if (::stat(directory.c_str(), &info) != 0) return text_of(errno);
    if (!S_ISDIR(info.st_mode)) return "is no directory: the root of a share is one, and goes over one";
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(directory.c_str(), nullptr), &std::free);
    if (real == nullptr) return text_of(errno);
    path_ = real.get();
    return {};
}

std::string MountPoint::attach(const OptionList& options) {
    int error = 0;
    std::string why = attach_by_kernel(options, error);
    if (why.empty() || error != EPERM) return why;
    return attach_by_helper(options);
}

std::string MountPoint::attach_by_kernel(const OptionList& options, int& error) {
    device_ = FileDescriptor(::open(kDevice, O_RDWR | O_CLOEXEC));
    if (!device_) {
        error = errno;
        const char* const advice =
            error == ENOENT || error == ENODEV ? "is the module there ('modprobe fuse')?" : "who may open it?";
        if (error == EPERM) error = EACCES; // the helper would open the same device
        return fmt::format("cannot open {}: {}: {}", kDevice, text_of(error), advice);
    }
    const std::string data = options.for_kernel(device_.get(), ::getuid(), ::getgid());
    const std::string type = "fuse." + options.subtype;
    if (::mount(options.fsname.c_str(), path_.c_str(), type.c_str(), options.flags, data.c_str()) == 0) {
        attached_ = By::kernel;
        return {};
    }
    error = errno;
    device_.close();
    return fmt::format("cannot mount: {}", text_of(error));
}

std::string MountPoint::attach_by_helper(const OptionList& options) {
    int sockets[2];
    FileDescriptor words;
    FileDescriptor words_end;
    if (!make_pipe(words, words_end) || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
        return text_of(errno);
    }
    const FileDescriptor ours(sockets[0]);
    FileDescriptor theirs(sockets[1]);
    const Helper helper({"-o", options.for_helper(), "--", path_}, theirs.get(), words_end.get());
    theirs.close();
    words_end.close();
    if (helper.error() == ENOENT) return "only root may mount by itself; others need fusermount3 (package fuse3)";
    if (helper.error() != 0) return fmt::format("{}: {}", kHelper, text_of(helper.error()));
    device_ = receive(ours.get());
    const bool succeeded = helper.wait();
    if (succeeded && device_) {
        attached_ = By::helper;
        return {};
    }
    device_.close();
    const std::string said = first_line(words.get());
    return said.empty() ? fmt::format("{} refused to mount", kHelper) : said;
}

// A mount whose connection has ended tells nobody anything.
void MountPoint::note_ended() noexcept {
    struct stat info{};
    if (::stat(path_.c_str(), &info) == 0 || (errno != ENOTCONN && errno != ECONNABORTED)) attached_ = By::nobody;
}

void MountPoint::detach() noexcept {
    const By by = std::exchange(attached_, By::nobody);
    if (by == By::nobody) return;
    if (by == By::kernel && ::umount2(path_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) return;
    static_cast<void>(Helper({"-u", "-q", "-z", "--", path_}, -1, -1).wait());
}

} // namespace vfsproto::kernel_mount
