// SPDX-License-Identifier: BSD-2-Clause
// A tree of everything that is odd goes out of a share and back, and nothing of it is lost or made up.
#include "integration/cli/share.hpp"
#include "integration/cli/tree.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <map>

using namespace vfsproto::test;
namespace fs = std::filesystem;

namespace {

constexpr const char* kAttribute = "user.large";

// Returns every byte that a name can have.
std::string all_bytes() {
    std::string bytes;
    for (int byte = 1; byte <= UCHAR_MAX; ++byte) {
        if (byte != '/') bytes += static_cast<char>(byte);
    }
    return bytes;
}

void write_to(const fs::path& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }

void make_names(const fs::path& top) {
    const std::string bytes = all_bytes();
    for (const char byte : bytes) {
        write_to(top / (std::string("n") + byte), std::string(1, byte));
        if (byte != '.') write_to(top / std::string(1, byte), "");
    }
    fs::create_directory(top / bytes);
    write_to(top / bytes / "inner", "x");
    fs::create_directory(top / std::string(NAME_MAX, 'n'));
    fs::create_directory(top / "-rf");
    fs::create_directory(top / "...");
}

// Makes files before 1970, one with holes whose size is 1 TiB, a socket, a FIFO, and links that lead to themselves, in circles, and far
// away.
void make_kinds(const fs::path& top) {
    write_to(top / "before 1970", "x");
    const timespec times[2] = {{-6, 750'000'000}, {-86'400L * 365 * 30, 1}};
    REQUIRE(::utimensat(AT_FDCWD, (top / "before 1970").c_str(), times, 0) == 0);
    constexpr off_t kSize = off_t{1} << 40;
    const int sparse = ::open((top / "sparse").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    REQUIRE(::pwrite(sparse, "middle", 6, kSize / 2) == 6);
    REQUIRE(::pwrite(sparse, "end", 3, kSize - 3) == 3);
    ::close(sparse);
    REQUIRE(::mknod((top / "socket").c_str(), S_IFSOCK | 0640, 0) == 0);
    REQUIRE(::mkfifo((top / "fifo").c_str(), 0640) == 0);
    fs::create_symlink(".", top / "self");
    fs::create_symlink("circle 2", top / "circle 1");
    fs::create_symlink("circle 1", top / "circle 2");
    fs::create_symlink(std::string(PATH_MAX - 1, 'x'), top / "far");
}

// Makes a file with an attribute as large as this host's file system takes, up to the 64 KiB of Linux. Returns how large.
std::size_t make_attribute(const fs::path& path) {
    write_to(path, "x");
    for (std::size_t size : {65'536u, 4000u}) { // ext4 keeps a block of them
        const std::string value(size, 'v');
        if (::setxattr(path.c_str(), kAttribute, value.data(), size, 0) == 0) return size;
    }
    return 0;
}
std::size_t size_of_attribute(const fs::path& path) {
    const ssize_t size = ::getxattr(path.c_str(), kAttribute, nullptr, 0);
    return size < 0 ? 0 : static_cast<std::size_t>(size);
}

// A file system in memory that is mounted for as long as this lives; where that is not allowed it is a directory.
class Mounted {
public:
    explicit Mounted(const fs::path& path) : path_(path) {
        fs::create_directory(path);
        is_mounted_ = ::mount("none", path.c_str(), "tmpfs", 0, "size=1m") == 0;
        if (!is_mounted_) skip("no mount below the tree: only root may mount");
        fs::create_directory(path / "directory");
        write_to(path / "directory/file", "below");
        fs::create_hard_link(path / "directory/file", path / "linked");
    }
    ~Mounted() {
        if (is_mounted_) ::umount2(path_.c_str(), MNT_DETACH);
    }
    Mounted(const Mounted&) = delete;
    Mounted& operator=(const Mounted&) = delete;

private:
    fs::path path_;
    bool is_mounted_ = false;
};

} // namespace

TEST_CASE("a tree with everything that is odd goes out and back", "[cli]") {
    const Share share(GENERATE(Server::embedded, Server::virtiofsd, Server::virtiofsd_rust));
    if (share.missing()) return;
    const fs::path tree = share.path() / "tree";
    fs::create_directory(tree);
    make_names(tree);
    make_kinds(tree);
    const Mounted mounted(tree / "mounted");
    const std::size_t attribute = make_attribute(tree / "attribute");
    const auto expected = describe_tree(tree);
    const fs::path out = share.beside("out");
    CHECK(share.output({"get", "-r", "-p", "-X", "tree", out.string()}) == "");
    CHECK(difference(expected, describe_tree(out)) == "");
    CHECK(size_of_attribute(out / "attribute") == attribute);
    CHECK(share.output({"put", "-r", "-p", "-X", out.string(), "back"}) == "");
    const fs::path back = share.path() / "back";
    CHECK(difference(expected, describe_tree(back)) == "");
    CHECK(size_of_attribute(back / "attribute") == attribute);
    // Nothing that has a name is missing in a list of all.
    const std::string found = share.output({"find", "back", "-print0"});
    CHECK(static_cast<std::size_t>(std::count(found.begin(), found.end(), '\0')) == expected.size());
    CHECK(share.output({"rm", "-r", "back"}) == "");
    CHECK_FALSE(share.exists("back"));
}
