// SPDX-License-Identifier: BSD-2-Clause
#include "mount_subject.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace model {

using namespace vfsproto;
using namespace vfsproto::posix;
using namespace vfsproto::abi;

namespace {

std::string outcome(const Failure& failure) {
    if (!failure.happened()) return "ok";
    if (failure.errc != Errc::ok) return std::string("engine: ") + to_string(failure.errc);
    return abi::errno_name(failure.error);
}

std::string seen(const Attributes& attributes) {
    return fmt::format("ok {:o} links {} size {} owner {}:{}", attributes.mode, attributes.nlink,
                       is_directory(attributes.mode) ? 0 : attributes.size, attributes.uid, attributes.gid);
}

} // namespace

std::string MountSubject::on_names(const Operation& operation) {
    switch (operation.kind) {
    case Kind::mkdir: return outcome(mount_.mkdir(operation.path, operation.mode));
    case Kind::rmdir: return outcome(mount_.rmdir(operation.path));
    case Kind::unlink: return outcome(mount_.unlink(operation.path));
    case Kind::rename: return outcome(mount_.rename(operation.path, operation.path2, operation.flags));
    case Kind::link: return outcome(mount_.link(operation.path, operation.path2));
    case Kind::symlink: return outcome(mount_.symlink(operation.path, operation.path2));
    case Kind::readlink: {
        const auto target = mount_.readlink(operation.path);
        return target ? "ok " + *target : outcome(target.failure());
    }
    default: return list(operation.path);
    }
}

std::string MountSubject::list(const std::string& path) {
    const auto entries = mount_.list(path);
    if (!entries) return outcome(entries.failure());
    std::vector<std::string> names;
    for (const DirectoryEntry& entry : *entries) names.push_back(entry.name + ' ' + std::to_string(entry.type));
    std::sort(names.begin(), names.end());
    return fmt::format("ok {}", fmt::join(names, ","));
}

std::string MountSubject::on_attributes(const Operation& operation) {
    switch (operation.kind) {
    case Kind::truncate: return outcome(mount_.truncate(operation.path, operation.offset));
    case Kind::stat:
    case Kind::lstat: {
        const auto attributes =
            mount_.stat(operation.path, operation.kind == Kind::stat ? LastLink::follow : LastLink::keep);
        return attributes ? seen(*attributes) : outcome(attributes.failure());
    }
    case Kind::chmod: return outcome(mount_.chmod(operation.path, operation.mode));
    case Kind::set_times: {
        const SetTime atime{SetTime::Kind::at, static_cast<std::int64_t>(operation.offset), 5};
        const SetTime mtime{SetTime::Kind::at, static_cast<std::int64_t>(operation.length), 7};
        if (const Failure failure = mount_.set_times(operation.path, atime, mtime)) {
            return outcome(failure);
        }
        const auto attributes = mount_.stat(operation.path);
        if (!attributes) return outcome(attributes.failure());
        return fmt::format("ok {}.{} {}.{}", attributes->atime, attributes->atimensec, attributes->mtime,
                           attributes->mtimensec);
    }
    case Kind::set_xattr: {
        const std::vector<std::byte> value(operation.length % 200, std::byte{operation.fill});
        return outcome(mount_.set_xattr(operation.path, "user.model", value));
    }
    case Kind::get_xattr: {
        const auto value = mount_.get_xattr(operation.path, "user.model");
        return value ? "ok " + digest(value->data(), value->size()) : outcome(value.failure());
    }
    case Kind::remove_xattr: return outcome(mount_.remove_xattr(operation.path, "user.model"));
    default: {
        const auto names = mount_.list_xattrs(operation.path);
        if (!names) return outcome(names.failure());
        std::string joined;
        for (const std::string& name : *names) joined += name + '\0';
        return "ok " + digest(joined.data(), joined.size());
    }
    }
}

std::string MountSubject::on_open_file(const Operation& operation) {
    File& file = files_[operation.file];
    if (operation.kind == Kind::open) {
        if (file) static_cast<void>(mount_.close(std::exchange(file, File())).happened());
        auto opened = mount_.open_file(operation.path, operation.flags, operation.mode);
        if (!opened) return outcome(opened.failure());
        file = *std::move(opened);
        return "ok";
    }
    if (!file) return "not open";
    switch (operation.kind) {
    case Kind::close: return outcome(mount_.close(std::exchange(file, File())));
    case Kind::read: {
        std::vector<std::byte> data(operation.length);
        const auto count = mount_.read(file, data, operation.offset);
        return count ? "ok " + digest(data.data(), *count) : outcome(count.failure());
    }
    case Kind::write: {
        const std::vector<std::byte> data(operation.length, std::byte{operation.fill});
        const auto count = mount_.write(file, data, operation.offset);
        return count ? "ok " + std::to_string(*count) : outcome(count.failure());
    }
    case Kind::truncate_open: return outcome(mount_.truncate(file, operation.offset));
    case Kind::stat_open: {
        const auto attributes = mount_.stat(file);
        return attributes ? seen(*attributes) : outcome(attributes.failure());
    }
    case Kind::punch:
        return outcome(mount_.fallocate(file, kFallocPunchHole | kFallocKeepSize, operation.offset, operation.length));
    case Kind::seek_data:
    case Kind::seek_hole: {
        const auto found =
            mount_.seek(file, operation.offset, operation.kind == Kind::seek_data ? kSeekData : kSeekHole);
        return found ? "ok " + std::to_string(*found) : outcome(found.failure());
    }
    default: {
        File& to = files_[operation.file2];
        if (!to) return "not open";
        const auto copied = mount_.copy_range(file, operation.offset, to, operation.length, 5000);
        return copied ? "ok " + std::to_string(*copied) : outcome(copied.failure());
    }
    }
}

void MountSubject::add_tree(const std::string& path, std::string& out) {
    std::string listed = list(path.empty() ? "/" : path);
    if (listed.size() <= 3) return;
    listed.erase(0, 3);
    for (std::size_t from = 0; from <= listed.size();) {
        std::size_t end = listed.find(',', from);
        if (end == std::string::npos) end = listed.size();
        const std::string name = listed.substr(from, listed.find(' ', from) - from);
        from = end + 1;
        const std::string child = path + '/' + name;
        const auto attributes = mount_.stat(child, LastLink::keep);
        if (!attributes) {
            out += child + ' ' + outcome(attributes.failure()) + '\n';
            continue;
        }
        out += child + ' ' + seen(*attributes);
        if (is_regular(attributes->mode)) {
            auto file = mount_.open_file(child, kORdonly);
            std::vector<std::byte> data(attributes->size);
            const auto count = file ? mount_.read(*file, data, 0) : Expected<std::uint64_t>(file.failure());
            out += ' ' + (count ? digest(data.data(), *count) : outcome(count.failure()));
        }
        if (is_symlink(attributes->mode)) {
            const auto target = mount_.readlink(child);
            out += " ok " + (target ? *target : outcome(target.failure()));
        }
        out += '\n';
        if (is_directory(attributes->mode)) add_tree(child, out);
    }
}

std::string MountSubject::whole_tree() {
    std::string out;
    add_tree("", out);
    return out;
}

} // namespace model
