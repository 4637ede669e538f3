// SPDX-License-Identifier: BSD-2-Clause
// Trees whose paths are longer than PATH_MAX: what can be copied or removed is, and the rest is named.
#include "integration/cli/share.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
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

// The path of a scratch directory is removed by rm(1), which knows long paths.
class Removed {
public:
    explicit Removed(fs::path path) : path_(std::move(path)) {}
    ~Removed() { static_cast<void>(std::system(("rm -rf " + path_.string()).c_str())); }
    Removed(const Removed&) = delete;
    Removed& operator=(const Removed&) = delete;

private:
    fs::path path_;
};

void check_named(const Ran& ran) {
    CHECK(ran.status == 1);
    INFO(ran.err.substr(0, 500));
    CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 1);
    CHECK(ran.err.ends_with(": File name too long (ENAMETOOLONG)\n"));
}

} // namespace

TEST_CASE("of a tree deeper than a path may be long, all that has a path is copied and the rest is named", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    // The longest path to a directory that still has a path to the file in it.
    const int with_path = static_cast<int>((PATH_MAX - 1 - sizeof "t/f") / (kNameLength + 1)) + 1;
    int directories = 0;
    SECTION("get -r") {
        const Removed after(share.path() / "t");
        const Removed copied(share.beside("copy"));
        make_levels(share.path() / "t", kLevels);
        check_named(share.run({"get", "-r", "t", share.beside("copy").string()}));
        CHECK(count_files(share.beside("copy"), directories) == with_path);
    }
    SECTION("put -r") {
        const Removed after(share.path() / "t");
        const Removed from(share.beside("local"));
        make_levels(share.beside("local"), kLevels);
        check_named(share.run({"put", "-r", share.beside("local").string(), "t"}));
        CHECK(count_files(share.path() / "t", directories) == with_path);
    }
    SECTION("rm -rf") {
        const Removed after(share.path() / "t");
        make_levels(share.path() / "t", kLevels);
        check_named(share.run({"rm", "-rf", "t"}));
        count_files(share.path() / "t", directories);
        CHECK(directories == kLevels + 1); // what could not be removed is where it was
        CHECK_FALSE(share.exists("t/f"));
    }
    SECTION("tree") {
        const Removed after(share.path() / "t");
        make_levels(share.path() / "t", kLevels);
        check_named(share.run({"tree", "t"}));
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
