// SPDX-License-Identifier: BSD-2-Clause
// get and put lose nothing and make nothing up: a file onto itself, a tree into itself, an interrupted copy, sizes that
// lie, set-id bits, holes, hard links.
#include "integration/cli/json_lines.hpp"
#include "integration/cli/share.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

using namespace vfsproto::test;
using Json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr mode_t kPermissions = 07777;

mode_t mode_of(const fs::path& path) {
    struct stat info{};
    REQUIRE(::lstat(path.c_str(), &info) == 0);
    return info.st_mode & kPermissions;
}

ino_t inode_of(const fs::path& path) {
    struct stat info{};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    return info.st_ino;
}

// Names in a directory, sorted. A temporary file that was left over shows here.
std::vector<std::string> names_in(const fs::path& directory) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
}

bool can_read(const fs::path& path) {
    std::ifstream file(path);
    char byte = 0;
    return file.good() && (file.get(byte) || file.eof());
}

// A thread that appends to a file as long as the object lives.
class Appender {
public:
    explicit Appender(const fs::path& path) : fd_(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC)) {
        REQUIRE(fd_ >= 0);
        thread_ = std::jthread([this](const std::stop_token& stop) {
            while (!stop.stop_requested() && ::write(fd_, "x", 1) == 1) std::this_thread::yield();
        });
    }
    ~Appender() {
        thread_ = {};
        ::close(fd_);
    }
    Appender(const Appender&) = delete;
    Appender& operator=(const Appender&) = delete;

private:
    int fd_;
    std::jthread thread_;
};

} // namespace

TEST_CASE("a file is not copied onto itself, by whatever way the share leads to it", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    share.write("notes", "precious");
    const std::string here = share.path().string();
    CHECK(share.complaint({"put", here + "/notes", "/"}) ==
          "vfsproto: put: " + here + "/notes: is the same file as /notes");
    CHECK(share.complaint({"get", "notes", here}) == "vfsproto: get: notes: is the same file as " + here + "/notes");
    fs::create_symlink(share.path(), share.beside("other way"));
    const std::string other_way = share.beside("other way").string();
    CHECK(share.run({"get", "/notes", other_way + "/notes"}).status == 1);
    CHECK(share.run({"put", other_way + "/notes", "notes"}).status == 1);
    CHECK(share.read("notes") == "precious");
    CHECK(names_in(share.path()) == std::vector<std::string>{"notes"});
}

TEST_CASE("a file that somebody writes to is not copied onto itself", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    share.write("notes", "precious");
    const std::string other_name = share.beside("other name");
    fs::create_hard_link(share.path() / "notes", other_name); // of two names, it is written in place
    const std::string name = share.path() / "notes";
    const Appender writer(name);
    constexpr int kRuns = 10;
    for (int i = 0; i < kRuns; ++i) {
        for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
                 {"get", "notes", other_name}, {"put", other_name, "notes"}, {"get", "notes", name}}) {
            INFO(words[0]);
            CHECK(contains(share.complaint(words), "is the same file as"));
            REQUIRE(share.read("notes").starts_with("precious"));
        }
    }
    CHECK(names_in(share.path()) == std::vector<std::string>{"notes"});
}

TEST_CASE("a tree is not copied into itself, and what is beside it is copied", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    share.write("file", "content");
    fs::create_directory(share.path() / "sub");
    const std::string here = share.path().string();

    SECTION("get -r of the whole share to a new directory in it") {
        CHECK(share.complaint({"get", "-r", "/", here + "/copy"}) ==
              "vfsproto: get: /copy: cannot copy a directory into itself, " + here + "/copy");
        CHECK(names_in(share.path() / "copy") == std::vector<std::string>{"file", "sub"});
    }
    SECTION("put -r of the whole share to a directory in it") {
        CHECK(share.complaint({"put", "-r", here + "/.", "/sub"}) ==
              "vfsproto: put: " + here + "/./sub: cannot copy a directory into itself, /sub");
        CHECK(names_in(share.path() / "sub") == std::vector<std::string>{"file"});
    }
    SECTION("a directory onto itself") {
        CHECK(share.complaint({"get", "-r", "sub", here}).find("is the same directory as") != std::string::npos);
        CHECK(share.complaint({"put", "-r", here + "/sub", "/"}).find("is the same directory as") != std::string::npos);
        CHECK(share.complaint({"get", "-r", "/", here}).find("is the same directory as") != std::string::npos);
    }
    CHECK(share.read("file") == "content");
}

TEST_CASE("an interrupted put leaves the old file as it was, and nothing beside it", "[cli]") {
    const Share share(Server::embedded);
    share.write("target", "old content");
    RunningProgram program({"--device", "dir:" + share.path().string(), "put", "-", "/target"});
    program.write(std::string(100'000, 'n'));
    program.signal(SIGTERM);
    const Ran ran = program.wait();
    CHECK(ran.status != 0);
    CHECK(share.read("target") == "old content");
    CHECK(names_in(share.path()) == std::vector<std::string>{"target"});
}

TEST_CASE("a get whose source cannot be read to its end leaves the old file as it was", "[cli]") {
    // /proc/self/mem of the serving process: its first page is not mapped, so the first READ fails.
    const Share share(Server::embedded);
    const fs::path target = share.beside("target");
    std::ofstream(target) << "old content";
    const Ran ran = run_program({"--device", "dir:/proc/self", "get", "mem", target.string()});
    CHECK(ran.status == 1);
    CHECK(Share::contents(target) == "old content");
    CHECK(names_in(target.parent_path()) == std::vector<std::string>{"share", "target"});
}

TEST_CASE("a copy replaces the name of a file, and writes through the names of a linked one", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    share.write("source", "new");
    const fs::path here = share.beside("here");
    fs::create_directory(here);
    for (const char* name : {"single", "linked"}) std::ofstream(here / name) << "something longer";
    REQUIRE(::chmod((here / "single").c_str(), 0604) == 0);
    fs::create_hard_link(here / "linked", here / "twin");
    const ino_t single = inode_of(here / "single");
    const ino_t linked = inode_of(here / "linked");
    CHECK(share.output({"get", "source", (here / "single").string()}) == "");
    CHECK(share.output({"get", "source", (here / "linked").string()}) == "");
    CHECK(inode_of(here / "single") != single);
    CHECK(mode_of(here / "single") == 0604); // that of the file it replaced
    CHECK(inode_of(here / "linked") == linked);
    CHECK(Share::contents(here / "twin") == "new");

    share.write("there", "something longer");
    share.write("linked there", "something longer");
    fs::create_hard_link(share.path() / "linked there", share.path() / "twin there");
    const ino_t there = inode_of(share.path() / "there");
    CHECK(share.output({"put", (here / "single").string(), "there"}) == "");
    CHECK(share.output({"put", (here / "single").string(), "linked there"}) == "");
    CHECK(inode_of(share.path() / "there") != there);
    CHECK(share.read("there") == "new");
    CHECK(share.read("twin there") == "new");
}

TEST_CASE("a copy follows a link to a file, and makes nothing where a link leads nowhere", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    share.write("file", "new");
    const fs::path here = share.beside("here");
    fs::create_directory(here);
    std::ofstream(here / "real") << "old";
    fs::create_symlink("real", here / "link");
    fs::create_symlink("nowhere", here / "dangling");
    CHECK(share.output({"get", "file", (here / "link").string()}) == "");
    CHECK(fs::is_symlink(here / "link"));
    CHECK(Share::contents(here / "real") == "new");
    CHECK(share.run({"get", "file", (here / "dangling").string()}).status == 1);
    CHECK_FALSE(fs::exists(here / "nowhere"));

    share.write("real", "old");
    fs::create_symlink("real", share.path() / "link");
    fs::create_symlink("nowhere", share.path() / "dangling");
    CHECK(share.output({"put", (here / "real").string(), "link"}) == "");
    CHECK(fs::is_symlink(share.path() / "link"));
    CHECK(share.read("real") == "new");
    CHECK(share.run({"put", (here / "real").string(), "dangling"}).status == 1);
    CHECK_FALSE(share.exists("nowhere"));
}

TEST_CASE("files of /proc and /sys, whose sizes lie, are copied as they read", "[cli]") {
    const Share share(Server::embedded);
    const fs::path copy = share.beside("copy");
    int compared = 0;
    for (const auto& entry : fs::directory_iterator("/proc/sys/kernel")) {
        const std::string name = entry.path().filename();
        if (!entry.is_regular_file() || !can_read(entry.path())) continue;
        const std::string before = Share::contents(entry.path());
        const Ran shown = run_program({"--device", "dir:/proc/sys/kernel", "cat", name});
        const Ran got = run_program({"--device", "dir:/proc/sys/kernel", "get", name, copy.string()});
        const std::string after = Share::contents(entry.path());
        if (before != after) continue; // a random number, a counter
        INFO(name);
        CHECK(shown.out == before);
        CHECK(got.status == 0);
        CHECK(Share::contents(copy) == before);
        if (++compared == 25) break;
    }
    CHECK(compared > 5);
    const fs::path page = "/sys/kernel/mm/transparent_hugepage/enabled";
    if (!can_read(page)) return skip("no readable file of /sys with a size that lies");
    CHECK(run_program({"--device", "dir:" + page.parent_path().string(), "get", "enabled", copy.string()}).status == 0);
    CHECK(Share::contents(copy) == Share::contents(page));
}

TEST_CASE("head and tail count from the end that a file really has", "[cli]") {
    const fs::path page = "/sys/kernel/mm/transparent_hugepage/enabled";
    if (!can_read(page)) return skip("no readable file of /sys with a size that lies");
    const std::string all = Share::contents(page);
    REQUIRE(all.size() > 5);
    const auto shown = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {"--device", "dir:" + page.parent_path().string()});
        words.emplace_back("enabled");
        const Ran ran = run_program(words);
        CHECK(ran.status == 0);
        return ran.out;
    };
    CHECK(shown({"tail", "-n", "1"}) == all);
    CHECK(shown({"tail", "-c", "3"}) == all.substr(all.size() - 3));
    CHECK(shown({"head", "-c", "-3"}) == all.substr(0, all.size() - 3));
    CHECK(shown({"head", "-n", "-1"}) == "");
    CHECK(shown({"cat"}) == all);
}

TEST_CASE("holes become zeros where the target is no file", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    constexpr std::size_t kSize = 1 << 20;
    constexpr std::size_t kAt = 600'000;
    share.write("image", "");
    fs::resize_file(share.path() / "image", kSize);
    {
        std::fstream image(share.path() / "image", std::ios::in | std::ios::out | std::ios::binary);
        image.seekp(kAt);
        image << "data";
    }
    const std::string expected = share.read("image");
    REQUIRE(expected.size() == kSize);
    CHECK((share.output({"get", "image", "-"}) == expected));
    CHECK((share.output({"get", "image", "/dev/stdout"}) == expected));
}

TEST_CASE("copies have no set-id bit and obey the umask, unless -p gives them their owner", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    if (::geteuid() != 0) return skip("only root gives files away");
    constexpr uid_t kSomebody = 1000;
    const mode_t umask_before = ::umask(077);
    share.write("tool", "#!/bin/sh\n");
    const fs::path tool = share.path() / "tool";
    REQUIRE(::chown(tool.c_str(), kSomebody, kSomebody) == 0);
    REQUIRE(::chmod(tool.c_str(), 06755) == 0);
    const fs::path plain = share.beside("plain");
    const fs::path kept = share.beside("kept");
    CHECK(share.output({"get", "tool", plain.string()}) == "");
    CHECK(mode_of(plain) == 0700);
    CHECK(share.output({"get", "-p", "tool", kept.string()}) == "");
    CHECK(mode_of(kept) == 06755);
    struct stat info{};
    REQUIRE(::stat(kept.c_str(), &info) == 0);
    CHECK(info.st_uid == kSomebody);
    CHECK(share.output({"put", kept.string(), "back"}) == "");
    CHECK(mode_of(share.path() / "back") == 0700);
    CHECK(share.output({"put", "-p", kept.string(), "kept"}) == "");
    CHECK(mode_of(share.path() / "kept") == 06755);
    ::umask(umask_before);
}

TEST_CASE("a copy takes no set-id bit from the file it replaces", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    share.write("new", "new content");
    REQUIRE(::chmod((share.path() / "new").c_str(), 0644) == 0);
    share.write("there", "old content");
    const fs::path here = share.beside("here");
    std::ofstream(here) << "old content";
    for (const fs::path& target : {share.path() / "there", here}) REQUIRE(::chmod(target.c_str(), 06754) == 0);
    CHECK(share.output({"get", "new", here.string()}) == "");
    CHECK(mode_of(here) == 0754);
    CHECK(share.output({"put", here.string(), "there"}) == "");
    CHECK(share.read("there") == "new content");
    CHECK(mode_of(share.path() / "there") == 0754);
}

TEST_CASE("device nodes are copied only when they are asked for", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    if (::geteuid() != 0) return skip("only root makes device nodes");
    fs::create_directory(share.path() / "tree");
    if (::mknod((share.path() / "tree/null").c_str(), S_IFCHR | 0666, makedev(1, 3)) != 0) {
        return skip("this file system holds no device nodes");
    }
    const fs::path copy = share.beside("copy");
    CHECK(share.complaint({"get", "-r", "tree/.", copy.string()}).find("--devices") != std::string::npos);
    CHECK(names_in(copy).empty());
    CHECK(share.output({"get", "-r", "--devices", "tree/.", copy.string()}) == "");
    CHECK(names_in(copy) == std::vector<std::string>{"null"});
}

TEST_CASE("a hard link is copied where its first name could not be", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    fs::create_directory(share.path() / "tree");
    share.write("tree/a", "content");
    fs::create_hard_link(share.path() / "tree/a", share.path() / "tree/b");
    const fs::path copy = share.beside("copy");
    // Whichever name comes first, its way is barred by a directory; the other becomes the file.
    fs::create_directories(copy / "a/in the way");
    const Ran ran = share.run({"get", "-r", "tree/.", copy.string()});
    CHECK(ran.status == 1);
    CHECK(Share::contents(copy / "b") == "content");
    CHECK(fs::is_directory(copy / "a"));
}

TEST_CASE("what standard output holds already is kept", "[cli]") {
    const Share share(Server::embedded);
    share.write("file", "new\n");
    const fs::path log = share.beside("log");
    std::ofstream(log) << "0123\n";
    RunningProgram program({"--device", "dir:" + share.path().string(), "get", "file", "/dev/stdout"}, log.string());
    CHECK(program.wait().status == 0);
    // The program was given the file at its start, as a shell does without >>: it is written in place, not replaced.
    CHECK(Share::contents(log) == "new\n\n");
}

TEST_CASE("two files of two file systems stay two, though a server tells the same of both", "[cli]") {
    if (::geteuid() != 0) return skip("only root mounts file systems");
    const Share share(Server::embedded);
    const fs::path copy = share.beside("copy");
    for (const char* name : {"one", "other"}) fs::create_directory(share.path() / name);
    constexpr int kCannot = 77;
    // Files made alike on new file systems have equal inode numbers, and one chmod(1) gives both the time of one clock tick.
    const std::string script = "cd " + share.path().string() +
                               " && mount -t tmpfs one one && mount -t tmpfs other other || exit 77\n"
                               "echo 1111 >one/a && echo 2222 >other/a && ln one/a one/b && ln other/a other/b\n"
                               "told() { stat -c '%i %h %s %z' $1; }\n"
                               "until [ \"$(told one/a)\" = \"$(told other/a)\" ]; do chmod 600 one/a other/a; done\n"
                               "exec " +
                               program_path() + " --device dir:. get -r / " + copy.string() + "\n";
    std::ofstream(share.beside("script")) << script;
    const int status =
        std::system(("unshare -m true || exit 77; unshare -m sh " + share.beside("script").string()).c_str());
    if (WEXITSTATUS(status) == kCannot) return skip("no file systems can be mounted here");
    CHECK(status == 0);
    for (const char* name : {"one", "other"}) {
        const std::string expected = std::string_view(name) == "one" ? "1111\n" : "2222\n";
        CHECK(Share::contents(copy / name / "a") == expected);
        CHECK(Share::contents(copy / name / "b") == expected);
        CHECK(inode_of(copy / name / "a") == inode_of(copy / name / "b"));
    }
}

TEST_CASE("--checksum takes no file of another file system for a link, though it has the inode number", "[cli]") {
    if (::geteuid() != 0) return skip("only root mounts file systems");
    const Share share(Server::embedded);
    const std::string source = share.beside("source");
    for (const char* name : {"one", "other"}) {
        fs::create_directories(source + "/" + name);
        fs::create_directory(share.path() / name);
    }
    std::ofstream(source + "/one/a") << "1111\n";
    fs::create_hard_link(source + "/one/a", source + "/other/a");
    // Whichever name comes first, its copy is there already in one of the two cases.
    const bool first_is_there = GENERATE(true, false);
    const std::string there = first_is_there ? "one" : "other";
    const std::string differs = first_is_there ? "other" : "one";
    constexpr int kCannot = 77;
    const std::string script =
        "cd " + share.path().string() + " && mount -t tmpfs one one && mount -t tmpfs other other || exit 77\n" +
        "echo 1111 >" + there + "/a && echo 2222 >" + differs + "/a\n" + program_path() +
        " --device dir:. put -rT --checksum " + source + " /\n" + "grep -q 1111 one/a && grep -q 1111 other/a\n";
    std::ofstream(share.beside("script")) << script;
    const int status =
        std::system(("unshare -m true || exit 77; unshare -m sh " + share.beside("script").string()).c_str());
    if (WEXITSTATUS(status) == kCannot) return skip("no file systems can be mounted here");
    CHECK(status == 0);
}
