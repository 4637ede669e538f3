// SPDX-License-Identifier: BSD-2-Clause
// A copy that is there already stays with --checksum, and gets what it lacks of the attributes that are to be kept.
#include "integration/cli/coreutils.hpp"
#include "integration/cli/local_files.hpp"
#include "integration/cli/printed_lines.hpp"

#include <sys/xattr.h>

#include <algorithm>
#include <set>

using namespace vfsproto::test;
namespace fs = std::filesystem;

namespace {

constexpr const char* kNote = "user.note";
constexpr const char* kTrusted = "trusted.note"; // what symbolic links and FIFOs may have

void set(const fs::path& path, const char* name, std::string_view value) {
    REQUIRE(::lsetxattr(path.c_str(), name, value.data(), value.size(), 0) == 0);
}
// Returns the attribute of a file itself; nothing where it has none.
std::string get(const fs::path& path, const char* name) {
    std::string value(1024, '\0');
    const ssize_t size = ::lgetxattr(path.c_str(), name, value.data(), value.size());
    value.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return value;
}
bool has_xattrs(const fs::path& directory, const char* name) {
    return ::setxattr(directory.c_str(), name, "x", 1, 0) == 0 && ::removexattr(directory.c_str(), name) == 0;
}

void make_tree(const fs::path& top) {
    fs::create_directory(top);
    std::ofstream(top / "file") << "content";
    fs::create_symlink("nowhere", top / "link");
    REQUIRE(::mkfifo((top / "fifo").c_str(), 0600) == 0);
}

// Says what copies a tree, and where both lie.
struct Copying {
    std::string command;
    std::string from; // in the words of the command
    std::string to;
    fs::path source;
    fs::path target;

    [[nodiscard]] std::vector<std::string> with(std::initializer_list<std::string> options) const {
        std::vector<std::string> words{command};
        words.insert(words.end(), options.begin(), options.end());
        words.insert(words.end(), {from, to});
        return words;
    }
};
Copying copying_by(const Share& share, const std::string& command) {
    const fs::path here = share.beside("here");
    if (command == "get") return {command, "tree", here, share.path() / "tree", here};
    if (command == "put") return {command, here, "tree", here, share.path() / "tree"};
    return {command, "tree", "copy", share.path() / "tree", share.path() / "copy"};
}

std::string announced(const Copying& copying, std::initializer_list<const char*> names) {
    std::string lines;
    for (const char* name : names) lines += "would set the attributes of " + copying.to + '/' + name + '\n';
    return lines;
}
} // namespace

TEST_CASE("--checksum -X gives files, links and FIFOs that are there what they lack of extended attributes", "[cli]") {
    const Share share(Server::embedded); // the daemons give up what a trusted attribute takes
    if (!has_xattrs(share.path(), kNote)) return skip("this file system has no extended attributes");
    const bool is_trusted = has_xattrs(share.path(), kTrusted);
    if (!is_trusted) skip("only root has trusted attributes: links and FIFOs are left out");
    const Copying copying = copying_by(share, GENERATE("get", "put", "cp"));
    make_tree(copying.source);
    make_tree(copying.target);
    set(copying.source / "file", kNote, "of the file");
    if (is_trusted) set(copying.source / "link", kTrusted, "of the link");
    if (is_trusted) set(copying.source / "fifo", kTrusted, "of the FIFO");
    set(copying.target / "file", "user.own", "stays");
    INFO(copying.command);
    const std::string lacking =
        is_trusted ? announced(copying, {"fifo", "file", "link"}) : announced(copying, {"file"});
    CHECK(sorted_lines(share.output(copying.with({"-rT", "-X", "--checksum", "--dry-run"}))) == lacking);
    CHECK(get(copying.target / "file", kNote) == "");
    CHECK(share.output(copying.with({"-rT", "-X", "--checksum"})) == "");
    CHECK(get(copying.target / "file", kNote) == "of the file");
    CHECK(get(copying.target / "file", "user.own") == "stays");
    CHECK(get(copying.target / "link", kTrusted) == (is_trusted ? "of the link" : ""));
    CHECK(get(copying.target / "fifo", kTrusted) == (is_trusted ? "of the FIFO" : ""));
    CHECK(share.output(copying.with({"-rT", "-X", "--checksum", "--dry-run"})) == ""); // nothing is lacking now
}

TEST_CASE("--checksum -p gives files, links and FIFOs that are there their modes and times", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    for (const char* command : {"get", "put", "cp"}) {
        const Copying copying = copying_by(share, command);
        for (const fs::path& top : {copying.source, copying.target}) fs::remove_all(top);
        make_tree(copying.source);
        make_tree(copying.target);
        INFO(command);
        for (const char* name : {"file", "link", "fifo"}) set_time(copying.source / name, 5000);
        for (const char* name : {"file", "fifo"}) REQUIRE(::chmod((copying.source / name).c_str(), 0640) == 0);
        CHECK(sorted_lines(share.output(copying.with({"-rT", "-p", "--checksum", "--dry-run"}))) ==
              announced(copying, {"fifo", "file", "link"}));
        CHECK(share.output(copying.with({"-rT", "-p", "--checksum"})) == "");
        for (const char* name : {"file", "link", "fifo"}) {
            struct stat info{};
            REQUIRE(::lstat((copying.target / name).c_str(), &info) == 0);
            CHECK(info.st_mtim.tv_sec == 5000);
            if (!S_ISLNK(info.st_mode)) CHECK((info.st_mode & 07777) == 0640);
        }
        CHECK(share.output(copying.with({"-rT", "-p", "--checksum", "--dry-run"})) == "");
    }
}

TEST_CASE("through a link, --checksum -p sets the attributes of the file it leads to", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const fs::path here = share.beside("here");
    const auto make_link = [](const fs::path& directory) {
        std::ofstream(directory / "file") << "content";
        fs::create_symlink("file", directory / "link");
        set_time(directory / "link", 1000);
        set_time(directory / "file", 1000);
    };
    fs::create_directory(here);
    std::ofstream(here / "source") << "content";
    share.write("source", "content");
    for (const fs::path& source : {here / "source", share.path() / "source"}) {
        REQUIRE(::chmod(source.c_str(), 0640) == 0);
        set_time(source, 5000);
    }
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"get", "source", here / "link"}, {"put", here / "source", "link"}, {"cp", "source", "link"}}) {
        INFO(words[0]);
        const fs::path directory = words[0] == "get" ? here : share.path();
        make_link(directory);
        CHECK(share.output({words[0], "-p", "--checksum", words[1], words[2]}) == "");
        struct stat info{};
        REQUIRE(::stat((directory / "file").c_str(), &info) == 0);
        CHECK(info.st_mtim.tv_sec == 5000);
        CHECK((info.st_mode & 07777) == 0640);
        REQUIRE(::lstat((directory / "link").c_str(), &info) == 0);
        CHECK(info.st_mtim.tv_sec == 1000);
        fs::remove(directory / "file");
        fs::remove(directory / "link");
    }
}

TEST_CASE("-X through a link keeps the extended attributes of the file it leads to", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    if (!has_xattrs(share.path(), kNote)) return skip("this file system has no extended attributes");
    const fs::path here = share.beside("here");
    fs::create_directory(here);
    for (const fs::path& directory : {here, share.path()}) {
        std::ofstream(directory / "file") << "content";
        set(directory / "file", kNote, "of the file");
        fs::create_symlink("file", directory / "link");
    }
    CHECK(share.output({"get", "-X", "link", here / "copy"}) == "");
    CHECK(get(here / "copy", kNote) == "of the file");
    CHECK(share.output({"put", "-X", here / "link", "copy"}) == "");
    CHECK(get(share.path() / "copy", kNote) == "of the file");
    CHECK(share.output({"cp", "-X", "link", "other copy"}) == "");
    CHECK(get(share.path() / "other copy", kNote) == "of the file");
    // A comparison follows the link, too.
    for (const fs::path& copy : {here / "copy", share.path() / "copy", share.path() / "other copy"}) {
        REQUIRE(::removexattr(copy.c_str(), kNote) == 0);
    }
    CHECK(share.output({"get", "-X", "--checksum", "link", here / "copy"}) == "");
    CHECK(get(here / "copy", kNote) == "of the file");
    CHECK(share.output({"put", "-X", "--checksum", here / "link", "copy"}) == "");
    CHECK(get(share.path() / "copy", kNote) == "of the file");
    CHECK(share.output({"cp", "-X", "--checksum", "link", "other copy"}) == "");
    CHECK(get(share.path() / "other copy", kNote) == "of the file");
}

TEST_CASE("a set-id bit that nobody but the owner may set is not missed in a copy of somebody else", "[cli]") {
    const Share share(Server::embedded);
    if (::geteuid() != 0) return skip("only root owns a file that another user copies");
    if (cannot_run_as_user(share)) return;
    share.write("program", "#!");
    REQUIRE(::chmod((share.path() / "program").c_str(), 04755) == 0);
    CHECK(run_as_user(share, "get -p program copy") == "status 0\n");
    CHECK((status(share, "copy").st_mode & 07777) == 0755);
    CHECK(run_as_user(share, "get -p --checksum --dry-run program copy") == "status 0\n");
    CHECK(run_as_user(share, "put -p --checksum --dry-run program copy") == "status 0\n");
}
