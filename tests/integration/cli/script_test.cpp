// SPDX-License-Identifier: BSD-2-Clause
// The commands run and shell take many commands on one connection, from a file, a pipe and a terminal.
#include "integration/cli/json_lines.hpp"
#include "integration/cli/share.hpp"
#include "integration/cli/terminal.hpp"
#include "support/watchdog.hpp"

#include <pty.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

using namespace vfsproto::test;
namespace fs = std::filesystem;

TEST_CASE("run does the lines of a file on one connection", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const fs::path script = share.beside("script");
    std::ofstream(script) << "# makes a tree\n"
                             "mkdir 'a b' c\n"
                             "\n"
                             "  touch \"a b/file\"\n"
                             "put -r '"
                          << share.beside("host").string()
                          << "' c/copy\n"
                             "ls 'a b'\n"
                             "cat c/copy/text\n";
    fs::create_directory(share.beside("host"));
    std::ofstream(share.beside("host") / "text") << "from the host\n";
    CHECK(share.output({"run", script.string()}) == "file\nfrom the host\n");
    CHECK(share.exists("a b/file"));
    CHECK(share.exists("c/copy/text"));
}

TEST_CASE("cd has paths without a slash begin in a directory, for every command that follows", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const fs::path host = share.beside("host");
    fs::create_directories(share.path() / "dir/below");
    share.write("dir/file", "text\n");
    share.write("top", "");
    fs::create_symlink("dir/below", share.path() / "link");
    const std::string script = "pwd\ncd dir\npwd\nls\ncat file\n"
                               "mkdir made\ncp file made/copy\nmv made/copy below/moved\nln -s file made/link\n"
                               "cat made/../below/moved /top\nfind made\nget file '" +
                               host.string() + "'\nput '" + host.string() +
                               "' below/sent\ncd below/\npwd\ncat sent ../file\nrm -r ../made\nls\n"
                               "cd ..\npwd\ncd -\ncd\npwd\nls\ncd link\npwd\nls -1\ncd ..\npwd\n";
    CHECK(share.output({"run", "-"}, script) == "/\n/dir\nbelow\nfile\ntext\n"
                                                "text\nmade\nmade/link\n"
                                                "/dir/below\ntext\ntext\nmoved\nsent\n"
                                                "/dir\n/dir/below\n/\ndir\nlink\ntop\n"
                                                "/link\nmoved\nsent\n/\n");
    CHECK(Share::contents(host) == "text\n");
    CHECK(share.read("dir/below/moved") == "text\n");
    CHECK_FALSE(share.exists("dir/made"));
    CHECK_FALSE(share.exists("moved"));
}

TEST_CASE("cd goes nowhere that is no directory, and says so", "[cli]") {
    const Share share(Server::embedded);
    fs::create_directories(share.path() / "dir");
    share.write("dir/file", "text\n");
    const Ran ran = share.run({"run", "-k", "-"}, "cd dir\ncd missing\ncd file\ncd ''\ncat file\npwd\n");
    CHECK(ran.status == 1);
    CHECK(ran.out == "text\n/dir\n");
    CHECK(contains(ran.err, "vfsproto: cd: missing: No such file or directory (ENOENT)\n"));
    CHECK(contains(ran.err, "vfsproto: cd: file: Not a directory (ENOTDIR)\n"));
    const auto lines = json_lines(share.output({"--json", "run", "-"}, "cd dir\npwd\nls\n"));
    REQUIRE(lines.size() == 3);
    CHECK(lines[0].at("path") == "/dir");
    CHECK(lines[1].at("path") == "/dir");
    CHECK(lines[2].at("name") == "file");
    CHECK(run_program({"cd", "/"}).status == 2); // it means nothing alone
    // A bench works on the file of that directory.
    CHECK(share.run({"run", "-"}, "cd dir\nbench --op stat --count 3 --path file\n").status == 0);
    CHECK(share.run({"run", "-"}, "bench --op stat --count 3 --path file\n").status == 1);
}

TEST_CASE("run takes its lines from standard input, and JSON comes from its commands", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", "12345");
    CHECK(share.output({"run", "-"}, "cat file\n# no newline at the end\nls") == "12345file\n");
    const auto lines = json_lines(share.output({"--json", "run", "-"}, "ls\nstat file\n"));
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].at("name") == "file");
    CHECK(lines[1].at("size") == 5);
}

TEST_CASE("a line that fails ends a script with its status, or with -k the first one", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", "text\n");
    const std::string failing = "cat file\ncat missing\ncat file\nno-such-command\nmkdir made\n";
    const Ran stopped = share.run({"run", "-"}, failing);
    CHECK(stopped.status == 1);
    CHECK(stopped.out == "text\n");
    CHECK(stopped.err == "vfsproto: cat: missing: No such file or directory (ENOENT)\n"
                         "vfsproto: run: standard input:2: this line failed, and no later one was run (-k goes on)\n");
    CHECK_FALSE(share.exists("made"));
    const Ran all = share.run({"run", "-k", "-"}, failing);
    CHECK(all.status == 1);
    CHECK(all.out == "text\ntext\n");
    CHECK(contains(all.err, "no-such-command"));
    CHECK(contains(all.err, "vfsproto: run: standard input:2: this line failed\n"));
    CHECK(share.exists("made"));
    CHECK(share.run({"run", "-"}, "ls --no-such-option\n").status == 2);
    const Ran unfinished = share.run({"run", "-"}, "\nls 'unfinished\n");
    CHECK(unfinished.status == 2);
    CHECK(contains(unfinished.err, "standard input:2: this line is not complete: "));
    CHECK(share.run({"run", "-"}, "ls --device dir:/\n").status == 2);
    CHECK(share.run({"run", "-"}, "run -\n").status == 2);
    CHECK(share.run({"run", share.beside("no-script").string()}).status == 1);
    CHECK(share.run({"run", share.path().string()}).status == 1); // a directory
}

TEST_CASE("a script changes nothing on a device that was not named", "[cli]") {
    const Ran ran = run_program({"run", "-"}, "mkdir never-made\n");
    CHECK(ran.status == 2);
    CHECK(contains(ran.err, "which device?"));
    CHECK_FALSE(fs::exists("never-made"));
}

TEST_CASE("a device that cannot be opened ends a script at once", "[cli]") {
    const Ran ran = run_program({"--device", "dir:/nowhere/at/all", "run", "-k", "-"}, "ls\nls\n");
    CHECK(ran.status == 3);
    CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 1);
}

TEST_CASE("a line that a signal cuts off is not run", "[cli]") {
    const Watchdog watchdog("the script that is cut off");
    const Share share(Server::embedded);
    fs::create_directories(share.path() / "data/old");
    for (const char* command : {"run", "shell"}) {
        INFO(command);
        std::vector<std::string> words{"--device", "dir:" + share.path().string(), command};
        if (words.back() == "run") words.emplace_back("-");
        RunningProgram program(words);
        REQUIRE(program.write("mkdir started\nrm -r data"));
        while (!share.exists("started")) std::this_thread::yield();
        program.signal(SIGTERM);
        const Ran ran = program.wait_for_end();
        CHECK(ran.status == -SIGTERM);
        CHECK(share.exists("data/old"));
        fs::remove(share.path() / "started");
    }
}

TEST_CASE("errors of a script are JSON as well", "[cli]") {
    const Share share(Server::embedded);
    const Ran ran = share.run({"--json", "run", "-"}, "cat missing\n");
    CHECK(ran.status == 1);
    const auto errors = json_lines(ran.err);
    REQUIRE(errors.size() == 2);
    CHECK(errors[0].at("error").at("command") == "cat");
    CHECK(errors[1].at("error").at("subject") == "standard input:1");
}

TEST_CASE("a daemon that dies ends a script with 3", "[cli]") {
    if (Virtiofsd::missing()) return;
    Virtiofsd daemon;
    const Watchdog watchdog("the script whose daemon dies");
    RunningProgram program({"--device", "vhost-user:" + daemon.socket(), "run", "-k", "-"});
    REQUIRE(program.write("mkdir made\n"));
    while (!fs::exists(daemon.source() / "made")) std::this_thread::yield();
    daemon.kill();
    static_cast<void>(program.write("mkdir more\nmkdir even-more\n"));
    const Ran ran = program.wait();
    CHECK(ran.status == 3);
    CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 1);
}

TEST_CASE("a shell without a terminal reads lines, and leaves with the status of the last", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", "text\n");
    const Ran ran = share.run({"shell"}, "cat missing\ncat file\nexit\ncat file\n");
    CHECK(ran.status == 0);
    CHECK(ran.out == "text\n");
    CHECK(share.run({"shell"}, "cat file\ncat missing\n").status == 1);
}

TEST_CASE("on a terminal the shell completes, remembers, and survives Ctrl-C", "[cli]") {
    const Watchdog watchdog("the shell on a terminal");
    const Share share(Server::embedded);
    share.write("file with blanks", "the content\n");
    fs::create_directories(share.path() / "directory/below");
    share.write("directory/below/inner", "");
    const fs::path fifo = share.beside("fifo");
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    Terminal terminal(share, share.beside("home"));
    terminal.wait_for_prompt();
    terminal.type("cat fi\t\n");
    terminal.see("the content");
    terminal.wait_for_prompt();
    terminal.type("ls dir\tbel\t\n");
    terminal.see("\ninner");
    terminal.wait_for_prompt();
    terminal.type("cd dir\tbel\t\n");
    terminal.wait_for_prompt("vfsproto:/directory/below> ");
    terminal.type("cat in\t\n");
    terminal.wait_for_prompt("vfsproto:/directory/below> ");
    terminal.type("cd ..\n");
    terminal.wait_for_prompt("vfsproto:/directory> ");
    terminal.type("ls b\t\n");
    terminal.see("\ninner");
    terminal.wait_for_prompt("vfsproto:/directory> ");
    terminal.type("cd\n");
    terminal.wait_for_prompt();
    terminal.type("no such line\x03stat -c %F directory\n");
    terminal.see("\ndirectory");
    terminal.wait_for_prompt();
    terminal.type("put " + fifo.string() + " copy\n");
    const int writer = ::open(fifo.c_str(), O_WRONLY | O_CLOEXEC); // when the program has opened it
    REQUIRE(writer >= 0);
    terminal.type("\x03");
    terminal.wait_for_prompt();
    ::close(writer);
    terminal.type("cat missing\n");
    terminal.see("No such file or directory");
    terminal.wait_for_prompt();
    terminal.type("\x04");
    CHECK(terminal.wait() == 0);
    CHECK_FALSE(share.exists("copy"));
    CHECK(contains(Share::contents(share.beside("home") / ".local/state/vfsproto/history"), "cat missing\n"));
}

TEST_CASE("names that are completed are whole characters, and shown without their escapes", "[cli]") {
    const Watchdog watchdog("the shell that completes odd names");
    const Share share(Server::embedded);
    share.write("x\u00e9", "accent\n");
    share.write("x\u00e8", "grave\n");
    share.write("\u00e9t\u00e9", "summer\n");
    share.write("\x1b]0;bell\x07one", "");
    share.write("\x1b]0;bell\x07two", "");
    share.write("bad\xff", "");
    Terminal terminal(share, share.beside("home"));
    terminal.wait_for_prompt();
    terminal.type("cat \u00e9\t\n");
    terminal.see("summer");
    terminal.wait_for_prompt();
    terminal.type("cat x\t\u00e9\n"); // the tab finds two names, and takes nothing away
    terminal.see("accent");
    terminal.wait_for_prompt();
    terminal.type("cat bad\t\x03stat -c %s x\u00e8\n");
    terminal.see("\n6");
    terminal.wait_for_prompt();
    terminal.type("ls \t");
    CHECK_FALSE(contains(terminal.see("two"), "\x1b]"));
    terminal.type("\x03"
                  "exit\n");
    CHECK(terminal.wait() == 0);
}

TEST_CASE("Ctrl-C ends output that nobody takes, and the next command prints", "[cli]") {
    const Watchdog watchdog("the shell whose output is not taken");
    const Share share(Server::embedded);
    share.write("large", std::string(4 << 20, 'x'));
    share.write("small", "all of it\n");
    Terminal terminal(share, share.beside("home"));
    terminal.wait_for_prompt();
    terminal.type("cat large\n");
    terminal.see("xxxx");
    terminal.type("\x03");
    terminal.wait_for_prompt();
    terminal.type("cat small\n");
    terminal.see("all of it");
    terminal.wait_for_prompt();
    terminal.type("exit\n");
    CHECK(terminal.wait() == 0);
}

TEST_CASE("a shell that a signal ends leaves the terminal as it was", "[cli]") {
    const Watchdog watchdog("the shell that is ended");
    const Share share(Server::embedded);
    Terminal terminal(share, share.beside("home"));
    terminal.wait_for_prompt();
    terminal.type("ls");
    terminal.signal(SIGTERM);
    CHECK(terminal.wait_and_see_modes() == (ICANON | ECHO | ISIG));
}
