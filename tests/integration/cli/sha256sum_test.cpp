// SPDX-License-Identifier: BSD-2-Clause
// sha256sum is run beside the program of coreutils.
#include "integration/cli/coreutils.hpp"

using namespace vfsproto::test;
namespace fs = std::filesystem;

TEST_CASE("sha256sum prints what sha256sum(1) prints", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    fill(share, "t");
    const std::string back = "t/back\\slash";
    const std::string line = "t/two\nlines";
    const std::string carriage = "t/carriage\rreturn";
    share.write(back, "one");
    share.write(line, std::string(300'000, 'z')); // several reads
    share.write(carriage, "three");
    const std::string named = " t/big t/small t/.dotted 't/back\\slash' 't/two\nlines' 't/carriage\rreturn' t/link";
    for (const std::string options : {"", "-b", "-t", "-b -t", "--tag", "-z", "-z --tag"}) {
        INFO(options);
        std::vector<std::string> words{"sha256sum"};
        std::istringstream list(options);
        for (std::string word; list >> word;) words.push_back(word);
        words.insert(words.end(), {"t/big", "t/small", "t/.dotted", back, line, carriage, "t/link"});
        CHECK(share.output(words) == shell(share, ".", "sha256sum " + options + named));
    }
    for (const std::string options : {"--tag -t", "-t --tag", "--tag -t -b"}) {
        INFO(options);
        std::vector<std::string> words{"sha256sum"};
        std::istringstream list(options);
        for (std::string word; list >> word;) words.push_back(word);
        words.emplace_back("t/small");
        const Ran ran = share.run(words);
        CHECK(ran.out == shell(share, ".", "sha256sum " + options + " t/small"));
        CHECK((ran.status == 0) == ran.err.empty());
    }
    CHECK(contains(share.complaint({"sha256sum", "--tag", "-t", "t/small"}, 2), "--tag is not for text"));
}

TEST_CASE("sha256sum reads standard input, goes on after a failure, and reads what tells no size", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", "abc");
    const std::string sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    CHECK(share.output({"sha256sum"}, "abc") == sum + "  -\n");
    CHECK(share.output({"sha256sum", "-"}, "abc") == sum + "  -\n");
    fs::create_directory(share.path() / "dir");
    const Ran ran = share.run({"sha256sum", "missing", "dir", "file"});
    CHECK(ran.status == 1);
    CHECK(ran.out == sum + "  file\n");
    CHECK(contains(ran.err, "missing: No such file"));
    CHECK(contains(ran.err, "dir: Is a directory"));
    const Ran proc = run_program({"--device", "dir:/proc/sys/kernel", "sha256sum", "ostype"}); // it tells a size of 0
    CHECK(proc.out == shell(share, ".", "sha256sum < /proc/sys/kernel/ostype | sed 's/-$/ostype/'"));
}

TEST_CASE("sha256sum -c says of each list what sha256sum(1) says", "[cli]") {
    const Share share(Server::embedded);
    for (const std::string name : {"a", "b", "changed", "back\\slash", "two\nlines", "-", " blank"})
        share.write(name, name);
    shell(share, ".",
          "sha256sum a b changed >good; sha256sum --tag a >tag; sha256sum ./* >odd; sed 's/^[0-9a-f]*/\\U&/' good "
          ">upper");
    shell(share, ".", "sha256sum a | sed 'p;s/a$/gone/' >lost; sed 's/  / /' good >bsd; : >empty");
    shell(share, ".", "{ cat good; echo; echo '# comment'; echo nothing; cat tag; } | sed 's/$/\\r/' >mixed");
    share.write("changed", "differs");
    struct Line {
        std::vector<std::string> words; // behind the command
        std::string input{};            // a file of the share
    };
    const std::vector<Line> lines = {
        {{"-c", "tag"}},
        {{"-c", "good"}},
        {{"-c", "good", "tag", "lost"}},
        {{"--check", "odd"}},
        {{"-c", "upper"}},
        {{"-c", "bsd"}},
        {{"-c", "mixed"}},
        {{"-c", "--strict", "mixed"}},
        {{"-c", "--strict", "tag"}},
        {{"-c", "-w", "mixed"}},
        {{"-c", "--quiet", "good"}},
        {{"-c", "--quiet", "tag"}},
        {{"-c", "--status", "good"}},
        {{"-c", "--status", "tag"}},
        {{"-c", "--ignore-missing", "lost"}},
        {{"-c", "--ignore-missing", "--quiet", "lost", "tag"}},
        {{"-c", "empty"}},
        {{"-c", "a"}},
        {{"-c", "missing", "tag"}},
        {{"-c"}, "good"},
        {{"-c", "-"}, "tag"},
        {{"-c", "-b", "tag"}},
        {{"-c", "--tag", "tag"}},
        {{"-c", "-z", "tag"}},
        {{"--status", "tag"}},
    };
    for (const Line& line : lines) {
        std::vector<std::string> words{"sha256sum"};
        std::string command = "sha256sum";
        for (const std::string& word : line.words) {
            words.push_back(word);
            command += " " + word;
        }
        if (!line.input.empty()) command += " <" + line.input;
        INFO(command);
        const Ran ran = share.run(words, line.input.empty() ? "" : share.read(line.input));
        CHECK(ran.out + (ran.status == 0 ? "well" : "failed") ==
              shell(share, ".", command + " && printf well || printf failed"));
    }
    const Ran silent = share.run({"sha256sum", "-c", "--status", "good"});
    CHECK(silent.status == 1);
    CHECK(silent.err == "");
}

TEST_CASE("sha256sum -c says in words what is wrong with a list", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", "text");
    const std::string sum = shell(share, ".", "sha256sum file");
    share.write("list", sum + "nothing\n" + std::string(64, '0') + "  file\n" + std::string(64, '0') + "  gone\n");
    const Ran ran = share.run({"sha256sum", "-c", "--warn", "list"});
    CHECK(ran.status == 1);
    CHECK(ran.out == "file: OK\nfile: FAILED\ngone: FAILED open or read\n");
    CHECK(ran.err == "vfsproto: sha256sum: list: line 2 is no line of a SHA-256 sum\n"
                     "vfsproto: sha256sum: gone: No such file or directory (ENOENT)\n"
                     "vfsproto: sha256sum: list: 1 line is none of a SHA-256 sum\n"
                     "vfsproto: sha256sum: list: 1 file could not be read\n"
                     "vfsproto: sha256sum: list: 1 sum does not match\n");
    CHECK(contains(share.complaint({"sha256sum", "-c", "file"}), "file: no line of it is one of a SHA-256 sum"));
    CHECK(contains(share.complaint({"sha256sum", "--strict", "list"}, 2), "this is for -c"));
}
