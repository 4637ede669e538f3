// SPDX-License-Identifier: BSD-2-Clause
// The program says that something went wrong, and leaves with 1 for an operation, 2 for usage, 3 for the device.
#include "integration/cli/share.hpp"
#include "support/watchdog.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <set>
#include <sstream>
#include <thread>

using namespace vfsproto::test;
namespace fs = std::filesystem;

TEST_CASE("a failed operation is one line with its reason, and exit status 1", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    share.write("file", "x");
    CHECK(share.complaint({"cat", "/x"}) == "vfsproto: cat: /x: No such file or directory (ENOENT)");
    CHECK(share.complaint({"ls", "nowhere"}) == "vfsproto: ls: nowhere: No such file or directory (ENOENT)");
    CHECK(share.complaint({"cat", "/"}) == "vfsproto: cat: /: Is a directory (EISDIR)");
    CHECK(share.complaint({"cat", "file/x"}) == "vfsproto: cat: file/x: Not a directory (ENOTDIR)");
    CHECK(share.complaint({"readlink", "file"}) == "vfsproto: readlink: file: Invalid argument (EINVAL)");
    CHECK(share.complaint({"tree", "file"}) == "vfsproto: tree: file: Not a directory (ENOTDIR)");
    for (const char* command : {"stat", "df", "rmdir", "rm"}) {
        CHECK(share.complaint({command, "/x"}) ==
              std::string("vfsproto: ") + command + ": /x: No such file or directory (ENOENT)");
    }
    CHECK(share.complaint({"chmod", "644", "/x"}) == "vfsproto: chmod: /x: No such file or directory (ENOENT)");
    CHECK(share.complaint({"chown", "0", "/x"}) == "vfsproto: chown: /x: No such file or directory (ENOENT)");
}

TEST_CASE("one failure does not keep the others from being done", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    share.write("a", "A");
    share.write("b", "B");
    const Ran ran = share.run({"cat", "a", "missing", "b"});
    CHECK(ran.status == 1);
    CHECK(ran.out == "AB");
    CHECK(ran.err == "vfsproto: cat: missing: No such file or directory (ENOENT)\n");
}

TEST_CASE("wrong usage is one line and exit status 2", "[cli]") {
    const Share share(Server::embedded);
    const std::vector<std::vector<std::string>> wrong = {
        {},
        {"frobnicate"},
        {"ls", "--frobnicate"},
        {"rm"},
        {"get", "only-one"},
        {"xattr"},
        {"--log", "loud", "ls"},
        {"--queue-size", "0", "ls"},
        {"mv", "one"},
        {"ln", "one"},
        {"mv", "--exchange", "--no-clobber", "a", "b"},
        {"bench", "--op", "nothing"},
    };
    for (const auto& arguments : wrong) {
        const Ran ran = share.run(arguments);
        INFO(ran.err);
        CHECK(ran.status == 2);
        CHECK(ran.err.find("vfsproto: ") == 0);
        CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 1);
    }
    const Ran unknown = run_program({"--device", "carrier-pigeon:7", "ls"});
    CHECK(unknown.status == 2);
    CHECK(unknown.err == "vfsproto: ls: 'carrier-pigeon:7' is no device: say dir:PATH, memfs:, vhost-user:SOCKET, "
                         "fuse-stream:SOCKET or vfio:ADDRESS\n");
}

TEST_CASE("a device that is not there is exit status 3, with what to try", "[cli]") {
    const ScratchDirectory scratch;
    const std::string path = (scratch.path() / "socket").string();
    const Ran none = run_program({"--device", "vhost-user:" + path, "ls"});
    CHECK(none.status == 3);
    CHECK(none.err == "vfsproto: ls: vhost-user:" + path + ": no socket at " + path + ": is virtiofsd running?\n");
    const Ran directory = run_program({"--device", "dir:" + path, "ls"});
    CHECK(directory.status == 3);
    CHECK(directory.err.find("No such file or directory (ENOENT)") != std::string::npos);
    std::ofstream(path) << "a file";
    const Ran file = run_program({"--device", "vhost-user:" + path, "ls"});
    CHECK(file.status == 3);
    CHECK(file.err.find("is not a socket") != std::string::npos);
}

TEST_CASE("a server that hangs up at once is exit status 3", "[cli]") {
    const ScratchDirectory scratch;
    const std::string path = (scratch.path() / "socket").string();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.size() < sizeof address.sun_path);
    path.copy(address.sun_path, path.size());
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener, 1) == 0);
    std::thread server([listener] { ::close(::accept(listener, nullptr, nullptr)); });
    const Ran ran = run_program({"--device", "vhost-user:" + path, "ls"});
    server.join();
    ::close(listener);
    INFO(ran.err);
    CHECK(ran.status == 3);
    CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 1);
}

namespace {

// Checks that one line says what happened to the daemon, and that each other one names a temporary file of `directory`: all
// that are left there.
void check_said_once(const std::string& err, const fs::path& directory, const std::string& remote) {
    const std::string kLeft = ": this temporary file may be left there";
    std::istringstream lines(err);
    std::set<std::string> named;
    int others = 0;
    for (std::string line; std::getline(lines, line);) {
        const bool names_one = line.ends_with(kLeft);
        names_one ? static_cast<void>(named.insert(line)) : static_cast<void>(++others);
    }
    CHECK(others == 1);
    for (const auto& entry : fs::directory_iterator(directory)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with(".vfsproto-")) continue;
        CHECK(named.contains("vfsproto: put: " + remote + name + kLeft));
    }
}

} // namespace

TEST_CASE("a daemon killed in the middle of a transfer is exit status 3, said once", "[cli]") {
    if (Virtiofsd::missing()) return;
    const Watchdog watchdog("the program after its daemon was killed");
    Virtiofsd daemon;
    RunningProgram program({"--device", "vhost-user:" + daemon.socket(), "put", "/dev/stdin", "/file"});
    // This is more than a pipe and the program's buffer hold: some of it has reached the daemon when write() returns.
    REQUIRE(program.write(std::string(16 << 20, 'x')));
    CHECK_FALSE(fs::is_empty(daemon.source()));
    daemon.kill();
    static_cast<void>(program.write(std::string(16 << 20, 'y')));
    const Ran ran = program.wait();
    INFO(ran.err);
    CHECK(ran.status == 3);
    check_said_once(ran.err, daemon.source(), "/");
    CHECK(ran.err.find("vfsproto: put: /file: ") == 0);
    CHECK(ran.err.find("(ENOTCONN)") != std::string::npos);
    CHECK(ran.err.find("Start it again") != std::string::npos);
    CHECK_FALSE(fs::exists(daemon.source() / "file")); // no half of a file has its name
}

TEST_CASE("a daemon killed while a tree is copied is exit status 3, said once", "[cli]") {
    if (Virtiofsd::missing()) return;
    const Watchdog watchdog("the program after its daemon was killed");
    const ScratchDirectory scratch;
    const fs::path source = scratch.path() / "source";
    fs::create_directory(source);
    constexpr int kFiles = 3000;
    for (int i = 0; i < kFiles; ++i) std::ofstream(source / std::to_string(i)) << i;
    Virtiofsd daemon;
    RunningProgram program({"--device", "vhost-user:" + daemon.socket(), "put", "-r", source.string(), "/copy"});
    const fs::path copy = daemon.source() / "copy";
    while (!fs::exists(copy) || fs::is_empty(copy)) std::this_thread::yield();
    daemon.kill();
    const Ran ran = program.wait();
    INFO(ran.err);
    CHECK(ran.status == 3);
    check_said_once(ran.err, copy, "/copy/");
}

TEST_CASE("a reader that has gone ends the program silently by SIGPIPE, a full disk is a failure", "[cli]") {
    const Share share(Server::embedded);
    share.write("large", std::string(8 << 20, 'x'));
    const std::string command = program_path() + " --device dir:" + share.path().string();
    const std::string enough = "bash -c '" + command + " cat large | head -c 1 >/dev/null; exit ${PIPESTATUS[0]}' 2>" +
                               share.beside("err").string();
    CHECK(WEXITSTATUS(std::system(enough.c_str())) == 128 + SIGPIPE);
    CHECK(Share::contents(share.beside("err")) == "");
    RunningProgram full({"--device", "dir:" + share.path().string(), "cat", "large"}, "/dev/full");
    const Ran ran = full.wait();
    CHECK(ran.status == 1);
    CHECK(ran.err == "vfsproto: cat: standard output: No space left on device (ENOSPC)\n");
}

TEST_CASE("a file larger than files may be here is a failure of that file alone, and nothing is left of it", "[cli]") {
    const Share share(Server::embedded);
    const fs::path host = share.beside("host");
    for (const fs::path& tree : {share.path() / "tree", host}) {
        fs::create_directories(tree);
        std::ofstream(tree / "1 large") << std::string(1 << 20, 'x');
        std::ofstream(tree / "2 small") << "small";
    }
    const std::string program = "'" + program_path() + "' --device 'dir:" + share.path().string() + "' ";
    const std::string err = share.beside("err").string();
    // Runs a line of a shell whose files have 128 KiB at most; returns what it leaves with.
    const auto status_of = [&](const std::string& line) {
        const std::string limited =
            "cd '" + share.beside("").string() + "' && ulimit -f 128 && " + line + " 2>'" + err + "'";
        return WEXITSTATUS(std::system(("bash -c \"" + limited + "\"").c_str()));
    };
    const auto names_in = [](const fs::path& directory) { // temporary ones too
        return std::distance(fs::directory_iterator(directory), fs::directory_iterator());
    };
    CHECK(status_of(program + "get -r tree copy") == 1);
    CHECK(Share::contents(err) == "vfsproto: get: ./copy/1 large: File too large (EFBIG)\n");
    CHECK(Share::contents(share.beside("copy") / "2 small") == "small");
    CHECK(names_in(share.beside("copy")) == 1);
    CHECK(status_of(program + "put -r host sent") == 1);
    CHECK(Share::contents(err) == "vfsproto: put: sent/1 large: File too large (EFBIG)\n");
    CHECK(share.read("sent/2 small") == "small");
    CHECK(names_in(share.path() / "sent") == 1);
    CHECK(status_of(program + "cat 'tree/1 large' >shown") == 1);
    CHECK(Share::contents(err) == "vfsproto: cat: standard output: File too large (EFBIG)\n");
    // A command that it runs is ended by the signal, as elsewhere.
    CHECK(status_of(program + "flock lock -- cp 'host/1 large' copied") == 128 + SIGXFSZ);
}

TEST_CASE("SIGINT ends a transfer in order", "[cli]") {
    const Watchdog watchdog("the program after SIGINT");
    const Server server = GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust);
    const Share share(server);
    if (share.missing()) return;
    std::unique_ptr<Virtiofsd> daemon;
    std::string device = "dir:" + share.path().string();
    if (server != Server::embedded) {
        const Daemon kind = server == Server::virtiofsd ? Daemon::c : Daemon::rust;
        daemon = std::make_unique<Virtiofsd>(kind, std::vector<std::string>{}, share.path());
        device = "vhost-user:" + daemon->socket();
    }
    RunningProgram program({"--device", device, "put", "/dev/stdin", "/file"});
    REQUIRE(program.write(std::string(16 << 20, 'x')));
    program.signal(SIGINT);
    static_cast<void>(program.write(std::string(32 << 20, 'y')));
    const Ran ran = program.wait();
    CHECK(ran.status == -SIGINT);
    CHECK(ran.err == "");
    if (daemon) CHECK(daemon->wait() == 0);
}

TEST_CASE("SIGINT ends a bench, which says what there was and removes what it made", "[cli]") {
    const Watchdog watchdog("the bench after SIGINT");
    const std::string depth = GENERATE("1", "32");
    const Share share(Server::embedded);
    RunningProgram program({"--device", "dir:" + share.path().string(), "bench", "--op", "randread", "--size", "1m",
                            "--seconds", "600", "--iodepth", depth});
    const auto is_made = [&share] {
        for (const auto& entry : fs::directory_iterator(share.path())) {
            if (entry.file_size() == 1 << 20) return true;
        }
        return false;
    };
    while (!is_made()) std::this_thread::yield();
    program.signal(SIGINT);
    const Ran ran = program.wait();
    CHECK(ran.status == -SIGINT);
    CHECK(ran.err == "");
    CHECK(ran.out.find("operations a second") != std::string::npos);
    CHECK(std::filesystem::is_empty(share.path()));
}

TEST_CASE("options stand before or after the command, and VFSPROTO_DEVICE is the default", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", "x");
    const std::string device = "dir:" + share.path().string();
    CHECK(run_program({"ls", "--device", device}).out == "file\n");
    CHECK(run_program({"--device=" + device, "ls"}).out == "file\n");
    CHECK(run_program({"ls", "/", "--device", device, "--poll"}).out == "file\n");
    ::setenv("VFSPROTO_DEVICE", device.c_str(), 1);
    CHECK(run_program({"ls"}).out == "file\n");
    CHECK(run_program({"--device", "dir:/", "stat", "--json", "file"}).status == 1);
    ::unsetenv("VFSPROTO_DEVICE");
    const Ran help = run_program({"--help"});
    CHECK(help.status == 0);
    CHECK(help.out.find("xattr") != std::string::npos);
    CHECK(run_program({"get", "--help"}).status == 0);
}

TEST_CASE("a command that changes something wants a device that was named", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", "x");
    const fs::path before = fs::current_path();
    fs::current_path(share.path());
    const std::vector<std::vector<std::string>> changing = {
        {"rm", "file"},
        {"mkdir", "d"},
        {"rmdir", "d"},
        {"mv", "file", "f"},
        {"ln", "file", "f"},
        {"chmod", "0", "file"},
        {"chown", "1", "file"},
        {"touch", "new"},
        {"truncate", "-s", "0", "file"},
        {"put", "file", "f"},
        {"bench"},
        {"xattr", "set", "file", "user.a", "v"},
        {"xattr", "rm", "file", "user.a"},
    };
    for (const auto& arguments : changing) {
        const Ran ran = run_program(arguments);
        INFO(arguments[0] << " said: " << ran.err);
        CHECK(ran.status == 2);
        CHECK(ran.err.find(": which device? Say --device URI or set VFSPROTO_DEVICE") != std::string::npos);
    }
    CHECK(run_program({"ls"}).out == "file\n");
    CHECK(run_program({"cat", "file"}).out == "x");
    fs::current_path(before);
    CHECK(share.read("file") == "x");
}

TEST_CASE("a standard descriptor that is closed does not become a file of ours", "[cli]") {
    const Watchdog watchdog("the program without standard descriptors");
    const Server server = GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust);
    const Share share(server);
    if (share.missing()) return;
    share.write("file", "content");
    const std::string err = share.beside("err").string();
    const auto run_without = [&](const std::string& arguments, const std::string& redirections) {
        std::unique_ptr<Virtiofsd> daemon;
        std::string device = "dir:" + share.path().string();
        if (server != Server::embedded) {
            const Daemon kind = server == Server::virtiofsd ? Daemon::c : Daemon::rust;
            daemon = std::make_unique<Virtiofsd>(kind, std::vector<std::string>{}, share.path());
            device = "vhost-user:" + daemon->socket();
        }
        const std::string line = program_path() + " --device " + device + " " + arguments + " " + redirections;
        const int status = std::system(line.c_str());
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    };
    CHECK(run_without("ls /", ">&- 2>" + err) == 1);
    CHECK(Share::contents(err) == "vfsproto: ls: standard output: Bad file descriptor (EBADF)\n");
    CHECK(run_without("put - copy", "<&- >&- 2>" + err) == 1);
    CHECK(Share::contents(err) == "vfsproto: put: -: Bad file descriptor (EBADF)\n");
    CHECK(run_without("cat missing", "<&- >&- 2>&-") == 1);
    CHECK(run_without("get file " + share.beside("got").string(), "<&- >&- 2>&-") == 0);
    CHECK(Share::contents(share.beside("got")) == "content");
    CHECK_FALSE(share.exists("copy"));
}

TEST_CASE("files may be called as commands are", "[cli]") {
    const Share share(Server::embedded);
    share.write("ls", "list\n");
    share.write("cat", "animal\n");
    CHECK(share.output({"cat", "ls", "cat"}) == "list\nanimal\n");
}

TEST_CASE("every waiting mode and ring size does the same", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    share.write("file", "content\n");
    for (const char* size : {"2", "3", "64", "128", "1024"}) {
        INFO(size);
        CHECK(share.output({"--queue-size", size, "cat", "file"}) == "content\n");
    }
    for (const char* waiting : {"--poll", "--event", "--adaptive"}) {
        CHECK(share.output({waiting, "cat", "file"}) == "content\n");
    }
}

TEST_CASE("bench makes its file, measures, and leaves nothing behind", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const std::string out = share.output({"bench", "--op", "randread", "--size", "1m", "--iodepth", "4", "--buffers",
                                          "2", "--seconds", "0.1", "--json"});
    for (const char* key : {"ops_per_second", "bytes_per_second", "p50_us", "p99_us", "p999_us", "descriptors", "kicks",
                            "interrupts", "copies", "syscalls"}) {
        CHECK(out.find('"' + std::string(key) + '"') != std::string::npos);
    }
    CHECK(fs::is_empty(share.path()));
}
