// SPDX-License-Identifier: BSD-2-Clause
// The commands get and put, with -X and -p, keep extended attributes and access control lists, or say that they cannot.
#include "integration/cli/refusing_host.hpp"
#include "integration/cli/share.hpp"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>

using namespace vfsproto::test;
namespace fs = std::filesystem;

namespace {

constexpr const char* kNote = "user.note";
constexpr const char* kAcl = "system.posix_acl_access";
// Owner rw-, user 1000 r--, group r--, mask r--, others ---; Linux's form of version 2.
constexpr std::array<unsigned char, 44> kList = {
    2,    0, 0, 0,                         //
    0x01, 0, 6, 0, 0xff, 0xff, 0xff, 0xff, //
    0x02, 0, 4, 0, 0xe8, 0x03, 0,    0,    //
    0x04, 0, 4, 0, 0xff, 0xff, 0xff, 0xff, //
    0x10, 0, 4, 0, 0xff, 0xff, 0xff, 0xff, //
    0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
};

bool set(const fs::path& path, const char* name, std::string_view value) {
    return ::setxattr(path.c_str(), name, value.data(), value.size(), 0) == 0;
}
bool set_list(const fs::path& path) { return ::setxattr(path.c_str(), kAcl, kList.data(), kList.size(), 0) == 0; }

// Empty where there is none.
std::string get(const fs::path& path, const char* name) {
    std::string value(1024, '\0');
    const ssize_t size = ::getxattr(path.c_str(), name, value.data(), value.size());
    value.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return value;
}

// Sets a trusted attribute of a file itself, which may be a symbolic link: Linux has no user attributes there.
constexpr const char* kTrusted = "trusted.note";
bool set_own(const fs::path& path, std::string_view value) {
    return ::lsetxattr(path.c_str(), kTrusted, value.data(), value.size(), 0) == 0;
}
std::string get_own(const fs::path& path) {
    std::string value(1024, '\0');
    const ssize_t size = ::lgetxattr(path.c_str(), kTrusted, value.data(), value.size());
    value.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return value;
}

// Makes a directory and a file in it, both with a note. False where this host's file system has no such attributes.
bool make_noted(const fs::path& tree) {
    fs::create_directory(tree);
    std::ofstream(tree / "file") << "content";
    return set(tree, kNote, "of the directory") && set(tree / "file", kNote, "of the file");
}

} // namespace

TEST_CASE("-X keeps extended attributes of files and directories, and without it there are none", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    if (!make_noted(share.path() / "tree")) return skip("this file system has no extended attributes");
    const fs::path copy = share.beside("copy");
    CHECK(share.output({"get", "-r", "-X", "tree", copy.string()}) == "");
    CHECK(get(copy, kNote) == "of the directory");
    CHECK(get(copy / "file", kNote) == "of the file");
    CHECK(share.output({"put", "-r", "-X", copy.string(), "back"}) == "");
    CHECK(get(share.path() / "back", kNote) == "of the directory");
    CHECK(get(share.path() / "back/file", kNote) == "of the file");
    const fs::path single = share.beside("single");
    CHECK(share.output({"get", "-X", "tree/file", single.string()}) == "");
    CHECK(get(single, kNote) == "of the file");
    CHECK(share.output({"put", "-X", single.string(), "single"}) == "");
    CHECK(get(share.path() / "single", kNote) == "of the file");
    const fs::path bare = share.beside("bare");
    CHECK(share.output({"get", "-p", "tree/file", bare.string()}) == "");
    CHECK(get(bare, kNote) == "");
}

TEST_CASE("-X keeps extended attributes of symbolic links and special files", "[cli]") {
    const Share share(Server::embedded); // the daemons give up what a trusted attribute takes
    const fs::path tree = share.path() / "tree";
    fs::create_directory(tree);
    fs::create_symlink("nowhere", tree / "link");
    REQUIRE(::mkfifo((tree / "fifo").c_str(), 0600) == 0);
    if (!set_own(tree / "link", "of the link") || !set_own(tree / "fifo", "of the FIFO")) {
        return skip("only root has trusted attributes, and only where the file system has them");
    }
    const fs::path copy = share.beside("copy");
    CHECK(share.output({"get", "-r", "-X", "tree", copy.string()}) == "");
    CHECK(get_own(copy / "link") == "of the link");
    CHECK(get_own(copy / "fifo") == "of the FIFO");
    CHECK(share.output({"put", "-r", "-p", "-X", copy.string(), "back"}) == "");
    CHECK(get_own(share.path() / "back/link") == "of the link");
    CHECK(get_own(share.path() / "back/fifo") == "of the FIFO");
    CHECK(share.output({"put", "-r", "-p", copy.string(), "bare"}) == "");
    CHECK(get_own(share.path() / "bare/link") == "");

    if (RefusingHost::missing()) return;
    const RefusingHost host("lsetxattr=95"); // EOPNOTSUPP
    const Ran ran = share.run({"get", "-r", "-X", "tree", share.beside("without").string()});
    CHECK(ran.status == 1);
    INFO(ran.err);
    CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 1);
    CHECK(ran.err.find("cannot be kept") != std::string::npos);
    CHECK(fs::is_symlink(share.beside("without") / "link"));
}

TEST_CASE("-p keeps access control lists", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", "content");
    if (!set_list(share.path() / "file")) return skip("this file system has no access control lists");
    const std::string list = get(share.path() / "file", kAcl);
    REQUIRE(list.size() == kList.size());
    const fs::path copy = share.beside("copy");
    CHECK(share.output({"get", "-p", "file", copy.string()}) == "");
    CHECK((get(copy, kAcl) == list));
    CHECK(share.output({"put", "-p", copy.string(), "back"}) == "");
    CHECK((get(share.path() / "back", kAcl) == list));
    const fs::path bare = share.beside("bare");
    CHECK(share.output({"get", "file", bare.string()}) == "");
    CHECK(get(bare, kAcl) == "");
}

TEST_CASE("what -X cannot keep is said once, and the files are copied", "[cli]") {
    if (RefusingHost::missing()) return;
    const Share share(Server::embedded);
    if (!make_noted(share.path() / "tree")) return skip("this file system has no extended attributes");
    const fs::path copy = share.beside("copy");
    const RefusingHost host("fsetxattr=95"); // EOPNOTSUPP
    const Ran ran = share.run({"get", "-r", "-X", "tree", copy.string()});
    CHECK(ran.status == 1);
    INFO(ran.err);
    CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 1);
    CHECK(ran.err.find("cannot be kept") != std::string::npos);
    CHECK(Share::contents(copy / "file") == "content");
}
