// SPDX-License-Identifier: BSD-2-Clause
// The program takes paths as they are and options by their names, helps, and says in one line what is wrong.
#include "integration/cli/share.hpp"

#include <algorithm>

using vfsproto::test::contains;
using vfsproto::test::Ran;
using vfsproto::test::run_program;
using vfsproto::test::Server;
using vfsproto::test::Share;
namespace fs = std::filesystem;

namespace {

// Names that mean something to a parser, but nothing to a file system.
const std::vector<std::string> kNames = {
    "[p,q]", "[]", "[p]", "p,q", "++",  "{}",    "%%",   "'p'",   "\"p q\"", "p q", "p=q",
    "=",     "!p", "p;q", "*",   "-rf", "--",    "---",  "--all", "-1",      "-",   "\\p",
    "#p",    "$p", "ls",  "rm",  "get", "xattr", "true", "@p",    "~",       "p\n", "\xff",
};

std::vector<std::string> with(std::vector<std::string> words, const std::string& last) {
    words.push_back(last);
    return words;
}

std::string help(std::vector<std::string> words) {
    const Ran ran = run_program(with(std::move(words), "--help"));
    CHECK(ran.status == 0);
    CHECK(ran.err == "");
    return ran.out;
}

// Returns what the program says of a line that is wrong, without the newline.
std::string complaint(const std::vector<std::string>& words) {
    const Ran ran = run_program(words);
    INFO(ran.err);
    CHECK(ran.status == 2);
    CHECK(ran.out == "");
    CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 1);
    return ran.err.substr(0, ran.err.size() - 1);
}

} // namespace

TEST_CASE("a path is a path, whatever a parser makes of its letters", "[cli][heavy]") {
    const Share share(Server::embedded);
    fs::create_directory(share.path() / "p"); // not to be touched by any of these
    fs::create_directory(share.path() / "q");
    const fs::path local = share.beside("local");
    for (const std::string& name : kNames) {
        INFO(name);
        CHECK(share.output({"mkdir", "--", name}) == "");
        CHECK(fs::is_directory(share.path() / name));
        CHECK(share.output({"ls", "-d", "--", name}) == name + "\n");
        CHECK(share.output({"rmdir", "--", name}) == "");
        CHECK(share.output({"touch", "--", name}) == "");
        CHECK(share.output({"chmod", "600", "--", name}) == "");
        CHECK(share.output({"mv", "--", name, "moved"}) == "");
        CHECK(share.output({"mv", "--", "moved", name}) == "");
        CHECK(share.output({"ln", "-s", "--", name, "link"}) == "");
        CHECK(share.output({"readlink", "link"}) == name + "\n");
        CHECK(share.output({"stat", "--", name}) != "");
        CHECK(share.output({"rm", "link", "--", name}) == "");
        CHECK_FALSE(share.exists(name));
        if (name == "-") continue; // standard input and output
        share.write(name, "content");
        CHECK(share.output({"cat", "--", name}) == "content");
        CHECK(share.output({"get", "--", name, local.string()}) == "");
        CHECK(share.output({"rm", "--", name}) == "");
        CHECK(share.output({"put", "--", local.string(), name}) == "");
        CHECK(share.read(name) == "content");
        CHECK(share.output({"truncate", "-s", "0", "--", name}) == "");
        CHECK(share.output({"rm", "-f", "--", name}) == "");
    }
    CHECK(share.output({"ls"}) == "p\nq\n");
}

TEST_CASE("a value of an option is taken as it is, an empty one too", "[cli]") {
    const Share share(Server::embedded);
    for (const char* name : {"[a,b]", "++", "{}", "-x"}) {
        INFO(name);
        const fs::path served = share.path() / name;
        fs::create_directory(served);
        std::ofstream(served / "file") << "x";
        for (const std::vector<std::string>& device :
             {std::vector<std::string>{"--device", "dir:" + served.string()}, {"--device=dir:" + served.string()}}) {
            std::vector<std::string> words = device;
            words.emplace_back("ls");
            CHECK(run_program(words).out == "file\n");
        }
    }
    CHECK(
        complaint({"--device=", "mkdir", "x"}) ==
        "vfsproto: mkdir: which device? Say --device URI or set VFSPROTO_DEVICE: only commands that read take dir:. by "
        "themselves");
    CHECK(contains(complaint({"--queue-size=", "ls"}), "--queue-size: '' is no whole number"));
}

TEST_CASE("the last of an option that is given twice holds, and flags may be repeated", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", "x");
    CHECK(share.output({"--queue-size", "4", "--queue-size=64", "ls", "-a", "-a", "-d", "-d", "file"}) == "file\n");
    CHECK(share.output({"--poll", "--event", "ls"}) == "file\n");
    CHECK(share.output({"ls", "file", "--log", "off", "--", "file"}) == "file\nfile\n");
}

TEST_CASE("help shows names, values and defaults, and nothing of the parser", "[cli]") {
    const std::vector<std::vector<std::string>> commands = {
        {},
        {"info"},
        {"stats"},
        {"ls"},
        {"tree"},
        {"stat"},
        {"readlink"},
        {"df"},
        {"cat"},
        {"get"},
        {"put"},
        {"mkdir"},
        {"rmdir"},
        {"mv"},
        {"ln"},
        {"rm"},
        {"chmod"},
        {"chown"},
        {"touch"},
        {"truncate"},
        {"sync"},
        {"xattr"},
        {"bench"},
        {"cp"},
        {"find"},
        {"du"},
        {"head"},
        {"tail"},
        {"device"},
        {"xattr", "get"},
        {"xattr", "set"},
        {"device", "bind"},
        {"device", "list"},
    };
    for (const auto& command : commands) {
        const std::string text = help(command);
        INFO(text);
        for (const char* raw :
             {"UINT", "FLOAT", "TEXT", "SUBCOMMAND", "Excludes", "REQUIRED", " in [", "Env:", "\x01"}) {
            CHECK_FALSE(contains(text, raw));
        }
        CHECK(contains(text, "Usage: vfsproto" + (command.empty() ? "" : " " + command.front())));
        CHECK(contains(text, "--help"));
    }
    CHECK(contains(help({}), "  ls  "));
    CHECK(contains(help({}), "--queue-size N"));
    CHECK(contains(help({}), "(default: 256)"));
    CHECK(contains(help({"ls"}), "Usage: vfsproto ls [OPTION]... [PATH]...\n"));
    CHECK(contains(help({"ls"}), "(default: /)"));
    CHECK(contains(help({"bench"}), "--seconds N"));
    CHECK(contains(help({"bench"}), "(default: 3)"));
    CHECK(contains(help({"mv"}), "SOURCE... TARGET\n"));
}

TEST_CASE("-h is help where the command of coreutils has no -h, and --version is the program's", "[cli]") {
    CHECK(run_program({"-h"}).out == help({}));
    CHECK(run_program({"mkdir", "-h"}).out == help({"mkdir"}));
    for (const char* command : {"ls", "df", "chown"}) CHECK_FALSE(contains(help({command}), "-h, --help"));
    for (const std::vector<std::string>& words : {std::vector<std::string>{"--version"}, {"ls", "--version"}}) {
        const Ran ran = run_program(words);
        CHECK(ran.status == 0);
        CHECK(ran.out.starts_with("vfsproto 0."));
    }
    const vfsproto::test::ScratchDirectory scratch;
    vfsproto::test::RunningProgram to_full_disk({"--help"}, "/dev/full");
    CHECK(to_full_disk.wait().status == 1);
}

TEST_CASE("a command or an option that is not known is named, with the nearest one", "[cli]") {
    CHECK(complaint({}) == "vfsproto: which command? ('vfsproto --help' says more)");
    CHECK(complaint({"lst", "-l", "x"}) ==
          "vfsproto: unknown command 'lst', did you mean ls? ('vfsproto --help' says more)");
    CHECK(complaint({"tuncate"}) ==
          "vfsproto: unknown command 'tuncate', did you mean truncate? ('vfsproto --help' says more)");
    CHECK(complaint({"frobnicate"}) == "vfsproto: unknown command 'frobnicate' ('vfsproto --help' says more)");
    CHECK(complaint({"xattr", "gte", "x"}) ==
          "vfsproto: xattr: unknown command 'gte', did you mean get? ('vfsproto xattr --help' says more)");
    CHECK(complaint({"xattr"}) == "vfsproto: xattr: which command? ('vfsproto xattr --help' says more)");
    CHECK(complaint({"ls", "--recrusive"}) ==
          "vfsproto: ls: unknown option --recrusive, did you mean --recursive? ('vfsproto ls --help' says more)");
    CHECK(complaint({"ls", "--rec=1"}) ==
          "vfsproto: ls: unknown option --rec, did you mean --recursive? ('vfsproto ls --help' says more)");
    CHECK(complaint({"ls", "--jsn"}) ==
          "vfsproto: ls: unknown option --jsn, did you mean --json? ('vfsproto ls --help' says more)");
    CHECK(complaint({"rm", "-rz", "x"}) == "vfsproto: rm: unknown option -z ('vfsproto rm --help' says more)");
    CHECK(complaint({"rm", "-7", "x"}) == "vfsproto: rm: unknown option -7 ('vfsproto rm --help' says more)");
    CHECK(complaint({"rm", "---x"}) == "vfsproto: rm: unknown option ---x ('vfsproto rm --help' says more)");
    CHECK(complaint({"--frob", "ls"}) == "vfsproto: ls: unknown option --frob ('vfsproto ls --help' says more)");
}

TEST_CASE("a wrong value, a missing word and one too many are said by name", "[cli]") {
    CHECK(complaint({"--queue-size", "0", "ls"}) ==
          "vfsproto: ls: --queue-size: '0' is not from 1 to 32768 ('vfsproto ls --help' says more)");
    CHECK(complaint({"--silence", "1e309", "ls"}) ==
          "vfsproto: ls: --silence: '1e309' is too large ('vfsproto ls --help' says more)");
    CHECK(complaint({"--log", "loud", "ls"}) ==
          "vfsproto: ls: --log: 'loud' is not one of its values ('vfsproto ls --help' says more)");
    CHECK(complaint({"bench", "--bs", "2X"}) ==
          "vfsproto: bench: --bs: '2X' is no size from 1 to 1048576, such as 512, 4K "
          "or 1M ('vfsproto bench --help' says more)");
    CHECK(complaint({"rm"}) == "vfsproto: rm: PATH is missing ('vfsproto rm --help' says more)");
    CHECK(complaint({"truncate", "x"}) ==
          "vfsproto: truncate: --size is missing ('vfsproto truncate --help' says more)");
    CHECK(complaint({"truncate", "x", "-s"}) ==
          "vfsproto: truncate: --size wants a value ('vfsproto truncate --help' says more)");
    CHECK(complaint({"ls", "--json=maybe"}) == "vfsproto: ls: --json takes no value ('vfsproto ls --help' says more)");
    CHECK(complaint({"xattr", "get", "a", "b", "c"}) ==
          "vfsproto: xattr get: unexpected argument 'c' ('vfsproto xattr get --help' says more)");
    CHECK(complaint({"xattr", "set", "--create", "--replace", "a", "b", "c"}) ==
          "vfsproto: xattr set: --create and --replace exclude each other ('vfsproto xattr set --help' says more)");
}
