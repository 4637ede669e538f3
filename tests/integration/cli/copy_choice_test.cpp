// SPDX-License-Identifier: BSD-2-Clause
// The options -n, -u, -f, --checksum, --dry-run and --exclude choose what get, put and cp copy. Where cp(1) has the option
// too, it runs on the same files.
#include "integration/cli/coreutils.hpp"
#include "integration/cli/json_lines.hpp"
#include "integration/cli/local_files.hpp"
#include "integration/cli/printed_lines.hpp"

#include <set>
#include <utility>

using namespace vfsproto::test;
using Json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

// A source and a target whose files are missing, older, newer and of one time.
void make_sides(const fs::path& top) {
    fs::create_directories(top / "source/sub");
    fs::create_directories(top / "target/sub");
    const auto both = [&](const std::string& name, timespec source, timespec target) {
        write_file(top / "source" / name, "source of " + name);
        write_file(top / "target" / name, "target of " + name);
        set_time(top / "source" / name, source);
        set_time(top / "target" / name, target);
    };
    both("newer", {2000, 0}, {1000, 0});
    both("older", {1000, 0}, {2000, 0});
    both("equal", {1000, 5}, {1000, 5});
    both("sub/later by a nanosecond", {1000, 6}, {1000, 5});
    both("sub/finer", {1000, 123'456'789}, {1000, 123'000'000});
    write_file(top / "source/missing", "source of missing");
    fs::create_symlink("somewhere", top / "source/link");
    fs::create_symlink("elsewhere", top / "target/link");
    for (const char* name : {"source/link", "source/missing"}) set_time(top / name, {1000, 0});
    set_time(top / "target/link", {2000, 0});
    REQUIRE(::chmod((top / "source/newer").c_str(), 0700) == 0);
    REQUIRE(::chmod((top / "target/older").c_str(), 0604) == 0);
    for (const char* directory : {"source/sub", "source", "target/sub", "target"}) set_time(top / directory, {3000, 0});
}

// Returns the top and everything below it, in order.
std::set<fs::path> paths_in(const fs::path& top) {
    std::set<fs::path> paths{top};
    for (const auto& entry : fs::recursive_directory_iterator(top)) paths.insert(entry.path());
    return paths;
}

struct stat info_of(const fs::path& path) {
    struct stat info{};
    REQUIRE(::lstat(path.c_str(), &info) == 0);
    return info;
}

// Returns names, kinds, contents and every time that a change would touch.
std::string state_of(const fs::path& top) {
    std::string text;
    for (const fs::path& path : paths_in(top)) {
        const struct stat info = info_of(path);
        text += path.string() + ' ' + std::to_string(info.st_mode) + ' ' + std::to_string(info.st_size) + ' ' +
                std::to_string(info.st_ino) + ' ' + std::to_string(info.st_ctim.tv_sec) + '.' +
                std::to_string(info.st_ctim.tv_nsec) + '\n';
    }
    return text;
}

// Returns names, modes and times, in order.
std::string attributes_of(const fs::path& top) {
    std::string text;
    for (const fs::path& path : paths_in(top)) {
        const struct stat info = info_of(path);
        text += path.lexically_relative(top).string() + ' ' + std::to_string(info.st_mode) + ' ' +
                std::to_string(info.st_mtim.tv_sec) + '.' + std::to_string(info.st_mtim.tv_nsec) + '\n';
    }
    return text;
}

// Returns names and contents of what is below the top, in order.
std::string contents_of(const fs::path& top) {
    std::set<fs::path> paths = paths_in(top);
    paths.erase(top);
    std::string text;
    for (const fs::path& path : paths) {
        const auto type = fs::symlink_status(path).type();
        text += path.lexically_relative(top).string() + ": ";
        if (type == fs::file_type::symlink) text += fs::read_symlink(path).string();
        if (type == fs::file_type::regular) text += Share::contents(path);
        text += '\n';
    }
    return text;
}

} // namespace

TEST_CASE("get, put and cp with -n, -u and -f leave what cp(1) leaves", "[cli][heavy]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    for (const std::string options : {"-rT", "-rTn", "-rTu", "-rTf", "-rTnu", "-rTnf", "-rTuf", "-rTup", "-rTnp"}) {
        const std::string at = "with " + options;
        INFO(at);
        const fs::path here = share.beside(at);
        const fs::path there = share.path() / at;
        for (const fs::path& top :
             {there / "theirs", there / "cp", there / "get", there / "put", here / "get", here / "put"}) {
            make_sides(top);
        }
        shell(share, at + "/theirs", "cp " + options + " source target");
        const auto state = [&](const fs::path& target) {
            const bool keeps_attributes = options.find('p') != std::string::npos;
            return contents_of(target) + (keeps_attributes ? attributes_of(target) : "");
        };
        const std::string expected = state(there / "theirs/target");
        CHECK(share.output({"cp", options, at + "/cp/source", at + "/cp/target"}) == "");
        CHECK(state(there / "cp/target") == expected);
        CHECK(share.output({"get", options, at + "/get/source", here / "get/target"}) == "");
        CHECK(state(here / "get/target") == expected);
        CHECK(share.output({"put", options, here / "put/source", at + "/put/target"}) == "");
        CHECK(state(there / "put/target") == expected);
    }
}

TEST_CASE("single files are chosen as those of a tree", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const std::string here = share.beside("here");
    write_file(here, "here");
    share.write("there", "there");
    set_time(here, {2000, 0});
    set_time(share.path() / "there", {1000, 0});
    CHECK(share.output({"put", "-n", here, "there"}) == "");
    CHECK(share.output({"get", "-u", "there", here}) == "");
    CHECK(share.read("there") == "there");
    CHECK(Share::contents(here) == "here");
    CHECK(share.output({"get", "-n", "there", here}) == "");
    CHECK(Share::contents(here) == "here");
    CHECK(share.output({"put", "-u", here, "there"}) == "");
    CHECK(share.read("there") == "here");
    CHECK(share.output({"put", "-n", here, "new"}) == "");
    CHECK(share.read("new") == "here");
    CHECK(share.output({"cp", "-n", "new", "there"}) == "");
    CHECK(contains(share.complaint({"put", "-u", share.path() / "new", "new"}), "is the same file"));
    CHECK(share.output({"put", "-n", share.path() / "new", "new"}) == ""); // nothing is lost
    const Ran excluded = share.run({"get", "--exclude", "there", "there", "new", share.path().parent_path()});
    CHECK(excluded.status == 0);
    CHECK(excluded.err == "vfsproto: get: there: is left out: --exclude names it\n");
    CHECK(fs::exists(share.beside("new")));
    CHECK_FALSE(fs::exists(share.beside("there")));
}

TEST_CASE("-f gives the name of a file that cannot be written to a new one, with a mode of its own", "[cli]") {
    const Share share(Server::embedded);
    if (cannot_run_as_user(share)) return;
    write_file(share.path() / "source", "new");
    REQUIRE(::chmod((share.path() / "source").c_str(), 0644) == 0);
    const auto check = [&](const std::string& copy, const std::string& forced_copy) {
        INFO(forced_copy);
        const fs::path name = share.path() / "name";
        write_file(name, "old");
        fs::create_hard_link(name, share.path() / "other name");
        REQUIRE(::chmod(name.c_str(), 0444) == 0);
        CHECK(contains(run_as_user(share, copy), "EACCES"));
        CHECK(share.read("name") == "old");
        CHECK(run_as_user(share, forced_copy) == "status 0\n");
        CHECK(share.read("name") == "new");
        CHECK(share.read("other name") == "old");
        CHECK((status(share, "name").st_mode & 07777) == 0644); // that of the source, as cp(1) has it
        fs::remove(name);
        fs::remove(share.path() / "other name");
    };
    check("cp source name", "cp -f source name");
    check("get source name", "get -f source name");
    check("put source name", "put -f source name");
}

TEST_CASE("--checksum copies what differs byte for byte, whatever times and sizes say", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const fs::path here = share.beside("here");
    const std::string large(5'000'000, 'x');
    for (const fs::path& top : {here, share.path() / "there"}) {
        fs::create_directories(top);
        write_file(top / "same", large);
        write_file(top / "last byte", large);
        write_file(top / "longer", "abc");
        fs::create_symlink("same", top / "link");
    }
    write_file(here / "last byte", large.substr(1) + "y");
    write_file(here / "longer", "abcd");
    set_time(here / "last byte", {1000, 0});
    set_time(share.path() / "there/last byte", {1000, 0});
    const ino_t same = status(share, "there/same").st_ino;
    const Json sums = copied_sums(share.output({"--json", "put", "-rT", "--checksum", here, "there"}));
    CHECK(sums["files"] == 2);
    CHECK(sums["unchanged"] == 2);
    CHECK(contents_of(here) == contents_of(share.path() / "there"));
    CHECK(status(share, "there/same").st_ino == same);
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"put", "-rT", here, "there"}, {"get", "-rT", "there", here}, {"cp", "-rT", "there", "copy"}}) {
        std::vector<std::string> line{"--json"};
        line.insert(line.end(), words.begin(), words.end());
        line.emplace_back("--checksum");
        if (words[0] == "cp") CHECK(share.output(words) == "");
        const Json again = copied_sums(share.output(line));
        CHECK(again["files"] == 0);
        CHECK(again["unchanged"] == 4);
    }
    // Equal bytes, and the attributes are to be kept: they are set, and the file stays.
    REQUIRE(::chmod((here / "same").c_str(), 0600) == 0);
    set_time(here / "same", {5000, 0});
    CHECK(share.output({"put", "-p", "--checksum", here / "same", "there/same"}) == "");
    CHECK(status(share, "there/same").st_ino == same);
    CHECK((status(share, "there/same").st_mode & 07777) == 0600);
    CHECK(status(share, "there/same").st_mtim.tv_sec == 5000);
}

TEST_CASE("--checksum copies standard input whole", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const std::string file = share.beside("file");
    write_file(file, "bytes");
    for (const char* there : {"other", "bytes", "longer than that"}) { // of equal size, equal, and neither
        INFO(there);
        share.write("target", there);
        // A shell gives it a regular file, whose position is the program's.
        const std::string device = "dir:" + share.path().string();
        const std::string line = program_path() + " --device " + device + " put --checksum - target < " + file;
        CHECK(std::system(line.c_str()) == 0);
        CHECK(share.read("target") == "bytes");
        share.write("target", there);
        CHECK(share.output({"put", "--checksum", "-", "target"}, "bytes") == "");
        CHECK(share.read("target") == "bytes");
    }
}

namespace {

// Puts the same tree here and on the share, and notes what is there.
struct DryRunTrees {
    explicit DryRunTrees(const Share& of) : share(of), here(of.beside("here")), local(here / "t") {
        for (const fs::path& top : {here / "t", share.path() / "t"}) {
            fs::create_directories(top / "dir");
            write_file(top / "file", "content");
            write_file(top / "dir/deep", "deep");
            fs::create_symlink("file", top / "link");
            fs::create_hard_link(top / "dir/deep", top / "dir/same");
        }
        fs::create_directory(share.path() / "into");
        fs::create_directory(share.path() / "dir in the way");
        before = state();
    }
    [[nodiscard]] std::string state() const { return state_of(share.path()) + state_of(here); }

    const Share& share;
    const fs::path here;
    const std::string local;
    std::string before{};
};

} // namespace

TEST_CASE("--dry-run says what would be done, and changes nothing here or there", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const DryRunTrees trees(share);
    const fs::path& here = trees.here;
    const std::string& local = trees.local;
    const auto lines_of = [&](std::vector<std::string> words) {
        words.insert(words.begin() + 1, "--dry-run");
        const std::string said = sorted_lines(share.output(words));
        CHECK(trees.state() == trees.before);
        return said;
    };
    const auto tree_lines = [](const std::string& from, const std::string& to, const std::string& linked) {
        const std::string other = linked == "deep" ? "same" : "deep";
        return sorted_lines("would make directory " + to + "\nwould make directory " + to + "/dir\nwould copy " + from +
                            "/file to " + to + "/file\nwould copy " + from + "/link to " + to + "/link\nwould copy " +
                            from + "/dir/" + linked + " to " + to + "/dir/" + linked + "\nwould link " + to + "/dir/" +
                            linked + " to " + to + "/dir/" + other + '\n');
    };
    const auto one_of_both = [&](const std::string& said, const std::string& from, const std::string& to) {
        const bool fits = said == tree_lines(from, to, "deep") || said == tree_lines(from, to, "same");
        INFO(said);
        CHECK(fits);
    };
    one_of_both(lines_of({"put", "-r", local, "into"}), local, "into/t");
    one_of_both(lines_of({"put", "-r", local, "new"}), local, "new");
    one_of_both(lines_of({"get", "-r", "t", here / "new"}), "t", here / "new");
    CHECK(lines_of({"put", local + "/file", "into"}) == "would copy " + local + "/file to into/file\n");
    CHECK(lines_of({"get", "t/file", here / "new"}) == "would copy t/file to " + (here / "new").string() + "\n");
    CHECK(lines_of({"cp", "t/file", "into"}) == "would copy t/file to into/file\n");
    CHECK(lines_of({"put", "-rT", "--checksum", local, "t"}) == ""); // a hard link to an equal file stays, too
    CHECK(lines_of({"get", "-rT", "-n", "t", local}) == "");
    CHECK(contains(lines_of({"cp", "-r", "t", "new"}), "would make directory new\n"));
}

TEST_CASE("--dry-run complains as the copy would, and tells its sums in JSON", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const DryRunTrees trees(share);
    const fs::path& here = trees.here;
    const std::string& local = trees.local;
    CHECK(contains(share.complaint({"put", "--dry-run", "-T", local + "/file", "dir in the way"}), "EISDIR"));
    CHECK(contains(share.complaint({"get", "--dry-run", "-T", "t/file", here}), "EISDIR"));
    const std::string share_path = share.path();
    CHECK(contains(share.complaint({"put", "-r", "--dry-run", share_path + "/t", "/"}), "is the same directory"));
    const Ran inside = share.run({"put", "-r", "--dry-run", share_path + "/.", "/into"});
    CHECK(inside.status == 1);
    CHECK(contains(inside.err, "into itself"));
    CHECK(contains(share.complaint({"get", "-r", "--dry-run", "/", share_path}), "is the same directory"));
    CHECK(trees.state() == trees.before);
    const std::string json = share.output({"--json", "put", "--dry-run", local + "/file", "into/x"});
    const Json step = Json::parse(json.substr(0, json.find('\n')));
    CHECK(step == Json{{"would", "copy"}, {"path", local + "/file"}, {"target", "into/x"}});
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{{"--json", "put", "-r", "--dry-run", local, "new"},
                                               {"--json", "get", "-r", "--dry-run", "t", here / "new"},
                                               {"--json", "cp", "-r", "--dry-run", "t", "new"}}) {
        INFO(words[1]);
        const Json sums = copied_sums(share.output(words));
        CHECK(sums["directories"] == 2);
        CHECK(sums["files"].get<int>() + sums["hard_links"].get<int>() == 3);
        CHECK(sums["hard_links"] == (words[1] == "cp" ? 0 : 1)); // cp makes a file of each name, as cp(1) does
        CHECK(sums["symlinks"] == 1);
    }
}

TEST_CASE("--exclude leaves out names and paths below the source, in every direction", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    for (const fs::path& top : {share.beside("t"), share.path() / "t"}) {
        for (const char* directory : {"build", "sub/build", "sub/doc", ".git"}) fs::create_directories(top / directory);
        for (const char* name :
             {"a.o", "a.c", "build/x", "sub/build/y", "sub/b.o", "sub/doc/c.pdf", "sub/doc/d", ".git/e"}) {
            write_file(top / name, name);
        }
    }
    const std::vector<std::string> excluded = {"--exclude", "*.o",  "--exclude=/build", "--exclude", "doc/*.pdf",
                                               "--exclude", ".git/"};
    const std::string expected =
        "a.c: a.c\nsub: \nsub/build: \nsub/build/y: sub/build/y\nsub/doc: \nsub/doc/d: sub/doc/d\n";
    const auto copied = [&](std::vector<std::string> words, const fs::path& copy) {
        words.insert(words.begin() + 1, excluded.begin(), excluded.end());
        CHECK(share.output(words) == "");
        CHECK(contents_of(copy) == expected);
    };
    copied({"put", "-r", share.beside("t"), "put"}, share.path() / "put");
    copied({"put", "-rT", share.beside("t").string() + "/", "put again"}, share.path() / "put again");
    copied({"get", "-r", "t", share.beside("get")}, share.beside("get"));
    copied({"get", "-r", "/t/", share.beside("get again")}, share.beside("get again"));
    copied({"cp", "-r", "t", "cp"}, share.path() / "cp");
    CHECK(contains(share.complaint({"get", "--exclude", "/", "t/a.c", share.beside("c")}, 2), "names no file"));
    CHECK(contains(share.complaint({"get", "--exclude", "./a.c", "t/a.c", share.beside("c")}, 2), "names no file"));
}

TEST_CASE("--exclude leaves out a source of that name, which is said, unless a slash follows it", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    for (const fs::path& top : {share.beside("t"), share.path() / "t"}) {
        fs::create_directory(top);
        write_file(top / "file", "content");
    }
    const auto source_and_target = [&](const std::string& command) {
        return std::pair(command == "put" ? share.beside("t").string() : "t",
                         command == "get" ? share.beside("copy") : share.path() / "copy");
    };
    for (const std::string command : {"get", "put", "cp"}) {
        INFO(command);
        const auto [source, target] = source_and_target(command);
        const std::string to = command == "get" ? target.string() : "copy";
        const Ran ran = share.run({command, "-rT", "--exclude", "t", source, to});
        CHECK(ran.status == 0);
        CHECK(ran.err == "vfsproto: " + command + ": " + source + ": is left out: --exclude names it\n");
        CHECK_FALSE(fs::exists(target));
        for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
                 {command, "-rT", "--exclude", "t", source + "/", to}, // what is in it is copied
                 {command, "-rT", "--exclude", "/t", source, to},      // "/t" is below the source
                 {command, "-rT", "--exclude", "**/t", source, to}}) { // and so is any path
            INFO(words[3]);
            CHECK(share.output(words) == "");
            CHECK(contents_of(target) == "file: content\n");
            fs::remove_all(target);
        }
    }
}
