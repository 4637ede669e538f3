// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>

namespace vfsproto::abi {

// Describes a file as stat(2) does. The order of the fields is that of FUSE's fuse_attr, so that FUSE copies it whole.
struct Attributes {
    std::uint64_t ino;
    std::uint64_t size;
    std::uint64_t blocks; // of 512 bytes
    std::uint64_t atime;  // seconds, to be read as signed
    std::uint64_t mtime;
    std::uint64_t ctime;
    std::uint32_t atimensec;
    std::uint32_t mtimensec;
    std::uint32_t ctimensec;
    std::uint32_t mode;
    std::uint32_t nlink;
    std::uint32_t uid;
    std::uint32_t gid;
    std::uint32_t rdev; // see encode_device()
    std::uint32_t blksize;
    std::uint32_t flags; // FUSE: wire::kAttrSubmount, wire::kAttrDax
};

} // namespace vfsproto::abi
