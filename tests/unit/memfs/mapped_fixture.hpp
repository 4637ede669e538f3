// SPDX-License-Identifier: BSD-2-Clause
// A file system in memory with a shared memory window of a few pages.
#pragma once

#include "direct_calls.hpp"
#include "support/bad_mappings.hpp"
#include "support/window_bytes.hpp"

#include <cstring>
#include <memory>

namespace vfsproto::test {

struct MappedMemory {
    explicit MappedMemory(backends::MemfsOptions options = {}) : fs(with_window(std::move(options))) {}

    backends::MemfsOptions with_window(backends::MemfsOptions options) const {
        options.window = window;
        return options;
    }
    // Places are counted in pages.
    Errno map(u64 nodeid, u64 file_page, u64 pages, u64 flags, u64 window_page) {
        const wire::SetupmappingIn in{~u64{0}, file_page * kPage, pages * kPage, flags, window_page * kPage};
        return client.call<Opcode::setupmapping>(nodeid, in).error;
    }
    Errno remove(const std::vector<wire::RemovemappingOne>& entries) {
        const auto bytes = std::as_bytes(std::span(entries));
        const wire::RemovemappingIn in{static_cast<u32>(entries.size())};
        return client.call<Opcode::removemapping>(0, in, {.data = Bytes(bytes.begin(), bytes.end())}).error;
    }
    Errno unmap(u64 window_page, u64 pages) { return remove({{window_page * kPage, pages * kPage}}); }
    Errno resize(u64 nodeid, u64 size) {
        wire::SetattrIn in{};
        in.valid = wire::kSetattrSize;
        in.size = size;
        return client.call<Opcode::setattr>(nodeid, in).error;
    }
    Errno unlink(wire::Name name) { return client.call<Opcode::unlink>(1, {}, {.name = name}).error; }

    // A byte of the window, and a text to write there.
    [[nodiscard]] char at(std::size_t offset) const { return static_cast<char>(window->bytes()[offset]); }
    [[nodiscard]] bool is_there(std::size_t page) const { return test::is_there(*window, page * kPage); }
    void put(std::size_t offset, std::string_view text) const {
        std::memcpy(window->bytes().data() + offset, text.data(), text.size());
    }

    std::shared_ptr<backends::SharedWindow> window = backends::SharedWindow::create(kPages * kPage, 12);
    Memfs fs;
    Client client{fs};
};

// Maps a memory file system that has one file.
struct MappedMemoryFile : MappedMemory {
    explicit MappedMemoryFile(backends::MemfsOptions options = {}) : MappedMemory(std::move(options)) {}

    std::string read(u64 offset, u32 size) { return client.read(node, fh, offset, size); }
    u32 write(u64 offset, std::string_view text) { return client.write(node, fh, offset, text); }
    Errno allocate(u32 mode, u64 offset, u64 length) {
        return client.call<Opcode::fallocate>(node, {fh, offset, length, mode, 0}).error;
    }
    [[nodiscard]] u64 blocks() { return client.attr(node).blocks / (kPage / 512); }

    wire::CreateOut made = client.create(1, "f");
    u64 node = made.entry.nodeid;
    u64 fh = made.open.fh;
};

} // namespace vfsproto::test
