// SPDX-License-Identifier: BSD-2-Clause
// Trees whose paths are longer than PATH_MAX are copied, listed and removed; what a user says is not longer than that.
#include "integration/cli/removed.hpp"
#include "integration/cli/share.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <memory>
#include <vector>

using namespace vfsproto::test;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kNameLength = 200;
constexpr int kLevels = 2 * PATH_MAX / kNameLength;

std::string level_name() { return std::string(kNameLength, 'n'); }

// Makes directories in one another below `top`, which it makes too, each with a file "f" that holds its level.
void make_levels(const fs::path& top, int levels) {
    fs::create_directory(top);
    int at = ::open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int level = 0; level < levels; ++level) {
        const std::string number = std::to_string(level);
        const int file = ::openat(at, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        REQUIRE(::write(file, number.data(), number.size()) == static_cast<ssize_t>(number.size()));
        ::close(file);
        REQUIRE(::mkdirat(at, level_name().c_str(), 0755) == 0);
        const int inner = ::openat(at, level_name().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ::close(at);
        at = inner;
    }
    ::close(at);
}

// Returns how many levels below `top` hold their files. `deepest` becomes how many directories there are.
int count_files(const fs::path& top, int& deepest) {
    int files = 0;
    int at = ::open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (deepest = 0; at >= 0; ++deepest) {
        char text[16] = {};
        const int file = ::openat(at, "f", O_RDONLY | O_CLOEXEC);
        if (file >= 0 && ::read(file, text, sizeof text - 1) > 0) files += std::atoi(text) == deepest ? 1 : 0;
        if (file >= 0) ::close(file);
        const int inner = ::openat(at, level_name().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ::close(at);
        at = inner;
    }
    return files;
}

std::ptrdiff_t lines_of(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

} // namespace

TEST_CASE("a tree deeper than a path may be long is copied both ways, listed and removed", "[cli]") {
    const Server server = GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust);
    const Share share(Server::embedded);
    const Daemon kind = server == Server::virtiofsd ? Daemon::c : Daemon::rust;
    if (Share(server).missing()) return;
    const Removed after(share.path() / "t");
    const Removed back(share.path() / "b");
    const Removed copied(share.beside("copy"));
    make_levels(share.path() / "t", kLevels);
    // Returns how many lines a command writes that has 64 descriptors.
    const auto lines_with_64 = [&](const std::string& arguments) {
        std::unique_ptr<Virtiofsd> daemon; // has a limit of its own
        if (server != Server::embedded)
            daemon = std::make_unique<Virtiofsd>(kind, std::vector<std::string>{"xattr"}, share.path());
        const std::string device = daemon ? "vhost-user:" + daemon->socket() : "dir:" + share.path().string();
        const std::string out = share.beside("out").string();
        const std::string line =
            "ulimit -n 64; exec " + program_path() + " --device " + device + " " + arguments + " >" + out + " 2>&1";
        const int left = std::system(line.c_str());
        const std::string text = Share::contents(out);
        INFO(arguments << ": " << text.substr(0, 500));
        CHECK(left == 0);
        return lines_of(text);
    };
    const std::string copy = share.beside("copy").string();
    int directories = 0;
    CHECK(lines_with_64("get -r -p t " + copy) == 0);
    CHECK(count_files(copy, directories) == kLevels);
    CHECK(lines_with_64("put -r -p " + copy + " b") == 0);
    CHECK(count_files(share.path() / "b", directories) == kLevels);
    CHECK(directories == kLevels + 1);
    CHECK(lines_with_64("find b -name f") == kLevels);
    CHECK(lines_with_64("find b -type d -empty") == 1);
    CHECK(lines_with_64("du b") == kLevels + 1);
    CHECK(lines_with_64("--json chmod -R u+x b") == 2 * kLevels + 1);
    CHECK(lines_with_64("--json chown -R " + std::to_string(::geteuid()) + " b") == 2 * kLevels + 1);
    CHECK(lines_with_64("tree b") == 2 * kLevels + 3); // the top, all that is in it, an empty line and the sums
    CHECK(lines_with_64("--json tree b") == 2 * kLevels + 1);
    // Each directory has a heading, and all but the last have two names and an empty line behind them.
    CHECK(lines_with_64("ls -R b") == 4 * kLevels + 1);
    CHECK(lines_with_64("rm -r b") == 0);
    CHECK_FALSE(share.exists("b"));
}

TEST_CASE("a path that the user says is not longer than PATH_MAX", "[cli]") {
    const Share share(Server::embedded);
    std::string path = "t";
    while (path.size() <= PATH_MAX) path += "/" + level_name();
    const std::string here = share.beside("here").string();
    const std::string local = share.beside("local").string();
    fs::create_directory(local);
    for (const auto& arguments : std::vector<std::vector<std::string>>{{"rm", "-r", path},
                                                                       {"get", "-r", path, here},
                                                                       {"get", path, here},
                                                                       {"put", "-r", local, path},
                                                                       {"cp", "-r", "t", path},
                                                                       {"tree", path},
                                                                       {"ls", path},
                                                                       {"du", path}}) {
        const Ran ran = share.run(arguments);
        INFO(arguments.front() << ": " << ran.err.substr(0, 500));
        CHECK(ran.status == 1);
        CHECK(lines_of(ran.err) == 1);
        CHECK(ran.err.ends_with(": File name too long (ENAMETOOLONG)\n"));
    }
}

TEST_CASE("a tree whose paths become longer than PATH_MAX on this host is copied both ways", "[cli]") {
    const Share share(Server::embedded);
    const Removed after(share.path() / "t");
    const Removed copied(share.beside("here"));
    constexpr int kShort = 15; // levels, whose paths at the server are short enough
    make_levels(share.path() / "t", kShort);
    fs::path here = share.beside("here");
    for (int i = 0; i < 8; ++i) here /= std::string(kNameLength, 'h');
    fs::create_directories(here);
    int directories = 0;
    CHECK(share.output({"get", "-r", "-p", "t", here.string()}) == "");
    CHECK(count_files(here / "t", directories) == kShort);
    CHECK(share.output({"put", "-r", "-p", (here / "t").string(), "b"}) == "");
    CHECK(count_files(share.path() / "b", directories) == kShort);
    CHECK(directories == kShort + 1);
}
