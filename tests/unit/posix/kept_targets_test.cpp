// SPDX-License-Identifier: BSD-2-Clause
// Targets of symbolic links are kept with their nodes, where the server allows that.
#include "support/watchdog.hpp"
#include "unit/posix/with_cache.hpp"

#include "vfsproto/posix/mount_stats.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

using namespace vfsproto;
using namespace vfsproto::abi;
using posix::CacheMode;
using posix::LastLink;
using test::MountedOptions;
using test::OverDirectory;
using test::OverMemfs;
using test::RequestCounter;
using test::succeeds;
using test::value_of;
using test::Watchdog;
using test::with_cache;
using wire::Opcode;

namespace {

// Returns how many READLINKs it takes to read a link, which has this target.
std::uint64_t reads_of(posix::Mount& mount, RequestCounter& requests, const std::string& link,
                       const std::string& target) {
    requests.forget();
    CHECK(value_of(mount.readlink(link)) == target);
    return requests.take(Opcode::readlink);
}

// Answers every READLINK with what the test wants.
class LyingMemfs : public backends::Memfs {
public:
    using Memfs::handle;
    using Memfs::Memfs;
    void handle(const server::RequestOf<Opcode::readlink>&, server::ReplyTo<Opcode::readlink>& reply) noexcept {
        reply.data(std::as_bytes(std::span(answer)));
    }

    std::string answer;
};

} // namespace

TEST_CASE("a second walk through links asks for none of their targets", "[caches]") {
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::automatic, requests));
    succeeds(over->mkdir("/d"));
    test::put(*over, "/d/f", "x");
    succeeds(over->symlink("d", "/to_d"));
    succeeds(over->symlink("to_d/f", "/to_f"));
    requests.forget();
    CHECK(value_of(over->stat("/to_f")).size == 1);
    CHECK(requests.take(Opcode::readlink) == 2);
    requests.forget();
    CHECK(value_of(over->stat("/to_f")).size == 1);
    CHECK(value_of(over->readlink("/to_f")) == "to_d/f");
    CHECK(value_of(over->readlink("/to_d/../to_d")) == "d");
    CHECK(requests.take_all() == 0);
}

TEST_CASE("a target that was read by its own call is known to walks", "[caches]") {
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::automatic, requests));
    succeeds(over->mkdir("/d"));
    succeeds(over->symlink("d", "/link"));
    CHECK(reads_of(*over, requests, "/link", "d") == 1);
    CHECK(reads_of(*over, requests, "/link", "d") == 0);
    CHECK(is_directory(value_of(over->stat("/link/")).mode));
    CHECK(requests.take(Opcode::readlink) == 0);
}

TEST_CASE("targets are kept where the server allows it, or the mount always believes what it knows", "[caches]") {
    struct Case {
        CacheMode mode;
        bool is_negotiated;
        bool keeps;
    };
    const Case at = GENERATE(Case{CacheMode::none, true, false}, Case{CacheMode::automatic, true, true},
                             Case{CacheMode::automatic, false, false}, Case{CacheMode::always, true, true},
                             Case{CacheMode::always, false, true});
    RequestCounter requests;
    MountedOptions options = with_cache(at.mode, requests);
    if (!at.is_negotiated) options.memfs.server.flags.remove(wire::InitFlag::cache_symlinks);
    OverMemfs over(options);
    CHECK(over->channel().params().flags.has(wire::InitFlag::cache_symlinks) == at.is_negotiated);
    succeeds(over->symlink("target", "/link"));
    CHECK(reads_of(*over, requests, "/link", "target") == 1);
    CHECK(reads_of(*over, requests, "/link", "target") == (at.keeps ? 0u : 1u));
    CHECK(over->mount_stats().held.targets == (at.keeps ? 1u : 0u));
}

TEST_CASE("a target counts no longer than the attributes of its link", "[caches]") {
    RequestCounter requests;
    MountedOptions options = with_cache(CacheMode::automatic, requests);
    SECTION("that the server allows") { options.memfs.attr_valid = 0; }
    SECTION("that the mount wants") { options.mount.cache.attribute_timeout = std::chrono::hours(0); }
    OverMemfs over(options);
    succeeds(over->symlink("target", "/link"));
    for (int i = 0; i < 3; ++i) CHECK(reads_of(*over, requests, "/link", "target") == 1);
}

TEMPLATE_TEST_CASE("a link that this mount changes has the target it has now", "[caches]", OverMemfs, OverDirectory) {
    RequestCounter requests;
    MountedOptions options = with_cache(CacheMode::always, requests);
    options.mount.channel.rings.withheld.add(Feature::fs_notification);
    TestType over(options);
    succeeds(over->symlink("first", "/link"));
    succeeds(over->symlink("other", "/other"));
    CHECK(reads_of(*over, requests, "/link", "first") == 1);
    CHECK(reads_of(*over, requests, "/other", "other") == 1);
    SECTION("removed and made anew") {
        succeeds(over->unlink("/link"));
        succeeds(over->symlink("second", "/link"));
        CHECK(reads_of(*over, requests, "/link", "second") == 1);
        CHECK(reads_of(*over, requests, "/link", "second") == 0);
    }
    SECTION("replaced by another") {
        succeeds(over->rename("/other", "/link"));
        CHECK(reads_of(*over, requests, "/link", "other") == 1); // a rename changes the link's own attributes
        CHECK(reads_of(*over, requests, "/link", "other") == 0);
    }
    SECTION("with other times") {
        const posix::SetTime at{posix::SetTime::Kind::at, 1, 0};
        succeeds(over->set_times("/link", at, at, LastLink::keep));
        CHECK(reads_of(*over, requests, "/link", "first") == 1);
        CHECK(reads_of(*over, requests, "/link", "first") == 0);
    }
    CHECK(over->mount_stats().held.targets <= 2);
}

TEST_CASE("a link that others replace has its new target once the server has told", "[caches][notifications]") {
    const Watchdog watchdog("a link that the host replaces");
    RequestCounter requests;
    OverDirectory over(with_cache(CacheMode::always, requests));
    const auto host = over.directory.path();
    std::filesystem::create_symlink("first", host / "link");
    CHECK(reads_of(*over, requests, "/link", "first") == 1);
    CHECK(reads_of(*over, requests, "/link", "first") == 0);
    std::filesystem::create_symlink("second", host / "new");
    std::filesystem::rename(host / "new", host / "link");
    test::until([&] { return value_of(over->readlink("/link")) == "second"; });
}

TEST_CASE("a mount that looks anew asks for targets too", "[caches]") {
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::always, requests));
    test::put(*over, "/f", "x");
    succeeds(over->symlink("f", "/link"));
    CHECK(value_of(over->stat("/link")).size == 1);
    const auto anew = over->looking_anew();
    CHECK(reads_of(*anew, requests, "/link", "f") == 1);
    requests.forget();
    CHECK(value_of(anew->stat("/link")).size == 1);
    CHECK(requests.take(Opcode::readlink) == 1);
}

TEST_CASE("targets take no more memory than they may, and the least recently read one goes first", "[caches]") {
    constexpr std::size_t kMostBytes = 16 * 1024;
    constexpr int kLinks = 100;
    const auto target = [](int i) { return std::string(200, 'x') + std::to_string(i); };
    RequestCounter requests;
    MountedOptions options = with_cache(CacheMode::automatic, requests);
    options.mount.cache.contents = kMostBytes;
    OverMemfs over(options);
    for (int i = 0; i < kLinks; ++i) {
        const std::string link = "/l" + std::to_string(i);
        succeeds(over->symlink(target(i), link));
        CHECK(reads_of(*over, requests, link, target(i)) == 1);
        CHECK(reads_of(*over, requests, "/l0", target(0)) == 0); // it is always the latest
    }
    const posix::MountStats stats = over->mount_stats();
    CHECK(stats.held.content_bytes <= kMostBytes);
    CHECK(stats.held.targets > 10);
    CHECK(stats.caches.targets_kept == kLinks);
    CHECK(stats.caches.targets_evicted == kLinks - stats.held.targets);
    CHECK(reads_of(*over, requests, "/l99", target(99)) == 0);
    CHECK(reads_of(*over, requests, "/l1", target(1)) == 1);
    const std::string large(kMostBytes / 8, 'x'); // more than one may take, with what is around it
    succeeds(over->symlink(large, "/large"));
    for (int i = 0; i < 2; ++i) CHECK(reads_of(*over, requests, "/large", large) == 1);
    over->prune();
    CHECK(over->mount_stats().held.targets == 0);
    CHECK(over->mount_stats().held.content_bytes == 0);
}

TEST_CASE("without room for contents no target is kept", "[caches]") {
    RequestCounter requests;
    MountedOptions options = with_cache(CacheMode::always, requests);
    options.mount.cache.contents = 0;
    OverMemfs over(options);
    succeeds(over->symlink("target", "/link"));
    for (int i = 0; i < 2; ++i) CHECK(reads_of(*over, requests, "/link", "target") == 1);
}

TEST_CASE("what is no target, or not as long as its link says, is not kept", "[caches][hostile]") {
    RequestCounter requests;
    LyingMemfs fs(with_cache(CacheMode::automatic, requests).memfs);
    const auto mount = test::mount_of(backends::make_loopback(fs), with_cache(CacheMode::always, requests).mount);
    succeeds(mount->symlink("12345", "/link"));
    const auto always_asks = [&](const std::string& answer) {
        INFO(answer.size());
        fs.answer = answer;
        for (int i = 0; i < 2; ++i) CHECK(reads_of(*mount, requests, "/link", answer) == 1);
        CHECK(mount->mount_stats().held.targets == 0);
    };
    always_asks("1234");
    always_asks("123456");
    always_asks(std::string("12\0"
                            "45",
                            5));
    always_asks(std::string(4096, 'x'));
    always_asks("");
    fs.answer = std::string("12\0"
                            "45",
                            5);
    for (int i = 0; i < 2; ++i) {
        requests.forget();
        CHECK(mount->stat("/link").failure().errc == Errc::protocol_violation);
        CHECK(requests.take(Opcode::readlink) == 1);
    }
}

TEST_CASE("a link whose target changes without a word is believed as long as its attributes are", "[caches][hostile]") {
    RequestCounter requests;
    LyingMemfs fs(with_cache(CacheMode::automatic, requests).memfs);
    const auto mount = test::mount_of(backends::make_loopback(fs), with_cache(CacheMode::automatic, requests).mount);
    succeeds(mount->symlink("12345", "/link"));
    fs.answer = "abcde";
    CHECK(reads_of(*mount, requests, "/link", "abcde") == 1);
    fs.answer = "fghij";
    CHECK(reads_of(*mount, requests, "/link", "abcde") == 0);
    succeeds(mount->set_xattr("/link", "trusted.x", {}, posix::XattrSpace::create_or_replace, LastLink::keep));
    CHECK(reads_of(*mount, requests, "/link", "fghij") == 1);
    CHECK(reads_of(*mount, requests, "/link", "fghij") == 0);
}

TEST_CASE("what was kept of a link is no listing, whatever a server says later of the node", "[caches][hostile]") {
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::always, requests));
    posix::NodeCache& nodes = over->nodes();
    const posix::NodeRef node = nodes.root();
    wire::Attr known{};
    known.size = 5;
    nodes.note_target(node, "12345", nodes.about_to_read(node, known));
    REQUIRE(over->mount_stats().held.targets == 1);
    const client::ContentVersion version = client::version_of(known);
    CHECK(nodes.find_listing(node, &version) == nullptr);
}

TEST_CASE("targets that are known and asked for are counted", "[caches][stats]") {
    RequestCounter requests;
    OverMemfs over(with_cache(CacheMode::automatic, requests));
    test::put(*over, "/f", "x");
    succeeds(over->symlink("f", "/link"));
    const posix::MountStats start = over->mount_stats();
    for (int i = 0; i < 3; ++i) (void)value_of(over->stat("/link"));
    const posix::MountStats counted = over->mount_stats().since(start);
    CHECK(counted.caches.target_hits == 2);
    CHECK(counted.caches.target_misses == 1);
    CHECK(counted.caches.targets_kept == 1);
    CHECK(counted.caches.targets_evicted == 0);
    CHECK(counted.held.targets == 1);
    CHECK(counted.held.content_bytes > 0);
    CHECK(counted.of(Opcode::readlink).calls == 1);
}
