// SPDX-License-Identifier: BSD-2-Clause
// Commands that wait for a daemon that stands still: Ctrl-C ends the command, --timeout the operation, and both leave in order.
#include "integration/cli/share.hpp"
#include "integration/cli/terminal.hpp"
#include "support/watchdog.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

using namespace vfsproto::test;
namespace fs = std::filesystem;

namespace {

bool has_temporary(const fs::path& directory) {
    for (const auto& entry : fs::directory_iterator(directory)) {
        if (entry.path().filename().string().starts_with(".vfsproto-")) return true;
    }
    return false;
}

// Fills a file with more bytes than are copied before the daemon is stopped.
void make_large(const fs::path& path) {
    constexpr off_t kSize = 300 << 20;
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(::posix_fallocate(file, 0, kSize) == 0);
    ::close(file);
}

// A script on a daemon that stands still from its second line on.
class Stopped {
public:
    Stopped(Daemon kind, const Share& share, std::vector<std::string> options) : daemon_(kind, {}, share.path()) {
        options.insert(options.end(), {"--device", "vhost-user:" + daemon_.socket(), "run", "-k", "-"});
        program_.emplace(options);
        REQUIRE(program_->write("touch ready\n"));
        while (!share.exists("ready")) std::this_thread::yield();
        daemon_.stop();
    }

    [[nodiscard]] Virtiofsd& daemon() { return daemon_; }
    [[nodiscard]] RunningProgram& program() { return *program_; }

private:
    Virtiofsd daemon_;
    std::optional<RunningProgram> program_;
};

} // namespace

TEST_CASE("in the shell Ctrl-C ends a command whose daemon stands still, and the shell goes on", "[cli]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    const Watchdog watchdog("the shell after Ctrl-C");
    const Share share(Server::embedded);
    make_large(share.path() / "large");
    const fs::path here = share.beside("here");
    fs::create_directory(here);
    Virtiofsd daemon(kind, {}, share.path());
    Terminal terminal("vhost-user:" + daemon.socket(), share.beside("home"));
    terminal.wait_for_prompt();
    terminal.type("get large '" + (here / "copy").string() + "'\n");
    while (!has_temporary(here)) std::this_thread::yield();
    daemon.stop();
    terminal.signal(SIGINT);
    terminal.wait_for_prompt();
    CHECK(fs::is_empty(here));
    daemon.go_on();
    terminal.type("ls\n");
    terminal.see("large");
    terminal.wait_for_prompt();
    terminal.type("exit\n");
    CHECK(terminal.wait() == 0);
    CHECK(daemon.wait() == 0);
}

TEST_CASE("in the shell Ctrl-C ends a put whose daemon stands still, and names what may be left", "[cli]") {
    if (Virtiofsd::missing()) return;
    const Watchdog watchdog("the put in the shell after Ctrl-C");
    const Share share(Server::embedded);
    make_large(share.beside("large"));
    Virtiofsd daemon(Daemon::c, {}, share.path());
    Terminal terminal("vhost-user:" + daemon.socket(), share.beside("home"));
    terminal.wait_for_prompt();
    terminal.type("put '" + share.beside("large").string() + "' copy\n");
    while (!has_temporary(share.path())) std::this_thread::yield();
    daemon.stop();
    terminal.signal(SIGINT);
    terminal.see("this temporary file may be left there");
    terminal.wait_for_prompt();
    daemon.go_on();
    terminal.type("ls\n");
    terminal.wait_for_prompt();
    CHECK(has_temporary(share.path())); // it was looked up to be removed, and no answer came
    CHECK_FALSE(share.exists("copy"));
    terminal.type("exit\n");
    CHECK(terminal.wait() == 0);
}

TEST_CASE("Ctrl-C ends any command whose daemon stands still, with its own status", "[cli][waits]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    const Watchdog watchdog("a command after Ctrl-C");
    const std::string command = GENERATE("cat", "ls", "put", "cp", "stat", "rm");
    const Share share(Server::embedded);
    share.write("file", "content");
    std::ofstream(share.beside("local")) << "local";
    Stopped stopped(kind, share, {});
    const std::string line = command == "put"  ? "put '" + share.beside("local").string() + "' put"
                             : command == "cp" ? std::string("cp file copy")
                                               : command + " file";
    REQUIRE(stopped.program().write(line + "\n"));
    stopped.program().signal(SIGINT);
    const Ran ran = stopped.program().wait_for_end();
    CHECK(ran.status == -SIGINT);
    CHECK(ran.err == "");
    CHECK(share.read("file") == "content");
}

TEST_CASE("--timeout ends each operation of a daemon that stands still, and the program goes on", "[cli][waits]") {
    const Daemon kind = GENERATE(Daemon::c, Daemon::rust);
    if (Virtiofsd::missing(kind)) return;
    const Watchdog watchdog("--timeout");
    const Share share(Server::embedded);
    share.write("file", "content");
    std::ofstream(share.beside("local")) << "local";
    Stopped stopped(kind, share, {"--timeout", "1"});
    REQUIRE(stopped.program().write("cat file\nls\nput '" + share.beside("local").string() + "' put\ncp file copy\n"));
    stopped.program().close_input();
    const Ran ran = stopped.program().wait_for_end();
    INFO(ran.err);
    CHECK(ran.status == 1);
    const std::string reason = "the deadline passed (ETIMEDOUT)";
    for (const char* command : {"cat", "ls", "put", "cp"}) CHECK(contains(ran.err, std::string(": ") + command + ": "));
    CHECK(contains(ran.err, "cat: file: " + reason));
    CHECK(share.read("file") == "content");
}

TEST_CASE("--timeout is nothing to a daemon that answers", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const std::string content(5 << 20, 'x');
    std::ofstream(share.beside("local")) << content;
    CHECK(share.output({"--timeout", "600", "put", share.beside("local").string(), "copy"}) == "");
    CHECK(share.output({"--timeout", "600", "cat", "copy"}) == content);
    CHECK(contains(share.complaint({"--timeout", "0", "ls"}, 2), "--timeout"));
}
