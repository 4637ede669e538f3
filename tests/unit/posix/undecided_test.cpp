// SPDX-License-Identifier: BSD-2-Clause
// A server does what it was asked and its answer is no answer: nobody knows what it did, and nothing that it may have changed is taken
// from a cache.
#include "unit/posix/mounted.hpp"

using namespace vfsproto;
using namespace vfsproto::abi;
using backends::loopback::FaultKind;
using backends::loopback::FaultPlan;
using backends::loopback::FaultTrigger;
using posix::Mount;
using test::succeeds;
using test::value_of;
using wire::Opcode;

namespace {

// A mount that keeps all it is told, whose server's answers may be spoilt. It has /f, with "content".
struct Spoilt {
    Spoilt() {
        FaultPlan plan;
        plan.trigger = &trigger;
        posix::MountOptions options;
        options.cache.mode = posix::CacheMode::always;
        mount = test::mount_of(backends::make_faulty_loopback(fs, plan), options);
        test::put(*mount, "/f", "content");
    }
    // Spoils the answer to the next request of this kind.
    void spoil(Opcode opcode) {
        fs.set_faults([this, opcode](const backends::MemfsQuestion& question) {
            if (question.opcode == opcode) trigger.arm(FaultKind::reply_error, 0);
            return backends::MemfsFault();
        });
    }
    // Checks that this call ended by the answer that was spoilt.
    void check_spoilt(const posix::Failure& failure) const {
        CHECK(failure.errc == Errc::protocol_violation);
        CHECK(trigger.has_struck());
    }
    // Returns what is known, and checks that it is what the server would say.
    posix::Attributes known(const char* path) {
        const posix::Attributes kept = value_of(mount->stat(path));
        const posix::Attributes asked = value_of(mount->looking_anew()->stat(path));
        CHECK(kept.ctime == asked.ctime);
        CHECK(kept.ctimensec == asked.ctimensec);
        return kept;
    }

    backends::Memfs fs;
    FaultTrigger trigger;
    std::unique_ptr<Mount> mount;
};

} // namespace

TEST_CASE("a file is asked for again once LINK may have given it a name more", "[caches]") {
    Spoilt f;
    CHECK(f.known("/f").nlink == 1);
    f.spoil(Opcode::link);
    f.check_spoilt(f.mount->link("/f", "/g"));
    CHECK(f.known("/f").nlink == 2);
    CHECK(f.known("/g").nlink == 2);
}

TEST_CASE("a file is asked for again once CREATE may have cut it, by its other name as well", "[caches]") {
    Spoilt f;
    succeeds(f.mount->link("/f", "/g"));
    CHECK(f.known("/f").size == 7);
    CHECK(f.known("/g").size == 7);
    f.spoil(Opcode::create);
    f.check_spoilt(f.mount->open_file("/f", kOCreat | kOTrunc | kOWronly).failure());
    CHECK(f.known("/g").size == 0);
    CHECK(f.known("/f").size == 0);
}

TEST_CASE("both files are asked for again once RENAME2 may have exchanged them", "[caches]") {
    Spoilt f;
    test::put(*f.mount, "/g", "other");
    succeeds(f.mount->link("/g", "/h"));
    for (const char* path : {"/f", "/g", "/h"}) static_cast<void>(f.known(path));
    f.spoil(Opcode::rename2);
    f.check_spoilt(f.mount->rename("/f", "/g", kRenameExchange));
    CHECK(f.known("/h").size == 5);
    CHECK(f.known("/f").size == 5);
    CHECK(f.known("/g").size == 7);
}
