// SPDX-License-Identifier: BSD-2-Clause
// A file of a running virtiofsd, read without a virtual machine:
//   virtiofsd --socket-path=/run/vfs.sock … &      example /run/vfs.sock /etc/motd
// Without arguments it reads from the embedded server instead: only the URI differs.
#include "vfsproto/posix/mount.hpp"
#include "vfsproto/posix/open_device.hpp"

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
    using namespace vfsproto;
    if (argc < 3) std::ofstream("motd") << "a file of the embedded server\n";
    const std::string uri = argc < 3 ? "dir:." : std::string("vhost-user:") + argv[1];
    const std::string path = argc < 3 ? "/motd" : argv[2];

    posix::OpenedDevice device = posix::open_device(uri);
    if (!device.attachment) return std::fprintf(stderr, "%s\n", device.message.c_str()), 1;
    auto mount = posix::Mount::open(std::move(device.attachment));
    if (!mount) return std::fprintf(stderr, "%s\n", mount.failure().text().c_str()), 1;

    auto file = (*mount)->open_file(path, abi::kORdonly);
    if (!file) return std::fprintf(stderr, "%s: %s\n", path.c_str(), file.failure().text().c_str()), 1;
    std::vector<std::byte> piece(64 * 1024);
    for (std::uint64_t at = 0;;) {
        const auto count = (*mount)->read(*file, piece, at);
        if (!count) return std::fprintf(stderr, "%s: %s\n", path.c_str(), count.failure().text().c_str()), 1;
        if (*count == 0) return 0;
        std::fwrite(piece.data(), 1, *count, stdout);
        at += *count;
    }
}
