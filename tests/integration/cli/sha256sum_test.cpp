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
