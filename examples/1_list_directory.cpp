// SPDX-License-Identifier: BSD-2-Clause
// Shows files through an embedded server: no daemon, no virtual machine, no root. Lists a directory of the host (by default
// one it makes) the way a guest would see it, and prints one file of it.
#include "vfsproto/posix/mount.hpp"
#include "vfsproto/posix/open_device.hpp"

#include <array>
#include <cstdio>
#include <fstream>
#include <string>

using namespace vfsproto;

int main(int argc, char** argv) {
    if (argc < 3) std::ofstream("hello.txt") << "hello, virtio-fs\n";
    const std::string uri = std::string("dir:") + (argc < 3 ? "." : argv[1]);
    const std::string path = argc < 3 ? "/hello.txt" : argv[2];

    // [README.md shows what follows]
    const auto fail = [](const std::string& why) { return std::fprintf(stderr, "%s\n", why.c_str()), 1; };
    posix::OpenedDevice device = posix::open_device(uri); // dir:PATH, vhost-user:SOCKET or vfio:auto
    if (!device.attachment) return fail(device.message);
    auto mount = posix::Mount::open(std::move(device.attachment));
    if (!mount) return fail(mount.failure().text());

    const auto entries = (*mount)->list("/");
    if (!entries) return fail(entries.failure().text());
    for (const posix::DirectoryEntry& entry : *entries) std::printf("%s\n", entry.name.c_str());

    const auto file = (*mount)->open_file(path, abi::kORdonly);
    if (!file) return fail(file.failure().text()); // "No such file or directory (ENOENT)"
    std::array<std::byte, 4096> bytes;
    const auto count = (*mount)->read(*file, bytes, 0);
    if (!count) return fail(count.failure().text());
    std::fwrite(bytes.data(), 1, *count, stdout);
    // [end]
    return 0;
}
