// SPDX-License-Identifier: BSD-2-Clause
// The commands get and put: what they keep, where they put it, what they refuse, and how much they can carry.
#include "integration/cli/json_lines.hpp"
#include "integration/cli/share.hpp"
#include "integration/cli/tree.hpp"

#include <sys/stat.h>

using namespace vfsproto::test;
using Json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
        text[i] = static_cast<char>(static_cast<std::uint32_t>(i) * 2654435761u >> 24);
    return text;
}

} // namespace

TEST_CASE("put and get -p carry one file with its mode and time", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const std::string content = pattern(5'000'001);
    const fs::path source = share.beside("source");
    std::ofstream(source, std::ios::binary) << content;
    REQUIRE(::chmod(source.c_str(), 0640) == 0);
    const timespec times[2] = {{1111, 22}, {1'000'000'000, 123'456'789}};
    REQUIRE(::utimensat(AT_FDCWD, source.c_str(), times, 0) == 0);
    CHECK(share.output({"put", "-p", source.string(), "/copy"}) == "");
    CHECK((share.read("copy") == content));
    CHECK(describe(share.path() / "copy") == describe(source));
    const fs::path back = share.beside("back");
    CHECK(share.output({"get", "-p", "copy", back.string()}) == "");
    CHECK((Share::contents(back) == content));
    CHECK(describe(back) == describe(source));
}

TEST_CASE("the target may be a directory, a new name, or a file to be replaced", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const fs::path here = share.beside("here");
    fs::create_directory(here);
    share.write("file", "new");
    fs::create_directory(share.path() / "dir");
    CHECK(share.output({"get", "file", here.string()}) == "");
    CHECK(Share::contents(here / "file") == "new");
    std::ofstream(here / "file") << "something longer";
    CHECK(share.output({"get", "file", (here / "file").string()}) == "");
    CHECK(Share::contents(here / "file") == "new");
    CHECK(share.output({"put", (here / "file").string(), "dir"}) == "");
    CHECK(share.read("dir/file") == "new");
    CHECK(share.output({"put", (here / "file").string(), "dir/other"}) == "");
    CHECK(share.read("dir/other") == "new");
    // Trees go into a directory that is there, and become one that is not.
    CHECK(share.output({"get", "-r", "dir", here.string()}) == "");
    CHECK(Share::contents(here / "dir/other") == "new");
    CHECK(share.output({"get", "-r", "dir/", (here / "new").string()}) == "");
    CHECK(Share::contents(here / "new/other") == "new");
    CHECK(share.output({"get", "-r", "/", (here / "all").string()}) == "");
    CHECK(Share::contents(here / "all/dir/other") == "new");
    CHECK(share.output({"put", "-r", (here / "all").string(), "dir"}) == "");
    CHECK(share.read("dir/all/file") == "new");
    CHECK(share.output({"put", "-r", (here / "all").string(), "fresh"}) == "");
    CHECK(share.read("fresh/file") == "new");
    CHECK(share.output({"put", "-r", (here / "all/.").string(), "merged"}) == "");
    CHECK(share.read("merged/file") == "new");
}

TEST_CASE("put takes what comes out of a pipe", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const std::string content = pattern(300'000);
    const Ran ran = share.run({"put", "/dev/stdin", "/piped"}, content);
    CHECK(ran.err == "");
    CHECK(ran.status == 0);
    CHECK((share.read("piped") == content));
    CHECK((share.output({"get", "piped", "/dev/stdout"}) == content));
}

TEST_CASE("trees keep modes, owners, times, holes, links of both kinds and special files, there and back", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const fs::path source = share.beside("source");
    make_tree(source, 200);
    const auto expected = describe_tree(source);
    const auto lines = json_lines(share.output({"put", "-r", "-p", "--json", source.string(), "copy"}));
    CHECK(lines.size() == expected.size() + 1);
    const Json put = lines.back().at("copied");
    CHECK(put["failed"] == 0);
    CHECK(put["hard_links"] == 2);
    CHECK(put["special_files"] == 1);
    CHECK(difference(expected, describe_tree(share.path() / "copy")) == "");
    const fs::path back = share.beside("back");
    CHECK(share.output({"get", "-r", "-p", "copy", back.string()}) == "");
    CHECK(difference(expected, describe_tree(back)) == "");
    // A second copy replaces what is there.
    CHECK(share.output({"get", "-r", "-p", "copy/.", back.string()}) == "");
    CHECK(difference(expected, describe_tree(back)) == "");
    CHECK(share.output({"put", "-r", "-p", (source / ".").string(), "copy"}) == "");
    CHECK(difference(expected, describe_tree(share.path() / "copy")) == "");
}

TEST_CASE("get -r writes through no link that stands in its way", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const fs::path outside = share.beside("outside");
    const fs::path target = share.beside("target");
    fs::create_directory(outside);
    fs::create_directory(target);
    std::ofstream(outside / "precious") << "precious";
    std::ofstream(outside / "shared") << "shared";
    fs::create_directory(share.path() / "dir");
    share.write("dir/inner", "theirs");
    share.write("file", "theirs");
    share.write("twin", "theirs");
    fs::create_symlink("../outside/precious", target / "file");
    fs::create_directory_symlink("../outside", target / "dir");
    fs::create_hard_link(outside / "shared", target / "twin");
    const Ran ran = share.run({"get", "-r", "/.", target.string()});
    CHECK(ran.status == 1);
    CHECK(ran.err.find("target/dir: Not a directory (ENOTDIR)") != std::string::npos);
    CHECK(Share::contents(outside / "precious") == "precious");
    CHECK(Share::contents(outside / "shared") == "shared");
    CHECK_FALSE(fs::exists(outside / "inner"));
    CHECK(Share::contents(target / "file") == "theirs");
    CHECK_FALSE(fs::is_symlink(target / "file"));
    CHECK(Share::contents(target / "twin") == "theirs");
}

TEST_CASE("put -r writes through no link that stands in its way", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const fs::path source = share.beside("source");
    fs::create_directory(source);
    std::ofstream(source / "file") << "ours";
    fs::create_directory(share.path() / "target");
    share.write("precious", "precious");
    fs::create_symlink("../precious", share.path() / "target/file");
    CHECK(share.output({"put", "-r", (source / ".").string(), "target"}) == "");
    CHECK(share.read("precious") == "precious");
    CHECK(share.read("target/file") == "ours");
    CHECK_FALSE(fs::is_symlink(share.path() / "target/file"));
}

TEST_CASE("what cannot be copied is named, and the rest is copied", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const fs::path target = share.beside("target");
    share.write("first", "1");
    share.write("second", "2");
    share.write("third", "3");
    fs::create_directories(target / "second/is a directory");
    const Ran ran = share.run({"get", "-r", "/", target.string(), "--json"});
    CHECK(ran.status == 1);
    const Json error = Json::parse(ran.err).at("error");
    CHECK(error["path"] == (target / "second").string());
    CHECK(error["errno"] == "EISDIR");
    const auto lines = json_lines(ran.out);
    REQUIRE(lines.size() == 3);
    CHECK(lines.back()["copied"]["files"] == 2);
    CHECK(lines.back()["copied"]["failed"] == 1);
    CHECK(Share::contents(target / "first") == "1");
    CHECK(Share::contents(target / "third") == "3");
}

TEST_CASE("get and put of a directory want -r", "[cli]") {
    const Share share(Server::embedded);
    fs::create_directory(share.path() / "dir");
    CHECK(share.complaint({"get", "dir", share.beside("x").string()}) ==
          "vfsproto: get: dir: Is a directory (EISDIR): get -r copies directories");
    CHECK(share.complaint({"put", share.path().string(), "/x"}).find("put -r copies directories") != std::string::npos);
    CHECK(share.complaint({"get", "none", share.beside("x").string()}) ==
          "vfsproto: get: none: No such file or directory (ENOENT)");
    CHECK_FALSE(fs::exists(share.beside("x")));
}

TEST_CASE("a tree of thousands of files goes in and out unchanged", "[cli][large][heavy]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const fs::path source = share.beside("source");
    make_tree(source, static_cast<int>(scaled({.least = 500, .usual = 2000, .nightly = 20'000})));
    const auto expected = describe_tree(source);
    CHECK(share.output({"put", "-r", "-p", source.string(), "copy"}) == "");
    CHECK(difference(expected, describe_tree(share.path() / "copy")) == "");
    const fs::path back = share.beside("back");
    CHECK(share.output({"get", "-r", "-p", "copy", back.string()}) == "");
    CHECK(difference(expected, describe_tree(back)) == "");
    CHECK(share.output({"rm", "-r", "copy"}) == "");
    CHECK_FALSE(share.exists("copy"));
}

TEST_CASE("a sparse file of 1 GiB stays sparse on its way in and out", "[cli][large]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const fs::path source = share.beside("source");
    {
        std::ofstream file(source, std::ios::binary);
        for (const std::uint64_t at : {std::uint64_t{0}, std::uint64_t{300} << 20, (std::uint64_t{700} << 20) + 4097}) {
            file.seekp(static_cast<std::streamoff>(at));
            file << pattern(200'000);
        }
    }
    fs::resize_file(source, std::uint64_t{1} << 30);
    CHECK(share.output({"put", source.string(), "copy"}) == "");
    const fs::path back = share.beside("back");
    CHECK(share.output({"get", "copy", back.string()}) == "");
    for (const fs::path& copy : {share.path() / "copy", back}) {
        struct stat info{};
        REQUIRE(::stat(copy.c_str(), &info) == 0);
        CHECK(info.st_size == 1 << 30);
        CHECK(info.st_blocks * 512 < 4 << 20);
        CHECK(same_contents(source, copy));
    }
}
