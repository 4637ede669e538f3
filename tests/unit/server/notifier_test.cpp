// SPDX-License-Identifier: BSD-2-Clause
// A client is told of changes in the buffers it has posted, and what finds none is not lost.
#include "support/catch.hpp"
#include "support/fake_device_queue.hpp"
#include "support/notification.hpp"
#include "vfsproto/fuse/server/notifier.hpp"

#include <array>
#include <string>

using namespace vfsproto;
using server::Change;
using test::Bytes;
using test::FakeDeviceQueue;
using What = server::Change::What;

namespace {

constexpr std::uint64_t kDirectory = 7;
constexpr std::uint64_t kFile = 8;
constexpr std::size_t kRoom = server::NotificationMessage::kLongest;
constexpr std::size_t kHeader = sizeof(wire::OutHeader);

class Fixture {
public:
    Fixture() { begin(); }

    void begin() {
        wire::InitIn in{};
        in.major = wire::kMajor;
        in.minor = wire::kMinor;
        static_cast<void>(session.init(in, {}));
        REQUIRE(session.ready());
    }
    // Posts a buffer of these segments. Returns its number.
    std::size_t post(const std::vector<std::size_t>& sizes = {kRoom}) { return queue.add({}, sizes); }
    bool tell_file() { return notifier.tell({What::file, kFile, {}}); }
    bool tell_name(const std::string& name) { return notifier.tell({What::name, kDirectory, name}); }
    [[nodiscard]] Bytes got(std::size_t number) const { return queue.entry(number).reply(); }
    [[nodiscard]] bool is_back(std::size_t number) const { return queue.entry(number).written.has_value(); }

    FakeDeviceQueue queue;
    server::ServerSession session;
    std::array<HostSegment, 64> segments{};
    server::Notifier<FakeDeviceQueue> notifier{queue, session, segments};
};

} // namespace

// virtio 1.2 §5.11.6.4
TEST_CASE("a change is a message in the oldest buffer, wherever its segments are", "[notifier]") {
    Fixture f;
    const std::vector<std::size_t> sizes =
        GENERATE(std::vector<std::size_t>{kRoom}, std::vector<std::size_t>{16, kRoom},
                 std::vector<std::size_t>{1, 0, 3, 17, 5, 2, kRoom});
    const std::size_t first = f.post(sizes);
    const std::size_t second = f.post(sizes);
    const std::size_t third = f.post(sizes);
    const std::size_t unused = f.post(sizes);
    CHECK(f.tell_file());
    CHECK(f.tell_name("a name"));
    CHECK(f.notifier.tell(Change{}));
    CHECK(f.got(first) == test::inval_inode(kFile));
    CHECK(f.got(second) == test::inval_entry(kDirectory, "a name"));
    CHECK(f.got(third) == test::inc_epoch());
    CHECK_FALSE(f.is_back(unused));
    CHECK(f.notifier.counters().told == 3);
    CHECK_FALSE(f.notifier.owes());
}

TEST_CASE("the longest name fits the buffers that a device asks for", "[notifier]") {
    Fixture f;
    const std::string name(wire::kDirentNameMax, 'n');
    const std::size_t buffer = f.post();
    CHECK(f.tell_name(name));
    CHECK(f.got(buffer) == test::inval_entry(kDirectory, name));
    CHECK(f.got(buffer).size() == kRoom);
}

TEST_CASE("a change of a name that no client would take is told as any change", "[notifier]") {
    Fixture f;
    const std::string name =
        GENERATE(std::string(), std::string("a/b"), std::string("a\0b", 3), std::string(wire::kDirentNameMax + 1, 'n'));
    const std::size_t buffer = f.post();
    CHECK(f.tell_name(name));
    CHECK(f.got(buffer) == test::inc_epoch());
}

TEST_CASE("changes that find no buffer are told as one INC_EPOCH, before anything else", "[notifier]") {
    Fixture f;
    CHECK_FALSE(f.tell_file());
    CHECK_FALSE(f.tell_name("name"));
    CHECK(f.notifier.owes());
    CHECK(f.notifier.counters().missed == 2);
    CHECK_FALSE(f.notifier.settle());
    const std::size_t first = f.post();
    const std::size_t second = f.post();
    SECTION("when a buffer is posted") {
        CHECK(f.notifier.settle());
        CHECK_FALSE(f.notifier.settle());
    }
    SECTION("with the next change, which it tells too") { CHECK(f.tell_name("other")); }
    CHECK(f.got(first) == test::inc_epoch());
    CHECK_FALSE(f.notifier.owes());
    CHECK_FALSE(f.is_back(second));
    CHECK(f.tell_file());
    CHECK(f.got(second) == test::inval_inode(kFile));
}

TEST_CASE("a buffer that is too short for its message carries an INC_EPOCH", "[notifier][hostile]") {
    Fixture f;
    const std::size_t shorter = f.post({test::inval_inode(kFile).size() - 1});
    const std::size_t shortest = f.post({kHeader});
    const std::size_t in_pieces = f.post(std::vector<std::size_t>(kHeader, 1));
    for (int i = 0; i < 3; ++i) CHECK(f.tell_file());
    for (const std::size_t buffer : {shorter, shortest, in_pieces}) CHECK(f.got(buffer) == test::inc_epoch());
    CHECK(f.notifier.counters().missed == 3);
}

TEST_CASE("a buffer that holds no message goes back empty, and the change is not lost", "[notifier][hostile]") {
    Fixture f;
    const std::size_t short_one = f.post({kHeader - 1});
    const std::size_t none = f.queue.add({Bytes(100)}, {}); // readable, which nothing can be written to
    SECTION("with a good one behind them") {
        const std::size_t good = f.post();
        CHECK(f.tell_file());
        CHECK(f.got(good) == test::inval_inode(kFile));
    }
    SECTION("with none behind them") {
        CHECK_FALSE(f.tell_file());
        CHECK(f.notifier.owes());
    }
    CHECK(f.queue.entry(short_one).written == 0u);
    CHECK(f.queue.entry(none).written == 0u);
    CHECK(f.notifier.counters().refused == 2);
}

TEST_CASE("a driver that posts nothing but short buffers is not served for long", "[notifier][hostile]") {
    Fixture f;
    constexpr std::size_t kMany = 1000;
    for (std::size_t i = 0; i < kMany; ++i) f.post({1});
    CHECK_FALSE(f.tell_file());
    CHECK(f.queue.pushed() < 100);
    CHECK(f.notifier.owes());
}

TEST_CASE("what a driver may read of its buffer is left alone", "[notifier][hostile]") {
    Fixture f;
    const Bytes theirs(40, std::byte{0x55});
    const std::size_t buffer = f.queue.add({theirs}, {kRoom});
    CHECK(f.tell_file());
    CHECK(f.queue.entry(buffer).readable.at(0) == theirs);
    CHECK(f.got(buffer) == test::inval_inode(kFile));
}

TEST_CASE("nothing is told while there is no session, nor owed", "[notifier]") {
    Fixture f;
    f.session.end();
    const std::size_t buffer = f.post();
    CHECK_FALSE(f.tell_file());
    CHECK_FALSE(f.notifier.owes());
    CHECK_FALSE(f.is_back(buffer));
    f.begin();
    CHECK(f.tell_file());
    CHECK(f.got(buffer) == test::inval_inode(kFile));
}

TEST_CASE("a queue that was reset owes nothing to who comes next", "[notifier]") {
    Fixture f;
    CHECK_FALSE(f.tell_file());
    f.notifier.forget();
    const std::size_t buffer = f.post();
    CHECK_FALSE(f.notifier.settle());
    CHECK_FALSE(f.is_back(buffer));
}

TEST_CASE("a queue that is latched is not written to", "[notifier][hostile]") {
    Fixture f;
    const std::size_t buffer = f.post();
    f.queue.latch(Errc::avail_index_jump);
    CHECK_FALSE(f.tell_file());
    CHECK_FALSE(f.is_back(buffer));
}
