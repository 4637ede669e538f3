// SPDX-License-Identifier: BSD-2-Clause
// A temporary directory, served: every call goes through the bytes of a request.
#pragma once

#include "support/served.hpp"
#include "vfsproto/backends/passthrough.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace vfsproto::test {

namespace fs = std::filesystem;

class TemporaryDirectory {
public:
    TemporaryDirectory() {
        std::string name = (fs::temp_directory_path() / "vfsproto-passthrough-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
        path_ = name;
        fs::create_directory(path_ / "root");
        std::ofstream(path_ / "secret") << "outside";
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    // The served root lies below it, beside a file "secret" that no client may see.
    [[nodiscard]] fs::path outside() const { return path_; }
    [[nodiscard]] fs::path root() const { return path_ / "root"; }

private:
    fs::path path_;
};

struct PassthroughFixture {
    using Opcode = wire::Opcode;
    using Errno = abi::Errno;

    TemporaryDirectory directory;
    backends::Passthrough served;
    Served<backends::Passthrough> client{served};

    explicit PassthroughFixture(wire::InitFlags flags = wire::InitFlags::of(wire::InitFlag::setxattr_ext),
                                backends::PassthroughAccess access = backends::PassthroughAccess::read_write)
        : served(options(access)) {
        client.init(flags);
    }

    [[nodiscard]] backends::PassthroughOptions options(backends::PassthroughAccess access) const {
        backends::PassthroughOptions made;
        made.root = directory.root().string();
        made.access = access;
        return made;
    }
    [[nodiscard]] fs::path host(const std::string& name) const { return directory.root() / name; }
    void write_host(const std::string& name, const std::string& content) const {
        std::ofstream(host(name), std::ios::binary) << content;
    }
    [[nodiscard]] std::string read_host(const std::string& name) const {
        std::ifstream file(host(name), std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    [[nodiscard]] struct stat stat_host(const std::string& name) const {
        struct stat status{};
        if (::lstat(host(name).c_str(), &status) != 0) throw std::runtime_error("no " + name);
        return status;
    }

    // The calls tests make most. Those that return a number throw when the server says no.
    Answered lookup(std::uint64_t parent, std::string_view name) {
        return client.call<Opcode::lookup>(parent, {}, name);
    }
    std::uint64_t node(std::uint64_t parent, std::string_view name) {
        const Answered answer = lookup(parent, name);
        if (!answer.ok()) throw std::runtime_error("LOOKUP of " + std::string(name) + " failed");
        return answer.as<wire::EntryOut>().nodeid;
    }
    wire::Attr attributes(std::uint64_t nodeid) {
        return client.call<Opcode::getattr>(nodeid).as<wire::AttrOut>().attr;
    }
    void forget(std::uint64_t nodeid, std::uint64_t count = 1) { client.call<Opcode::forget>(nodeid, {count}); }
    Answered open(std::uint64_t nodeid, std::uint32_t flags) { return client.call<Opcode::open>(nodeid, {flags, 0}); }
    std::uint64_t handle(std::uint64_t nodeid, std::uint32_t flags) {
        const Answered answer = open(nodeid, flags);
        if (!answer.ok()) throw std::runtime_error("OPEN failed");
        return answer.as<wire::OpenOut>().fh;
    }
    std::uint64_t directory_handle(std::uint64_t nodeid) {
        const Answered answer = client.call<Opcode::opendir>(nodeid);
        if (!answer.ok()) throw std::runtime_error("OPENDIR failed");
        return answer.as<wire::OpenOut>().fh;
    }
    Answered create(std::uint64_t parent, std::string_view name, std::uint32_t flags = abi::kORdwr,
                    std::uint32_t mode = abi::kSIfreg | 0644) {
        wire::CreateIn in{};
        in.flags = flags | abi::kOCreat;
        in.mode = mode;
        return client.call<Opcode::create>(parent, in, name);
    }
    Answered read(std::uint64_t fh, std::uint64_t offset, std::uint32_t size) {
        return read(fh, offset, size, {16, size});
    }
    Answered read(std::uint64_t fh, std::uint64_t offset, std::uint32_t size,
                  const std::vector<std::size_t>& writable) {
        wire::ReadIn in{};
        in.fh = fh;
        in.offset = offset;
        in.size = size;
        return client.send(Message(Opcode::read).fixed(in), writable);
    }
    Answered write(std::uint64_t fh, std::uint64_t offset, std::string_view data, std::uint32_t flags = 0) {
        wire::WriteIn in{};
        in.fh = fh;
        in.offset = offset;
        in.size = static_cast<std::uint32_t>(data.size());
        in.write_flags = flags;
        return client.send(Message(Opcode::write).fixed(in).data(data));
    }
    // A WRITE of a file the client has open with O_APPEND. `split`: the sizes of the data's first segments.
    Answered append(std::uint64_t fh, std::uint64_t offset, std::string_view data,
                    const std::vector<std::size_t>& split = {}, std::uint32_t write_flags = 0) {
        wire::WriteIn in{};
        in.fh = fh;
        in.offset = offset;
        in.size = static_cast<std::uint32_t>(data.size());
        in.flags = O_WRONLY | O_APPEND;
        in.write_flags = write_flags;
        const Message message = Message(Opcode::write).fixed(in).data(data);
        std::vector<std::size_t> sizes{sizeof(wire::InHeader) + sizeof(in)};
        sizes.insert(sizes.end(), split.begin(), split.end());
        return client.send_parts(message.split(sizes));
    }
    void release(std::uint64_t fh) {
        wire::ReleaseIn in{};
        in.fh = fh;
        client.call<Opcode::release>(1, in);
    }
    template <Opcode Op> Answered read_directory(std::uint64_t fh, std::uint64_t offset, std::uint32_t size) {
        wire::ReadIn in{};
        in.fh = fh;
        in.offset = offset;
        in.size = size;
        return client.send(Message(Op).fixed(in), {16, size});
    }
};

struct Listed {
    std::string name;
    wire::Dirent dirent{};
    wire::EntryOut entry{}; // of READDIRPLUS
};

// Takes the records of a reply apart, checking their framing.
inline std::vector<Listed> records_of(const Bytes& bytes, bool plus) {
    std::vector<Listed> all;
    const std::size_t before = plus ? sizeof(wire::EntryOut) : 0;
    for (std::size_t at = 0; at < bytes.size();) {
        Listed one;
        if (bytes.size() - at < before + sizeof(wire::Dirent)) throw std::runtime_error("a record was cut");
        if (plus) std::memcpy(&one.entry, bytes.data() + at, sizeof(one.entry));
        std::memcpy(&one.dirent, bytes.data() + at + before, sizeof(one.dirent));
        const std::size_t name = at + before + sizeof(wire::Dirent);
        if (bytes.size() - name < one.dirent.namelen) throw std::runtime_error("a name was cut");
        one.name.assign(reinterpret_cast<const char*>(bytes.data()) + name, one.dirent.namelen);
        at = (name + one.dirent.namelen + 7) & ~std::size_t{7};
        all.push_back(one);
    }
    return all;
}

} // namespace vfsproto::test
