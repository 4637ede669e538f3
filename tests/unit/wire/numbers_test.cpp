// SPDX-License-Identifier: BSD-2-Clause
// Our numbers against those of a Linux host, and the names people read.
#include "support/catch.hpp"
#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/fuse/wire/detail/trace.hpp"
#include "vfsproto/fuse/wire/init_flags.hpp"
#include "vfsproto/fuse/wire/validate.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <sys/sysmacros.h>

using namespace vfsproto;
using namespace vfsproto::abi;
using namespace vfsproto::wire;

TEST_CASE("error numbers, names and texts are those of Linux", "[wire]") {
    for (int number = 1; number <= kMaxErrno; ++number) {
        if (number == 41 || number == 58) continue; // unassigned
        INFO(number);
        const auto error = static_cast<Errno>(number);
        CHECK(has_name(error));
        CHECK(std::string(errno_name(error)) == strerrorname_np(number));
        CHECK(std::string(errno_text(error)) == strerrordesc_np(number));
    }
    CHECK(static_cast<int>(Errno::enosys) == ENOSYS);
    CHECK(static_cast<int>(Errno::ehwpoison) == EHWPOISON);
    for (const int number : {-1, 41, 58, 134}) CHECK_FALSE(has_name(Errno{number}));
    CHECK(std::string(errno_name(Errno{41})) == "E???");
    CHECK(std::string(errno_name(Errno{-1})) == "E???");
    CHECK(std::string(errno_text(Errno{134})) == "Unknown error");
}

TEST_CASE("modes, flags and device numbers are those of Linux", "[wire]") {
    CHECK(abi::kSIfdir == S_IFDIR);
    CHECK(abi::kSIfsock == S_IFSOCK);
    CHECK(abi::kOCreat == O_CREAT);
    CHECK(abi::kOTrunc == O_TRUNC);
    CHECK(abi::kOAppend == O_APPEND);
#if defined(__x86_64__)
    CHECK(abi::kODirectory == O_DIRECTORY);
    CHECK(abi::kONofollow == O_NOFOLLOW);
    CHECK(abi::kOSync == O_SYNC);
#endif
    for (const unsigned minor : {0u, 1u, 255u, 256u, 0xfffffu}) {
        const u32 rdev = abi::encode_device(0xabc, minor);
        CHECK(abi::device_major(rdev) == 0xabc);
        CHECK(abi::device_minor(rdev) == minor);
        CHECK(rdev == static_cast<u32>(makedev(0xabc, minor)));
    }
}

TEST_CASE("every operation and INIT flag has a name", "[wire]") {
    CHECK(std::string(op_name(15)) == "READ");
    CHECK(std::string(op_name(Opcode::copy_file_range_64)) == "COPY_FILE_RANGE_64");
    CHECK(std::string(op_name(7)) == "UNKNOWN");
    CHECK(std::string(op_name(0xffffffff)) == "UNKNOWN");
    for (unsigned bit = 0; bit <= static_cast<unsigned>(InitFlag::request_timeout); ++bit) {
        CHECK(init_flag_name(bit) != nullptr);
    }
    CHECK(std::string(init_flag_name(static_cast<unsigned>(InitFlag::max_pages))) == "MAX_PAGES");
    CHECK(std::string(init_flag_name(static_cast<unsigned>(InitFlag::has_resend))) == "HAS_RESEND");
    CHECK(init_flag_name(43) == nullptr);
}

TEST_CASE("the second word of INIT flags counts only with INIT_EXT", "[wire]") {
    const u32 ext = 1u << 30;
    CHECK(init_flags_from_words(ext | 1, 1).has(InitFlag::security_ctx));
    CHECK_FALSE(init_flags_from_words(1, 1).has(InitFlag::security_ctx));
    const auto flags = InitFlags::of(InitFlag::init_ext, InitFlag::has_resend);
    CHECK(flags.low_word() == ext);
    CHECK(flags.high_word() == 1u << 7);
}

TEST_CASE("attributes without a file type or with a negative size are violations", "[wire]") {
    for (u32 type = 0; type < 16; ++type) {
        const bool legal = type == 1 || type == 2 || type == 4 || type == 6 || type == 8 || type == 10 || type == 12;
        Attr attr{};
        attr.mode = type << 12 | 0644;
        CHECK((check_attr(attr) == Errc::ok) == legal);
    }
    Attr attr{};
    attr.mode = abi::kSIfreg;
    attr.size = 0x7fffffffffffffff;
    CHECK(check_attr(attr) == Errc::ok);
    ++attr.size;
    CHECK(check_attr(attr) == Errc::protocol_violation);
}

TEST_CASE("node ids 0 and 1 are refused where they make no sense", "[wire]") {
    EntryOut entry{};
    entry.attr.mode = abi::kSIfreg;
    CHECK(check_lookup_entry(entry) == Errc::ok);
    CHECK(check_new_entry(entry) == Errc::protocol_violation);
    CHECK(check_direntplus_entry(entry) == Errc::ok);
    entry.nodeid = 1;
    CHECK(check_lookup_entry(entry) == Errc::protocol_violation);
    CHECK(check_new_entry(entry) == Errc::protocol_violation);
    entry.nodeid = 2;
    CHECK(check_lookup_entry(entry) == Errc::ok);
    CHECK(check_new_entry(entry) == Errc::ok);
    CHECK(check_new_entry(entry, abi::kSIfreg) == Errc::ok);
    CHECK(check_new_entry(entry, abi::kSIfdir) == Errc::protocol_violation);
    entry.attr.mode = 0;
    CHECK(check_lookup_entry(entry) == Errc::protocol_violation);
    CHECK(check_direntplus_entry(entry) == Errc::protocol_violation);
}
