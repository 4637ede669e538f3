// SPDX-License-Identifier: BSD-2-Clause
// A file system of one's own: one overload of handle() for every operation it answers; what is left out is ENOSYS. This
// one holds a single file, and is mounted in the same process.
#include "vfsproto/backends/loopback.hpp"
#include "vfsproto/posix/mount.hpp"

#include <cstdio>
#include <cstring>
#include <string_view>

namespace {

using namespace vfsproto;
using wire::Opcode;

constexpr std::string_view kText = "served by thirty lines\n";
constexpr std::uint64_t kFile = 2;

class OneFile {
public:
    server::ServerOptions options() const noexcept { return {}; }
    void on_init(const server::ServerSession&) noexcept {}
    void on_destroy() noexcept {}

    void handle(const server::RequestOf<Opcode::lookup>& request, server::ReplyTo<Opcode::lookup>& reply) noexcept {
        if (request.header.nodeid != wire::kRootNodeId || !(request.name == wire::Name("hello"))) {
            return reply.error(abi::Errno::enoent);
        }
        wire::EntryOut entry{};
        entry.nodeid = kFile;
        entry.attr = attributes(kFile);
        reply.ok(entry);
    }
    void handle(const server::RequestOf<Opcode::getattr>& request, server::ReplyTo<Opcode::getattr>& reply) noexcept {
        wire::AttrOut out{};
        out.attr = attributes(request.header.nodeid);
        reply.ok(out);
    }
    void handle(const server::RequestOf<Opcode::read>& request, server::ReplyTo<Opcode::read>& reply) noexcept {
        const std::string_view rest =
            request.in.offset < kText.size() ? kText.substr(request.in.offset) : std::string_view();
        reply.data(std::as_bytes(std::span(rest.substr(0, request.in.size))));
    }

private:
    static wire::Attr attributes(std::uint64_t nodeid) noexcept {
        wire::Attr attr{};
        attr.ino = nodeid;
        attr.nlink = 1;
        attr.mode = nodeid == kFile ? abi::kSIfreg | 0444 : abi::kSIfdir | 0555;
        attr.size = nodeid == kFile ? kText.size() : 0;
        return attr;
    }
};

} // namespace

int main() {
    OneFile files;
    auto mount = posix::Mount::open(backends::make_loopback(files));
    if (!mount) return std::fprintf(stderr, "%s\n", mount.failure().text().c_str()), 1;
    // There is no handler for OPEN: the client is told once (ENOSYS) and goes on without.
    auto file = (*mount)->open_file("/hello", abi::kORdonly);
    if (!file) return std::fprintf(stderr, "%s\n", file.failure().text().c_str()), 1;
    char text[64] = {};
    const auto count = (*mount)->read(*file, std::as_writable_bytes(std::span(text)), 0);
    if (!count) return std::fprintf(stderr, "%s\n", count.failure().text().c_str()), 1;
    std::printf("%s", text);
    return *count == kText.size() ? 0 : 1;
}
