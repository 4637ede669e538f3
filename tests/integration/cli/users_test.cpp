// SPDX-License-Identifier: BSD-2-Clause
// --map-users, --map-groups and --permissions: who the user of the program is at the server, and who judges him.
#include "share.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

using namespace vfsproto;
using test::contains;
using test::Server;
using test::Share;
using test::status;

namespace {

constexpr uid_t kOwnerThere = 1000;
constexpr gid_t kGroupThere = 2000;

// Users 0 to 9 here are 1000 to 1009 at the server, groups 0 to 9 are 2000 to 2009.
std::vector<std::string> mapped_words(const std::vector<std::string>& command) {
    std::vector<std::string> words{"--map-users", "0:1000:10", "--map-groups", "0:2000:10"};
    words.insert(words.end(), command.begin(), command.end());
    return words;
}

// A share that everybody may write to, with a file of a mapped user and one of the host's root.
struct TwoOwners : Share {
    TwoOwners() : Share(Server::embedded) {
        REQUIRE(::chmod(path().c_str(), 0777) == 0);
        write("mapped", "mine\n");
        write("foreign", "root's\n");
        REQUIRE(::chown((path() / "mapped").c_str(), kOwnerThere + 3, kGroupThere + 4) == 0);
        REQUIRE(::chmod((path() / "foreign").c_str(), 0600) == 0);
    }
};

} // namespace

TEST_CASE("files show the users and groups that they are mapped to, and are made for those at the server", "[cli]") {
    if (::geteuid() != 0) return test::skip("only root acts for others");
    const TwoOwners share;
    CHECK(share.output(mapped_words({"stat", "-c", "%u:%g", "mapped"})) == "3:4\n");
    CHECK(share.output(mapped_words({"stat", "-c", "%u:%g", "foreign"})) == "65534:65534\n");
    CHECK(share.output({"stat", "-c", "%u:%g", "mapped"}) == "1003:2004\n");
    CHECK(share.output(mapped_words({"mkdir", "made"})) == "");
    CHECK(status(share, "made").st_uid == kOwnerThere);
    CHECK(status(share, "made").st_gid == kGroupThere);
    CHECK(share.output(mapped_words({"chown", "9:8", "made"})) == "");
    CHECK(status(share, "made").st_uid == kOwnerThere + 9);
    CHECK(status(share, "made").st_gid == kGroupThere + 8);
    CHECK(contains(share.complaint(mapped_words({"chown", "10", "made"})), "EOVERFLOW"));
    CHECK(status(share, "made").st_uid == kOwnerThere + 9);
    // Nothing is asked on behalf of somebody whom the server does not know.
    const std::string nobody = share.complaint({"--map-users", "1:1000:10", "mkdir", "other"});
    CHECK(contains(nobody, "EOVERFLOW"));
    CHECK_FALSE(share.exists("other"));
}

TEST_CASE("with --permissions here the program refuses what a server without users of its own would do", "[cli]") {
    if (::geteuid() != 0) return test::skip("only root acts for others");
    const TwoOwners share;
    // The server of dir: reads whatever its own process may read.
    CHECK(share.output(mapped_words({"cat", "foreign"})) == "root's\n");
    const std::vector<std::string> here{"--permissions", "here"};
    const auto judged = [&](std::vector<std::string> words) {
        words.insert(words.begin(), here.begin(), here.end());
        return words;
    };
    CHECK(share.complaint(judged(mapped_words({"cat", "foreign"}))) ==
          "vfsproto: cat: foreign: Permission denied (EACCES)");
    CHECK(share.output(judged(mapped_words({"cat", "mapped"}))) == "mine\n");
    CHECK(share.output(judged({"cat", "foreign"})) == "root's\n"); // it is root's, who is root
    CHECK(share.run(judged(mapped_words({"rm", "-f", "foreign"}))).status == 1);
    CHECK(share.exists("foreign"));
    CHECK(share.output(judged(mapped_words({"chmod", "600", "mapped"}))) == "");
    CHECK((status(share, "mapped").st_mode & 07777) == 0600);
}

TEST_CASE("maps that make no sense are wrong usage", "[cli]") {
    const Share share(Server::embedded);
    for (const char* word : {"1", "1:2", "1:2:", "1:2:x", "1:2:3:4", "a:2:3", "1:2:4294967296"}) {
        CAPTURE(word);
        CHECK(contains(share.complaint({"--map-users", word, "ls"}, 2), "--map-users"));
    }
    CHECK(contains(share.complaint({"--map-groups", "1:2:0", "ls"}, 2), "--map-groups"));
    CHECK(contains(share.complaint({"--map-groups", "4294967295:2:1", "ls"}, 2), "--map-groups"));
    CHECK(contains(share.complaint({"--map-users", "0:5:2", "--map-users", "1:10:1", "ls"}, 2), "1:10:1"));
    CHECK(contains(share.complaint({"--permissions", "nobody", "ls"}, 2), "--permissions"));
}
