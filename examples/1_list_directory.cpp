// SPDX-License-Identifier: BSD-2-Clause
// Files through an embedded server: no daemon, no virtual machine, no root. Lists a directory of the host (by default
// one it makes) the way a guest would see it.
#include "vfsproto/posix/mount.hpp"
#include "vfsproto/posix/open_device.hpp"

#include <cstdio>
#include <fstream>
#include <string>

int main(int argc, char** argv) {
    using namespace vfsproto;
    if (argc < 2) std::ofstream("hello.txt") << "hello, virtio-fs\n";
    const std::string uri = std::string("dir:") + (argc > 1 ? argv[1] : ".");

    posix::OpenedDevice device = posix::open_device(uri);
    if (!device.attachment) return std::fprintf(stderr, "%s\n", device.message.c_str()), 1;
    auto mount = posix::Mount::open(std::move(device.attachment));
    if (!mount) return std::fprintf(stderr, "%s\n", mount.failure().text().c_str()), 1;

    const auto entries = (*mount)->list("/");
    if (!entries) return std::fprintf(stderr, "%s\n", entries.failure().text().c_str()), 1;
    for (const posix::DirectoryEntry& entry : *entries) {
        std::printf("%10llu  %s\n", static_cast<unsigned long long>(entry.attributes.size), entry.name.c_str());
    }
    return 0;
}
