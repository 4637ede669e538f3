// SPDX-License-Identifier: BSD-2-Clause
// The options of a mount mean what mount(8) says, and a word that means nothing is named.
#include "../../../src/kernel_mount/option_list.hpp"
#include "support/catch.hpp"

#include <sys/mount.h>

using vfsproto::kernel_mount::OptionList;

namespace {

OptionList options_of(const char* words) {
    OptionList list;
    REQUIRE(list.add(words) == "");
    return list;
}

} // namespace

TEST_CASE("a mount believes no set-id bits and no devices of a server, unless it is told to", "[cli]") {
    CHECK(options_of("").flags == (MS_NOSUID | MS_NODEV));
    CHECK(options_of("suid,dev").flags == 0);
    CHECK(options_of("suid,nosuid").flags == (MS_NOSUID | MS_NODEV));
    CHECK(options_of("").default_permissions);
    CHECK_FALSE(options_of("no_default_permissions").default_permissions);
}

TEST_CASE("of options of a mount that contradict each other the last one holds", "[cli]") {
    CHECK((options_of("ro").flags & MS_RDONLY) != 0);
    CHECK((options_of("ro,rw").flags & MS_RDONLY) == 0);
    OptionList list = options_of("noatime");
    CHECK(list.add("atime,noexec") == "");
    CHECK(list.flags == (MS_NOSUID | MS_NODEV | MS_NOEXEC));
}

TEST_CASE("an option of a mount that means nothing is named", "[cli]") {
    OptionList list;
    CHECK(list.add("ro,colour=red,noexec").starts_with("colour=red:"));
    CHECK(list.add("fsname=").starts_with("fsname=:"));
    CHECK(list.add("subtype=a\\b").starts_with("subtype=a\\b:"));
    for (const char* wrong :
         {"max_read", "max_read=", "max_read=4095", "max_read=9k", "max_read=-1", "max_read=99999999999"}) {
        CHECK(list.add(wrong).starts_with(std::string(wrong) + ":"));
    }
}

TEST_CASE("kernel and helper are told the same of a mount", "[cli]") {
    const OptionList list = options_of("ro,allow_other,noexec,max_read=65536,fsname=a\\b");
    CHECK(list.for_kernel(7, 1000, 100) ==
          "fd=7,rootmode=40000,user_id=1000,group_id=100,allow_other,default_permissions,max_read=65536");
    CHECK(list.for_helper() == "ro,nosuid,nodev,noexec,allow_other,default_permissions,max_read=65536,fsname=a\\\\b,"
                               "subtype=vfsproto");
    CHECK(options_of("dev,suid,fsname=x").for_helper() == "rw,suid,dev,default_permissions,fsname=x,subtype=vfsproto");
}
