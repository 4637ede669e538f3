// SPDX-License-Identifier: BSD-2-Clause
// No operating system: finds a virtio-fs device, lists its root directory, reads the file "input" and prints its CRC-32
// on the serial line, writes the same bytes to "output", and powers the machine off.
#include "pci_function.hpp"
#include "share.hpp"

#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/fuse/client/operations/directories.hpp"
#include "vfsproto/fuse/client/operations/names.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"
#include "vfsproto/transport/virtio_mmio.hpp"

using namespace vfsproto;
using host::print;

namespace {

constexpr std::uint64_t kRoot = 1;
constexpr std::span<const char> kInput{"input", 5};
constexpr std::span<const char> kOutput{"output", 6};

// The one of Ethernet and zip.
class Crc32 {
public:
    void add(std::span<const std::byte> bytes) noexcept {
        for (const std::byte byte : bytes) {
            sum_ ^= static_cast<std::uint32_t>(byte);
            for (int bit = 0; bit < 8; ++bit) sum_ = sum_ >> 1 ^ (0xedb88320u & (0u - (sum_ & 1)));
        }
    }
    [[nodiscard]] std::uint32_t value() const noexcept { return ~sum_; }

private:
    std::uint32_t sum_ = 0xffffffff;
};

void require(bool succeeded, const client::Operation& operation, const char* what) noexcept {
    if (succeeded) return;
    print("error ");
    host::print_number(static_cast<std::uint64_t>(operation.error()));
    print("\n");
    host::fail(what, "the server said no");
}

void list(Share& share, const Region& buffer) noexcept {
    client::OpenDirectory open;
    require(share.run(open, kRoot, abi::kORdonly), open, "opening the root directory");
    std::uint64_t cookie = 0;
    for (;;) {
        client::ReadDirectory read;
        require(share.run(read, client::ReadDirectory::Place{kRoot, open.result().fh, cookie}, buffer.bytes(),
                          client::DirectoryFormat::dirents),
                read, "reading the root directory");
        if (read.bytes() == 0) break;
        wire::DirentReader records(buffer.bytes().first(read.bytes()));
        while (records.next()) {
            const wire::DirEntry& entry = records.entry();
            cookie = entry.next;
            print("entry ");
            print(entry.name.data(), entry.name.size());
            print("\n");
        }
        if (records.error() != Errc::ok) host::fail("a directory record", to_string(records.error()));
    }
    client::ReleaseDirectory release;
    release.call.args.fh = open.result().fh;
    if (open.owes_release()) require(share.run(release, kRoot), release, "closing the root directory");
}

void close(Share& share, std::uint64_t nodeid, std::uint64_t fh) noexcept {
    client::Flush flush;
    flush.call.args.fh = fh;
    require(share.run(flush, nodeid), flush, "flushing");
    client::Release release;
    release.call.args.fh = fh;
    require(share.run(release, nodeid), release, "closing");
}

void copy(Share& share, const Region& buffer) noexcept {
    client::Lookup input;
    input.call.name = kInput;
    require(share.run(input, kRoot), input, "looking for input");
    client::OpenFile from;
    require(share.run(from, input.call.reply.nodeid, abi::kORdonly), from, "opening input");
    constexpr std::uint32_t kFlags = abi::kOWronly | abi::kOCreat | abi::kOTrunc;
    client::CreateFile to;
    require(share.run(to, kRoot, client::CreateFile::NewFile{kOutput, kFlags, 0644, 022}), to, "creating output");

    // The device reads and writes the buffer itself: nothing is copied on the way.
    client::TransferSpan in;
    in.nodeid = input.call.reply.nodeid;
    in.fh = from.result().fh;
    in.host = buffer.host();
    in.len = buffer.size();
    in.lies_in(buffer);
    client::TransferSpan out = in;
    out.nodeid = to.entry().nodeid;
    out.fh = to.result().fh;
    Crc32 sum;
    for (;;) {
        client::ReadFile read;
        require(share.run(read, in), read, "reading");
        if (read.done() == 0) break;
        sum.add(buffer.bytes().first(read.done()));
        out.len = read.done();
        client::WriteFile write;
        require(share.run(write, out), write, "writing");
        if (write.done() != out.len) host::fail("writing", "not all of it was taken");
        in.offset = out.offset += write.done();
    }
    close(share, in.nodeid, in.fh);
    close(share, out.nodeid, out.fh);
    share.forget(in.nodeid);
    share.forget(out.nodeid);
    print("input: ");
    host::print_number(in.offset);
    print(" bytes, crc32 ");
    host::print_hex(sum.value());
    print("\n");
}

[[noreturn]] void use(Transport& transport) noexcept {
    const std::uint64_t begun = machine::microseconds();
    Share share(transport);
    share.mount();
    print("mounted ");
    print(share.config().tag);
    print("\n");
    const Region buffer = host::take_memory(256 * 1024);
    list(share, buffer);
    copy(share, buffer);
    share.unmount();
    print("done after ");
    host::print_number((machine::microseconds() - begun) / 1000);
    print(" ms\n");
    machine::power_off();
}

} // namespace

extern "C" [[noreturn]] void run() noexcept {
    host::Polled interrupts;
    host::Second patience;
    const char* why = "no device";
    for (unsigned slot = 0; slot < machine::kMmioSlots.count; ++slot) {
        const machine::MmioSlots& slots = machine::kMmioSlots;
        MappedRegisters registers = host::registers_at(slots.first + slot * slots.stride, slots.size);
        VirtioMmio transport(registers, interrupts, patience);
        const auto id = transport.identify();
        if (id.error() == Errc::no_version_1) why = "no device, unless one of the legacy devices is it";
        if (id && *id == kVirtioFsDeviceId) use(transport);
    }
    host::PciFunction function;
    if (function.find(kVirtioPciVendor, kVirtioFsPciDevice)) {
        VirtioPciWindows windows;
        if (const Errc errc = function.map(windows); errc != Errc::ok) host::fail("virtio-pci", to_string(errc));
        VirtioPci transport(windows, interrupts, patience);
        use(transport);
    }
    host::fail("virtio-fs", why);
}
