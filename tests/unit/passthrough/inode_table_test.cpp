// SPDX-License-Identifier: BSD-2-Clause
#include "../../../src/backends/passthrough/inode_table.hpp"
#include "passthrough_fixture.hpp"
#include "support/catch.hpp"

using namespace vfsproto;
using namespace vfsproto::test;
using backends::FileDescriptor;
using backends::InodeTable;

namespace {

struct HostFile {
    FileDescriptor fd;
    struct statx status{};

    explicit HostFile(const fs::path& path) : fd(::open(path.c_str(), O_PATH | O_CLOEXEC)) {
        constexpr unsigned kMountId = 0x1000; // STATX_MNT_ID
        if (::statx(fd.get(), "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME | kMountId, &status) != 0) {
            throw std::runtime_error("no " + path.string());
        }
    }
    [[nodiscard]] FileDescriptor take() { return std::move(fd); }
};

struct Table {
    TemporaryDirectory directory;
    InodeTable table;

    Table() {
        HostFile root(directory.root());
        if (!table.insert_root(root.take(), root.status)) throw std::runtime_error("no root");
    }
    [[nodiscard]] HostFile make(const char* name) const {
        std::ofstream(directory.root() / name) << "x";
        return HostFile(directory.root() / name);
    }
    InodeTable::Counted count(HostFile& file) { return table.count(file.take(), file.status, table.session()); }
};

void set_birth(struct statx& status, std::int64_t seconds) {
    status.stx_mask |= STATX_BTIME;
    status.stx_btime.tv_sec = seconds;
    status.stx_btime.tv_nsec = 0;
}

} // namespace

TEST_CASE("a file that the host gives the number of one the client still holds is another file", "[passthrough]") {
    Table t;
    HostFile first = t.make("first");
    HostFile second = t.make("second");
    second.status.stx_ino = first.status.stx_ino; // as some FUSE and network file systems do
    set_birth(second.status, first.status.stx_btime.tv_sec + 1000);
    const struct statx status_of_second = second.status;
    const std::uint64_t old_node = t.count(first).nodeid;
    const std::uint64_t new_node = t.count(second).nodeid;
    REQUIRE(old_node != 0);
    REQUIRE(new_node != 0);
    CHECK(new_node != old_node);
    CHECK(t.table.count_known(status_of_second, t.table.session()) == new_node);
    // Each is forgotten for itself, the first without taking the number from the second.
    t.table.forget(old_node, 1);
    CHECK(t.table.count_known(status_of_second, t.table.session()) == new_node);
    t.table.forget(new_node, 3);
    CHECK(t.table.size() == 1);
    CHECK(t.table.over_forgotten() == 0);
}

TEST_CASE("both files of one number are gone when the session ends", "[passthrough]") {
    Table t;
    HostFile first = t.make("first");
    HostFile second = t.make("second");
    second.status.stx_ino = first.status.stx_ino;
    set_birth(second.status, first.status.stx_btime.tv_sec + 1000);
    const std::uint64_t first_node = t.count(first).nodeid; // in this order: the table asks the first file's descriptor
    const std::uint64_t second_node = t.count(second).nodeid;
    REQUIRE(first_node != second_node);
    t.table.end_session();
    CHECK(t.table.size() == 1);
}

TEST_CASE("a file whose birth time changed while the client holds it stays the same file", "[passthrough]") {
    Table t;
    HostFile before = t.make("file");
    HostFile after(t.directory.root() / "file");
    if ((after.status.stx_mask & STATX_BTIME) == 0) return;
    set_birth(before.status, 1000); // as overlayfs has it until it copies the file up
    const std::uint64_t nodeid = t.count(before).nodeid;
    const struct statx status = after.status;
    CHECK(t.count(after).nodeid == nodeid);
    CHECK(t.table.count_known(status, t.table.session()) == nodeid);
}

TEST_CASE("a lookup that began in a session is not counted after its end", "[passthrough]") {
    Table t;
    HostFile file = t.make("file");
    HostFile again(t.directory.root() / "file");
    const struct statx status = file.status;
    const backends::SessionNumber session = t.table.session();
    t.table.end_session();
    const auto between = t.table.count(file.take(), status, session);
    CHECK(between.nodeid == 0);
    CHECK(between.error == ESTALE);
    t.table.begin_session();
    CHECK(t.table.count(again.take(), status, session).error == ESTALE);
    CHECK(t.table.size() == 1);
}
