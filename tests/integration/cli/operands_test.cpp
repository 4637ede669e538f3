// SPDX-License-Identifier: BSD-2-Clause
// The commands get, put, mv and ln take sources and a target as cp(1), mv(1) and ln(1) do.
#include "integration/cli/share.hpp"

#include <sys/stat.h>

using vfsproto::test::contains;
using vfsproto::test::Ran;
using vfsproto::test::Server;
using vfsproto::test::Share;
namespace fs = std::filesystem;

namespace {

void write(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

// Three files and a tree on this side.
void fill(const fs::path& at) {
    fs::create_directories(at / "tree/deep");
    write(at / "one", "1");
    write(at / "two", "2");
    write(at / "tree/deep/file", "deep");
}

} // namespace

TEST_CASE("get and put copy many sources into a directory", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd));
    if (share.missing()) return;
    const fs::path here = share.beside("here");
    const fs::path back = share.beside("back");
    fill(here);
    fs::create_directory(share.path() / "dir");
    fs::create_directory(back);
    const std::string one = here / "one", two = here / "two", tree = here / "tree";
    CHECK(share.output({"put", one, two, "dir"}) == "");
    CHECK(share.output({"put", "-t", "dir", "-r", tree}) == "");
    CHECK(share.read("dir/one") == "1");
    CHECK(share.read("dir/two") == "2");
    CHECK(share.read("dir/tree/deep/file") == "deep");
    CHECK(share.output({"get", "dir/one", "dir/two", back}) == "");
    CHECK(share.output({"get", "-r", "dir/tree", "dir/one", "--target-directory=" + back.string()}) == "");
    CHECK(Share::contents(back / "two") == "2");
    CHECK(Share::contents(back / "tree/deep/file") == "deep");
    // One that fails does not keep the others back.
    CHECK(share.complaint({"get", "dir/none", "dir/one", back}) ==
          "vfsproto: get: dir/none: No such file or directory (ENOENT)");
}

TEST_CASE("a target of several sources has to be a directory", "[cli]") {
    const Share share(Server::embedded);
    const fs::path here = share.beside("here");
    fill(here);
    fill(share.path());
    const std::string one = here / "one", two = here / "two", none = share.beside("none");
    const std::string no_directory = ": Not a directory (ENOTDIR)";
    CHECK(share.complaint({"put", one, two, "one"}) == "vfsproto: put: one" + no_directory);
    CHECK(share.complaint({"get", "one", "two", two}) == "vfsproto: get: " + two + no_directory);
    CHECK(share.complaint({"get", "one", "two", none}) ==
          "vfsproto: get: " + none + ": No such file or directory (ENOENT)");
    CHECK(share.complaint({"mv", "-t", "one", "two"}) == "vfsproto: mv: one" + no_directory);
    CHECK(share.complaint({"ln", "-t", "none", "two"}) == "vfsproto: ln: none: No such file or directory (ENOENT)");
    for (const char* command : {"get", "put", "mv", "ln"}) {
        CHECK(contains(share.complaint({command, "one"}, 2), "one: a target is missing behind it"));
        CHECK(contains(share.complaint({command, "-T", "one", "two", "tree"}, 2), "tree: this is one too many"));
        CHECK(contains(share.complaint({command, "-T", "-t", "tree", "one"}, 2), "say one"));
    }
    // An empty name is no name, and not the same as none.
    for (const char* command : {"mv", "ln", "cp"}) CHECK(share.run({command, "-t", "", "one", "two"}).status == 1);
    CHECK(share.read("one") == "1");
    CHECK(share.read("two") == "2");
    CHECK(share.run({"touch", "-d", "", "one"}).status == 2);
    CHECK(share.run({"mkdir", "-m", "", "new"}).status == 2);
}

TEST_CASE("two sources of one name do not become one file", "[cli]") {
    const Share share(Server::embedded);
    const fs::path here = share.beside("here");
    for (const fs::path& at : {share.path(), here}) {
        fs::create_directories(at / "a");
        fs::create_directories(at / "b");
        write(at / "a/x", "first");
        write(at / "b/x", "second");
        fs::create_directory(at / "into");
    }
    CHECK(contains(share.complaint({"put", here / "a/x", here / "b/x", "into"}), "b/x: would take the place of"));
    CHECK(share.read("into/x") == "first");
    CHECK(contains(share.complaint({"get", "a/x", "b/x", here / "into"}), "b/x: would take the place of"));
    CHECK(Share::contents(here / "into/x") == "first");
    fs::remove(share.path() / "into/x");
    CHECK(contains(share.complaint({"mv", "a/x", "b/x", "into"}), "b/x: would take the place of"));
    CHECK(share.read("into/x") == "first");
    CHECK(share.read("b/x") == "second");
}

TEST_CASE("-T takes a target that is a directory as a name", "[cli]") {
    const Share share(Server::embedded);
    const fs::path here = share.beside("here");
    fill(here);
    fill(share.path());
    fs::create_directory(share.path() / "dir");
    CHECK(share.output({"put", "-r", "-T", here / "tree", "dir"}) == "");
    CHECK(share.read("dir/deep/file") == "deep");
    CHECK(share.complaint({"put", "-T", here / "one", "dir"}) == "vfsproto: put: dir: Is a directory (EISDIR)");
    CHECK(share.complaint({"get", "-T", "one", here / "tree"}) ==
          "vfsproto: get: " + (here / "tree").string() + ": Is a directory (EISDIR)");
    const fs::path back = share.beside("back");
    fs::create_directory(back);
    CHECK(share.output({"get", "-rT", "dir", back}) == "");
    CHECK(Share::contents(back / "deep/file") == "deep");
    CHECK(share.output({"get", "-rT", "dir", (back / ".").string()}) == "");
    CHECK_FALSE(fs::exists(back / "dir"));
    CHECK(share.output({"put", "-rT", back, "/"}) == "");
    CHECK(share.read("deep/file") == "deep");
    CHECK(share.complaint({"mv", "-T", "one", "dir"}) == "vfsproto: mv: one to dir: Is a directory (EISDIR)");
    CHECK(share.output({"mv", "-T", "two", "one"}) == "");
    CHECK(share.read("one") == "2");
}

TEST_CASE("a slash at the end leads through a link, and wants a directory", "[cli]") {
    const Share share(Server::embedded);
    const fs::path here = share.beside("here");
    const fs::path back = share.beside("back");
    for (const fs::path& at : {here, share.path()}) {
        fill(at);
        fs::create_directory_symlink("tree", at / "link");
    }
    fs::create_directory(back);
    CHECK(share.output({"put", "-r", (here / "link").string() + "/", "copy"}) == "");
    CHECK(share.read("copy/deep/file") == "deep");
    CHECK(share.output({"put", "-r", (here / "link").string(), "copied link"}) == "");
    CHECK(fs::read_symlink(share.path() / "copied link") == "tree");
    CHECK(share.output({"get", "-r", "link/", (back / "tree").string() + "/"}) == "");
    CHECK(Share::contents(back / "tree/deep/file") == "deep");
    CHECK(share.output({"mv", "copy/", "moved/"}) == "");
    CHECK(share.read("moved/deep/file") == "deep");
    for (const std::vector<std::string>& wrong : {std::vector<std::string>{"put", here / "one", "new/"},
                                                  {"get", "one", (back / "new").string() + "/"},
                                                  {"mv", "one", "new/"},
                                                  {"ln", "one", "new/"},
                                                  {"rm", "one/"},

                                                  {"cat", "one/"},
                                                  {"touch", "new/"},
                                                  {"chmod", "0", "one/"}}) {
        CHECK(share.complaint(wrong) != "");
    }
    CHECK_FALSE(share.exists("new"));
    CHECK_FALSE(fs::exists(back / "new"));
    CHECK(share.read("tree/deep/file") == "deep");
}

TEST_CASE("- is standard input and output, as one source or target", "[cli]") {
    const Share share(Server::embedded);
    fill(share.path());
    CHECK(share.output({"put", "-", "from input"}, "typed") == "");
    CHECK(share.read("from input") == "typed");
    CHECK(share.output({"get", "one", "-"}) == "1");
    CHECK(share.output({"cat", "one", "-", "two"}, "between") == "1between2");
    CHECK(share.output({"cat"}, "typed") == "typed");
    CHECK(share.run({"put", "-", "tree"}, "typed").status == 1);
    CHECK_FALSE(share.exists("tree/-"));
    CHECK(share.run({"get", "one", "two", "-"}).status == 1);
}

TEST_CASE("mv between two names of one file leaves the second, and one name is no two", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    fill(share.path());
    fs::create_hard_link(share.path() / "one", share.path() / "again");
    CHECK(share.complaint({"mv", "two", "two"}) == "vfsproto: mv: two: is the same file as two");
    CHECK(share.complaint({"mv", "one", "./one"}) == "vfsproto: mv: one: is the same file as ./one");
    fs::create_directory_symlink(".", share.path() / "here");
    CHECK(share.complaint({"mv", "one", "here/one"}) == "vfsproto: mv: one: is the same file as here/one");
    CHECK(share.complaint({"mv", "-T", "tree", "here/tree"}) == "vfsproto: mv: tree: is the same file as here/tree");
    CHECK(share.read("one") == "1");
    CHECK(share.output({"mv", "one", "again"}) == "");
    CHECK_FALSE(share.exists("one"));
    CHECK(share.read("again") == "1");
    CHECK(share.read("two") == "2");
    share.write("one", "1");
    fs::remove(share.path() / "here");
    CHECK(contains(share.complaint({"mv", "tree", "tree"}), "Invalid argument (EINVAL)"));
    CHECK(share.output({"mv", "-n", "-f", "one", "two"}) == "");
    CHECK(share.read("two") == "1");
}

TEST_CASE("ln links many files, takes the place of others with -f, and of a link with -n", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd));
    if (share.missing()) return;
    fill(share.path());
    CHECK(share.output({"ln", "-t", "tree", "one", "two"}) == "");
    CHECK(share.read("tree/two") == "2");
    CHECK(share.output({"ln", "-f", "one", "tree/two"}) == "");
    CHECK(share.read("tree/two") == "1");
    CHECK(share.output({"ln", "-f", "one", "tree/two"}) == ""); // again
    CHECK(share.complaint({"ln", "-f", "one", "one"}) == "vfsproto: ln: one: is the same file as one");
    CHECK(share.complaint({"ln", "-sf", "two", "two"}) == "vfsproto: ln: two: is the same file as two");
    CHECK(share.complaint({"ln", "-fT", "one", "tree"}) == "vfsproto: ln: tree: Is a directory (EISDIR)");
    CHECK(share.complaint({"ln", "-f", "none", "two"}) == "vfsproto: ln: two: No such file or directory (ENOENT)");
    CHECK(share.read("two") == "2");
    CHECK(share.output({"ln", "-s", "tree", "current"}) == "");
    CHECK(share.output({"ln", "-sfn", "tree/deep", "current"}) == "");
    CHECK(fs::read_symlink(share.path() / "current") == "tree/deep");
    CHECK(share.output({"ln", "-sf", "one", "two"}) == "");
    CHECK(fs::read_symlink(share.path() / "two") == "one");
    // Nothing is left over.
    CHECK(share.output({"ls", "-a", "tree"}) == ".\n..\ndeep\none\ntwo\n");
    CHECK(share.output({"ls", "-a"}) == ".\n..\ncurrent\none\ntree\ntwo\n");
}
