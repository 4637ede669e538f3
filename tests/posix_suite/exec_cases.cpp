// SPDX-License-Identifier: BSD-2-Clause
// execve(2) of files in the directory, and ETXTBSY.
#include "processes.hpp"
#include "suite.hpp"

#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

using posix_suite::in_child;

namespace {

constexpr int kNotRun = 250;

// The result of execv, for what fails.
long refused(const std::string& path) {
    return in_child([&] {
        std::string name = path;
        char* const words[] = {name.data(), nullptr};
        return ::execv(path.c_str(), words);
    });
}

// The exit status, for what runs.
int exit_status(const std::string& path, std::string word = {}) {
    const pid_t child = ::fork();
    posix_suite::Suite::need(child >= 0, "a child");
    if (child == 0) {
        std::string name = path;
        char* const words[] = {name.data(), word.empty() ? nullptr : word.data(), nullptr};
        ::execv(path.c_str(), words);
        std::_Exit(kNotRun);
    }
    int status = 0;
    posix_suite::Suite::need(::waitpid(child, &status, 0) == child, "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool copy_program(posix_suite::Suite& s, const char* from, std::string_view name) {
    std::ifstream file(from, std::ios::binary);
    if (!file) return s.skip(std::string("no ") + from), false;
    const std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    s.write_file(name, content, 0755);
    struct statvfs found{};
    posix_suite::Suite::need(::statvfs(s.directory().c_str(), &found) == 0, "statvfs");
    if ((found.f_flag & ST_NOEXEC) != 0) return s.skip("nothing may be executed here"), false;
    return true;
}

} // namespace

POSIX_CASE("a program that was copied here runs") {
    if (!copy_program(s, "/bin/true", "true")) return;
    s.equal("it ends as it should", exit_status(s.path("true")), 0);
    s.equal("it runs by a relative name", exit_status("./true"), 0);
    s.need(::symlink("true", "symbolic") == 0 && ::link("true", "second") == 0, "links");
    s.equal("it runs through a symbolic link", exit_status(s.path("symbolic")), 0);
    s.equal("it runs by a second link", exit_status(s.path("second")), 0);
    s.need(::rename("true", "moved") == 0, "rename");
    s.equal("it runs after rename", exit_status(s.path("moved")), 0);
    s.fails("its old name does not", ENOENT, refused(s.path("true")));
    s.need(::chmod("moved", 0644) == 0, "chmod");
    s.fails("it does not run without permission, even for root", EACCES, refused(s.path("moved")));
    s.fails("access says so", EACCES, ::access("moved", X_OK));
    s.need(::chmod("moved", 0111) == 0, "chmod");
    s.equal("it runs without permission to read", exit_status(s.path("moved")), 0);
    const int fd = ::open(s.path("moved").c_str(), O_PATH);
    char name[] = "true";
    char* const words[] = {name, nullptr};
    char* const nothing[] = {nullptr};
    s.fails("fexecve of a directory", EACCES,
            in_child([&] { return ::fexecve(::open(s.directory().c_str(), O_RDONLY), words, nothing); }));
    s.passes("open of it with O_PATH", fd);
    s.passes("unlink", ::unlink("moved") + ::unlink("second"));
    const std::string by_descriptor = "/proc/self/fd/" + std::to_string(fd);
    s.equal("it runs by its descriptor after unlink", exit_status(by_descriptor), 0);
}

POSIX_CASE("scripts run and what is no program does not") {
    if (!copy_program(s, "/bin/true", "true")) return;
    s.write_file("script", "#!/bin/sh\nexit 7\n", 0755);
    s.equal("a script ends as it should", exit_status(s.path("script")), 7);
    s.write_file("answer", "#!/bin/sh\nexit \"$1\"\n", 0755);
    s.equal("a script has its words", exit_status(s.path("answer"), "9"), 9);
    s.write_file("here", "#!" + s.path("true") + "\n", 0755);
    if (s.path("true").size() < 120) s.equal("a script of an interpreter that is here", exit_status(s.path("here")), 0);
    s.write_file("lost", "#!/absent/interpreter\n", 0755);
    s.fails("a script of an interpreter that is not there", ENOENT, refused(s.path("lost")));
    s.write_file("text", "no program\n", 0755);
    s.fails("a text", ENOEXEC, refused(s.path("text")));
    s.write_file("empty", "", 0755);
    s.fails("an empty file", ENOEXEC, refused(s.path("empty")));
    s.make_directory("directory");
    s.fails("a directory", EACCES, refused(s.path("directory")));
    s.need(::mkfifo("fifo", 0755) == 0, "a FIFO");
    s.fails("a FIFO", EACCES, refused(s.path("fifo")));
    s.fails("a name that is not there", ENOENT, refused(s.path("absent")));
    s.fails("a name below a program", ENOTDIR, refused(s.path("true/true")));
    s.need(::symlink("loop", "loop") == 0, "symlink");
    s.fails("a loop of symbolic links", ELOOP, refused(s.path("loop")));
}

POSIX_CASE("a program that is written does not run") {
    if (!copy_program(s, "/bin/true", "true")) return;
    const int writer = ::open("true", O_WRONLY | O_CLOEXEC);
    s.passes("open for writing", writer);
    s.fails("exec while it is open for writing", ETXTBSY, refused(s.path("true")));
    const int reader = ::open("true", O_RDONLY | O_CLOEXEC);
    s.passes("close of the writer", ::close(writer));
    s.equal("exec while it is open for reading", exit_status(s.path("true")), 0);
    s.passes("close of the reader", ::close(reader));
}

POSIX_CASE("a program that runs is not written") {
    if (!copy_program(s, "/bin/cat", "cat")) return;
    int input[2], output[2];
    s.need(::pipe2(input, O_CLOEXEC) == 0 && ::pipe2(output, O_CLOEXEC) == 0, "pipes");
    const pid_t child = ::fork();
    s.need(child >= 0, "a child");
    if (child == 0) {
        ::alarm(60);
        if (::dup2(input[0], 0) == 0 && ::dup2(output[1], 1) == 1) ::execl("./cat", "cat", nullptr);
        std::_Exit(kNotRun);
    }
    ::close(output[1]);
    char byte = 0;
    s.equal("the program gets a byte", ::write(input[1], "x", 1), 1);
    s.equal("the program runs: it answers", ::read(output[0], &byte, 1), 1);
    s.fails("open for writing", ETXTBSY, ::open("cat", O_WRONLY));
    s.fails("open for both", ETXTBSY, ::open("cat", O_RDWR));
    s.fails("open with O_TRUNC", ETXTBSY, ::open("cat", O_WRONLY | O_TRUNC));
    s.fails("truncate", ETXTBSY, ::truncate("cat", 0));
    s.passes("open for reading", ::open("cat", O_RDONLY | O_CLOEXEC));
    s.passes("chmod", ::chmod("cat", 0755));
    s.passes("rename", ::rename("cat", "moved"));
    s.fails("open for writing by the new name", ETXTBSY, ::open("moved", O_WRONLY));
    s.passes("unlink", ::unlink("moved"));
    s.equal("the program gets another byte", ::write(input[1], "y", 1), 1);
    s.equal("the program runs on after unlink", ::read(output[0], &byte, 1), 1);
    s.equal("its answer", byte, 'y');
    ::close(input[1]);
    int status = 0;
    s.equal("it ends", ::waitpid(child, &status, 0), child);
    s.equal("it ends well", status, 0);
}
