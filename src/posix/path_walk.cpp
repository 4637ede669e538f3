// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/path_walk.hpp"

#include "vfsproto/fuse/client/operations/attributes.hpp"
#include "vfsproto/fuse/client/operations/names.hpp"

namespace vfsproto::posix {

using wire::Errno;
using namespace wire::linux_abi;

bool PathWalk::found_link() const noexcept { return (attributes_.mode & kSIfmt) == kSIflnk; }

Failure PathWalk::to_parent(std::string_view path) {
    links_ = 0;
    stack_.clear();
    stack_.push_back(keeper_.root());
    Failure failure = walk(path);
    if (failure.error != Errno::estale) return failure;
    // Something was replaced behind our back: once more from the root.
    stack_.clear();
    stack_.push_back(keeper_.root());
    return walk(path);
}

// From the directory on top of the stack. Leaves the last name in name_.
Failure PathWalk::walk(std::string_view given) {
    if (given.empty()) return Errno::enoent;
    if (given.size() > kPathMax) return Errno::enametoolong;
    std::string rest(given); // a link's target is put in front of what is left
    node_.reset();
    name_.clear();
    must_be_directory_ = false;
    std::size_t at = 0;
    if (rest[0] == '/') stack_.resize(1);
    for (;;) {
        while (at < rest.size() && rest[at] == '/') ++at;
        if (at == rest.size()) return {};
        std::size_t end = rest.find('/', at);
        if (end == std::string::npos) end = rest.size();
        const std::string name = rest.substr(at, end - at);
        at = end;
        while (at < rest.size() && rest[at] == '/') ++at;
        if (name == ".") continue;
        if (name == "..") {
            if (stack_.size() > 1) stack_.pop_back();
            continue;
        }
        if (at == rest.size()) {
            name_ = name;
            must_be_directory_ = end != rest.size();
            return {};
        }
        if (Failure failure = look_up(name); failure.happened()) return failure;
        if (found_link()) {
            std::string target;
            if (Failure failure = read_link(target); failure.happened()) return failure;
            if (target.size() + (rest.size() - at) > kPathMax) return Errno::enametoolong;
            if (target[0] == '/') stack_.resize(1);
            rest = target + '/' + rest.substr(at);
            at = 0;
            continue;
        }
        if ((attributes_.mode & kSIfmt) != kSIfdir) return Errno::enotdir;
        stack_.push_back(std::move(node_));
    }
}

Failure PathWalk::look_up(const std::string& name) {
    for (int attempt = 0;; ++attempt) {
        client::Lookup lookup;
        lookup.call.name = name;
        channel_.run(lookup, parent().nodeid());
        if (lookup.succeeded()) {
            node_ = keeper_.count(lookup.call.reply);
            attributes_ = lookup.call.reply.attr;
            return {};
        }
        // The server is out of descriptors, and we are what holds them.
        const bool exhausted = lookup.error() == Errno::emfile || lookup.error() == Errno::enfile;
        if (attempt != 0 || !exhausted || keeper_.idle() == 0) return failure_of(lookup);
        keeper_.prune();
    }
}

Failure PathWalk::read_link(std::string& target) {
    if (++links_ > kMaxLinks) return Errno::eloop;
    target.resize(kPathMax + 1);
    client::ReadLink read;
    read.call.data_out = {reinterpret_cast<std::byte*>(target.data()), static_cast<std::uint32_t>(target.size()), {}};
    channel_.run(read, node_.nodeid());
    if (!read.succeeded()) return failure_of(read);
    target.resize(read.call.bytes);
    if (target.empty()) return Errno::enoent;
    if (target.find('\0') != std::string::npos) return Errc::protocol_violation;
    return {};
}

Failure PathWalk::look_up_last() {
    if (name_.empty()) {
        node_ = parent().clone();
        return get_attributes();
    }
    return look_up(name_);
}

Failure PathWalk::follow_found_link() {
    std::string target;
    if (Failure failure = read_link(target); failure.happened()) return failure;
    const bool directory = must_be_directory_;
    Failure failure = walk(target);
    must_be_directory_ = must_be_directory_ || directory;
    return failure;
}

Failure PathWalk::to_file(std::string_view path, LastLink last) {
    if (Failure failure = to_parent(path); failure.happened()) return failure;
    for (;;) {
        if (Failure failure = look_up_last(); failure.happened()) return failure;
        if (found_link() && (last == LastLink::follow || must_be_directory_)) {
            if (Failure failure = follow_found_link(); failure.happened()) return failure;
            continue;
        }
        if (must_be_directory_ && (attributes_.mode & kSIfmt) != kSIfdir) return Errno::enotdir;
        return {};
    }
}

Failure PathWalk::get_attributes() {
    client::GetAttributes get;
    channel_.run(get, node_.nodeid());
    if (!get.succeeded()) return failure_of(get);
    attributes_ = get.call.reply.attr;
    return {};
}

} // namespace vfsproto::posix
