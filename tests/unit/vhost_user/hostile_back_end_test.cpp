// SPDX-License-Identifier: BSD-2-Clause
// A back end that says no, says nonsense, says nothing, or goes away.
#include "support/catch.hpp"
#include "unit/vhost_user/front_end.hpp"

#include "vfsproto/transport/bring_up.hpp"

#include <sys/un.h>

#include <filesystem>
#include <fstream>
#include <future>

using namespace vfsproto;
using backends::VhostUser;
using backends::VhostUserOptions;
using test::Bytes;
using test::lay_out;
using test::Message;
using test::options_for;
using test::ScriptedBackEnd;
using test::words32;
using test::words64;
using enum test::VhostUserRequest;
using test::kIsReply;
using test::kReply;
using test::kVersion1;
using Handled = ScriptedBackEnd::Handled;

namespace {

const FeatureSet kWanted = FeatureSet::of(Feature::event_idx);

// Answers one kind of request with these raw bytes and everything else as it should.
auto answering(std::uint32_t request, Bytes raw) {
    return [request, raw = std::move(raw)](ScriptedBackEnd& self, const Message& message) {
        if (message.request != request) return Handled::no;
        self.send_raw(raw);
        return Handled::yes;
    };
}

Bytes joined(Bytes a, const Bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

std::string scratch_path(const std::string& name) {
    const auto folder = std::filesystem::temp_directory_path() / ("vfsproto-unit-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    return (folder / name).string();
}

int bound_socket(const std::string& path) {
    std::filesystem::remove(path);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return fd;
}

} // namespace

TEST_CASE("a malformed answer ends the connection with its reason", "[vhost_user]") {
    struct Case {
        const char* what;
        Bytes raw;
        const char* reason;
    };
    const Case bad =
        GENERATE(Case{"another request's id", joined(words32(kSetFeatures, kReply, 8), words64(0)),
                      "an answer to request 2 instead of GET_QUEUE_NUM"},
                 Case{"not a reply", joined(words32(kGetQueueNum, kVersion1, 8), words64(2)),
                      "wrong flags in the answer to GET_QUEUE_NUM"},
                 Case{"version 2", joined(words32(kGetQueueNum, 2 | kIsReply, 8), words64(2)),
                      "wrong flags in the answer to GET_QUEUE_NUM"},
                 Case{"unknown flags", joined(words32(kGetQueueNum, 0x100 | kReply, 8), words64(2)),
                      "wrong flags in the answer to GET_QUEUE_NUM"},
                 Case{"too long", joined(words32(kGetQueueNum, kReply, 4096), Bytes(4096)),
                      "too long an answer to GET_QUEUE_NUM"},
                 Case{"4 GiB long", words32(kGetQueueNum, kReply, 0xffffffff), "too long an answer to GET_QUEUE_NUM"},
                 Case{"too short", words32(kGetQueueNum, kReply, 4, 2), "an answer of the wrong size to GET_QUEUE_NUM"},
                 Case{"empty", words32(kGetQueueNum, kReply, 0), "an answer of the wrong size to GET_QUEUE_NUM"},
                 Case{"no queue", joined(words32(kGetQueueNum, kReply, 8), words64(0)), "the back end has no queue"});
    INFO(bad.what);
    ScriptedBackEnd back_end;
    back_end.on_message = answering(kGetQueueNum, bad.raw);
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE_FALSE(opened);
    CHECK(opened.error == (std::string(bad.what) == "no queue" ? Errc::queue_absent : Errc::transport_failed));
    CHECK(opened.message == std::string("vhost-user scripted: ") + bad.reason);
}

TEST_CASE("a silent back end is an error after the time given, not a hang", "[vhost_user]") {
    const Bytes beginning =
        GENERATE(Bytes{}, words32(kGetFeatures), words32(kGetFeatures, kReply, 8, 0)); // nothing, or truncated
    ScriptedBackEnd back_end;
    back_end.on_message = answering(kGetFeatures, beginning);
    VhostUserOptions options = options_for(back_end);
    options.reply_timeout = std::chrono::milliseconds(30);
    const auto opened = VhostUser::open(std::move(options));
    REQUIRE_FALSE(opened);
    CHECK(opened.error == Errc::transport_failed);
    CHECK(opened.message == "vhost-user scripted: nothing from the back end for 30 ms after GET_FEATURES");
}

TEST_CASE("every request of the bring-up may be the one at which the back end hangs up", "[vhost_user]") {
    for (std::size_t at = 0; at < 22; ++at) {
        INFO("message " << at);
        ScriptedBackEnd back_end;
        back_end.on_message = [at, seen = std::size_t{0}](ScriptedBackEnd& self, const Message&) mutable {
            if (seen++ != at) return Handled::no;
            self.hang_up();
            return Handled::yes;
        };
        auto opened = VhostUser::open(options_for(back_end));
        if (!opened) {
            CHECK(at < 6);
            CHECK(opened.error == Errc::device_gone);
            CHECK(opened.message.find("closed the connection") != std::string::npos);
            continue;
        }
        BringUp steps(opened.device->transport());
        Errc why = Errc::ok;
        if (const auto features = steps.negotiate(kWanted); !features) why = features.error();
        const auto memory = why == Errc::ok ? opened.device->allocate(8192) : Result<Region>(why);
        why = memory ? Errc::ok : memory.error();
        for (std::uint16_t i = 0; i < 2 && why == Errc::ok; ++i) {
            why = steps.enable_queue(QueueIndex{i}, lay_out(memory->part(4096 * i, 4096)));
        }
        if (why == Errc::ok) why = steps.go_live();
        CHECK(why == Errc::device_gone);
        CHECK(steps.tear_down() == Errc::device_gone);
        CHECK(steps.state() == BringUp::State::down);
        CHECK_FALSE(opened.device->gone_reason().empty());
    }
}

TEST_CASE("a refused message costs only itself", "[vhost_user]") {
    ScriptedBackEnd back_end;
    std::uint32_t refused = 0;
    back_end.on_message = [&refused](ScriptedBackEnd& self, const Message& message) {
        if (message.request != refused) return Handled::no;
        self.reply(message.request, words64(1));
        return Handled::yes;
    };
    SECTION("features") {
        refused = kSetFeatures;
        const auto opened = VhostUser::open(options_for(back_end));
        REQUIRE(opened);
        BringUp steps(opened.device->transport());
        CHECK(steps.negotiate(kWanted).error() == Errc::features_refused);
        CHECK(opened.device->gone_reason().empty());
        CHECK(steps.tear_down() == Errc::ok);
    }
    SECTION("a ring address") {
        refused = kSetVringAddr;
        const auto opened = VhostUser::open(options_for(back_end));
        REQUIRE(opened);
        BringUp steps(opened.device->transport());
        REQUIRE(steps.negotiate(kWanted));
        const auto memory = opened.device->allocate(4096);
        REQUIRE(memory);
        CHECK(steps.enable_queue(QueueIndex{0}, lay_out(*memory)) == Errc::transport_failed);
        CHECK(opened.device->gone_reason().empty());
    }
    SECTION("the owner") {
        refused = kSetOwner;
        const auto opened = VhostUser::open(options_for(back_end));
        REQUIRE_FALSE(opened);
        CHECK(opened.error == Errc::transport_failed);
    }
}

TEST_CASE("a malformed ring base ends the connection", "[vhost_user]") {
    const Bytes raw = GENERATE(words32(kGetVringBase, kReply, 8, 1, 0), words32(kGetVringBase, kReply, 8, 0, 0x10000),
                               words32(kGetVringBase, kReply, 4, 0));
    ScriptedBackEnd back_end;
    back_end.on_message = answering(kGetVringBase, raw);
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE(opened);
    Transport& transport = opened.device->transport();
    const auto memory = opened.device->allocate(4096);
    REQUIRE(memory);
    REQUIRE(transport.enable_queue(QueueIndex{0}, lay_out(*memory)) == Errc::ok);
    CHECK(transport.reset() == Errc::transport_failed);
    CHECK(transport.reset() == Errc::device_gone);
}

TEST_CASE("a malformed configuration ends the connection", "[vhost_user]") {
    ScriptedBackEnd back_end;
    back_end.protocol |= 1u << 9;
    back_end.on_message = answering(kGetConfig, words32(kGetConfig, kReply, 16, 0, 40, 0, 0)); // shorter than it says
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE_FALSE(opened);
    CHECK(opened.message == "vhost-user scripted: a malformed answer to GET_CONFIG");
}

TEST_CASE("the handler hears once that the device has gone, whoever finds out", "[vhost_user]") {
    ScriptedBackEnd back_end;
    const auto opened = VhostUser::open(options_for(back_end));
    REQUIRE(opened);
    Transport& transport = opened.device->transport();
    std::promise<std::thread::id> told;
    int times = 0;
    const auto handler = [&] {
        ++times;
        told.set_value(std::this_thread::get_id());
    };
    std::string reason;
    SECTION("the socket hangs up while nobody asks anything") {
        opened.device->on_gone(handler);
        back_end.hang_up();
        reason = "the back end closed the connection";
    }
    SECTION("it had gone before the handler came") {
        back_end.hang_up();
        while (opened.device->gone_reason().empty()) std::this_thread::yield();
        opened.device->on_gone(handler);
        reason = "the back end closed the connection";
    }
    SECTION("the back end gives a ring up") {
        opened.device->on_gone(handler);
        const auto memory = opened.device->allocate(4096);
        REQUIRE(memory);
        REQUIRE(transport.enable_queue(QueueIndex{1}, lay_out(*memory)) == Errc::ok);
        for (const Message& message : back_end.log()) {
            if (message.request == kSetVringErr) REQUIRE(::write(message.fds.at(0), "\1\0\0\0\0\0\0", 8) == 8);
        }
        reason = "the back end gave up queue 1";
    }
    auto who = told.get_future();
    REQUIRE(who.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
    CHECK(who.get() != std::this_thread::get_id());
    CHECK(opened.device->gone_reason() == reason);
    CHECK(opened.device->server_has_ended() == reason.ends_with("closed the connection"));

    CHECK(transport.reset() == Errc::device_gone);
    CHECK(transport.set_status(1) == Errc::device_gone);
    CHECK(transport.status().error() == Errc::device_gone);
    CHECK(transport.device_features().error() == Errc::device_gone);
    CHECK(transport.accept_features(kWanted) == Errc::device_gone);
    CHECK(transport.queue_count().error() == Errc::device_gone);
    CHECK(transport.max_queue_size(QueueIndex{0}).error() == Errc::device_gone);
    CHECK(transport.enable_queue(QueueIndex{0}, {}) == Errc::device_gone);
    CHECK(opened.device->stop_queue(QueueIndex{0}).error() == Errc::device_gone);
    CHECK(opened.device->allocate(std::size_t{1} << 20).error() == Errc::device_gone);
    std::byte config[4];
    CHECK(transport.read_config(0, config) == Errc::device_gone);
    CHECK(times == 1);
}

TEST_CASE("a time-out while the device runs tells the handler too", "[vhost_user]") {
    ScriptedBackEnd back_end;
    back_end.on_message = answering(kSetFeatures, {});
    VhostUserOptions options = options_for(back_end);
    options.reply_timeout = std::chrono::milliseconds(30);
    const auto opened = VhostUser::open(std::move(options));
    REQUIRE(opened);
    std::promise<void> told;
    opened.device->on_gone([&] { told.set_value(); });
    CHECK(opened.device->transport().accept_features(FeatureSet::of(Feature::version_1)) == Errc::transport_failed);
    CHECK(told.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready);
}

TEST_CASE("a missing socket fails at once, in one clear line", "[vhost_user]") {
    VhostUserOptions options;
    options.socket_path = scratch_path("absent.sock");
    options.connect_patience = std::chrono::hours(1);
    const auto opened = VhostUser::open(options);
    REQUIRE_FALSE(opened);
    CHECK(opened.error == Errc::transport_failed);
    CHECK(opened.message == "no socket at " + options.socket_path + ": is virtiofsd running?");
    options.server_name = "the switch";
    CHECK(VhostUser::open(options).message == "no socket at " + options.socket_path + ": is the switch running?");
}

TEST_CASE("paths that can never be connected to are named", "[vhost_user]") {
    VhostUserOptions options;
    options.connect_patience = std::chrono::hours(1);
    options.socket_path = std::string(200, 'x');
    CHECK(VhostUser::open(options).error == Errc::bad_argument);
    options.socket_path = "";
    CHECK(VhostUser::open(options).error == Errc::bad_argument);
    options.socket_path = scratch_path("plain-file");
    std::ofstream(options.socket_path) << "x";
    CHECK(VhostUser::open(options).message == options.socket_path + " is not a socket");
    options.queue_size = 0;
    CHECK(VhostUser::open(options).error == Errc::bad_argument);
}

TEST_CASE("a socket nobody listens at is tried for the time given", "[vhost_user]") {
    VhostUserOptions options;
    options.socket_path = scratch_path("deaf.sock");
    const int deaf = bound_socket(options.socket_path);
    options.connect_patience = std::chrono::milliseconds(20);
    const auto start = std::chrono::steady_clock::now();
    const auto opened = VhostUser::open(options);
    REQUIRE_FALSE(opened);
    CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(20));
    CHECK(opened.message == "nobody listens at " + options.socket_path + ": has virtiofsd ended?");
    ::close(deaf);
}

TEST_CASE("a back end that is still starting is waited for", "[vhost_user]") {
    VhostUserOptions options;
    options.socket_path = scratch_path("late.sock");
    options.reply_timeout = std::chrono::milliseconds(20);
    const int late = bound_socket(options.socket_path);
    auto opening = std::async(std::launch::async, [&] {
        options.connect_patience = std::chrono::hours(1);
        return VhostUser::open(options);
    });
    REQUIRE(::listen(late, 1) == 0);
    const int accepted = ::accept(late, nullptr, nullptr); // returns only if open() kept trying
    const auto opened = opening.get();
    CHECK(opened.message.find("nothing from the back end") != std::string::npos);
    ::close(accepted);
    ::close(late);
}
