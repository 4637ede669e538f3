// SPDX-License-Identifier: BSD-2-Clause
// AsyncMount: walks, and what is done with where they lead.
#include "async_steps.hpp"
#include "attribute_steps.hpp"
#include "path_requests.hpp"

namespace vfsproto::posix {

NameContext AsyncMount::names() noexcept { return mount_.names(); }

AsyncMount::Steps<Failure> AsyncMount::walk(MountCall& call, PathSteps& steps) {
    const auto held = [&steps] { return steps.held(); };
    for (;;) {
        if (steps.answer_from_cache()) continue;
        switch (steps.want()) {
        case PathSteps::Want::lookup: {
            client::Lookup lookup;
            lookup.call.name = steps.name();
            co_await run(call, held, lookup, steps.nodeid());
            take(steps, lookup);
            break;
        }
        case PathSteps::Want::readlink: {
            ReadTarget read;
            co_await run(call, held, read.operation, steps.nodeid());
            take(steps, read);
            break;
        }
        case PathSteps::Want::attributes: {
            client::GetAttributes get;
            co_await run(call, held, get, steps.nodeid());
            take(steps, get);
            break;
        }
        case PathSteps::Want::access_list: {
            ReadAccessList read(call.channel().max_bounced());
            co_await run(call, held, read.operation, steps.nodeid());
            take(steps, read);
            break;
        }
        case PathSteps::Want::arrived: co_return Failure();
        case PathSteps::Want::failed: co_return steps.failure();
        }
    }
}

AsyncMount::Steps<void> AsyncMount::run_steps(MountCall& call, NameSteps& steps) {
    const auto held = [&steps] { return steps.held(); };
    for (;;) {
        switch (steps.want()) {
        case NameSteps::Want::walk: {
            const Failure failure = co_await walk(call, steps.path());
            steps.handle_walked(failure);
            break;
        }
        case NameSteps::Want::request: {
            WantedRequest request = steps.request();
            co_await run(call, held, request);
            steps.handle_answered();
            break;
        }
        case NameSteps::Want::finished: co_return;
        }
    }
}

AsyncMount::Steps<Expected<Attributes>> AsyncMount::stat_steps(std::string path, LastLink last) {
    return ask<StatSteps>(std::move(path), last);
}

AsyncMount::Steps<Expected<wire::Statx>> AsyncMount::statx_steps(std::string path, LastLink last) {
    return ask<StatxSteps>(std::move(path), last);
}

AsyncMount::Steps<Failure> AsyncMount::access_steps(std::string path, std::uint32_t mask) {
    return perform<AccessSteps>(std::move(path), mask);
}

AsyncMount::Steps<Expected<std::string>> AsyncMount::readlink_steps(std::string path) {
    return ask<ReadLinkSteps>(std::move(path));
}

AsyncMount::Steps<Expected<wire::Kstatfs>> AsyncMount::statfs_steps(std::string path) {
    return ask<StatfsSteps>(std::move(path));
}

AsyncMount::Steps<Failure> AsyncMount::mkdir_steps(std::string path, std::uint32_t mode) {
    return perform<MakeDirectorySteps>(std::move(path), mode);
}

AsyncMount::Steps<Failure> AsyncMount::mknod_steps(std::string path, std::uint32_t mode, std::uint32_t rdev) {
    return perform<MakeNodeSteps>(std::move(path), mode, rdev);
}

AsyncMount::Steps<Failure> AsyncMount::symlink_steps(std::string target, std::string path) {
    return perform<MakeSymlinkSteps>(std::move(target), std::move(path));
}

AsyncMount::Steps<Failure> AsyncMount::link_steps(std::string existing, std::string path) {
    return perform<MakeLinkSteps>(std::move(existing), std::move(path));
}

AsyncMount::Steps<Failure> AsyncMount::rmdir_steps(std::string path) {
    return perform<RemoveDirectorySteps>(std::move(path));
}

AsyncMount::Steps<Failure> AsyncMount::unlink_steps(std::string path) {
    return perform<RemoveFileSteps>(std::move(path));
}

AsyncMount::Steps<Failure> AsyncMount::rename_steps(std::string from, std::string to, std::uint32_t flags) {
    return perform<RenameSteps>(std::move(from), std::move(to), flags);
}

AsyncMount::Steps<Failure> AsyncMount::chmod_steps(std::string path, std::uint32_t mode) {
    return perform<ChangeModeSteps>(std::move(path), mode);
}

AsyncMount::Steps<Failure> AsyncMount::chown_steps(std::string path, std::optional<std::uint32_t> uid,
                                                   std::optional<std::uint32_t> gid, LastLink last) {
    return perform<SetAttributesSteps>(std::move(path), owner_in(uid, gid), last);
}

AsyncMount::Steps<Failure> AsyncMount::truncate_steps(std::string path, std::uint64_t size) {
    return perform<SetAttributesSteps>(std::move(path), size_in(size), LastLink::follow);
}

AsyncMount::Steps<Failure> AsyncMount::set_times_steps(std::string path, SetTime atime, SetTime mtime, LastLink last) {
    return perform<SetAttributesSteps>(std::move(path), times_in(atime, mtime), last);
}

AsyncMount::Steps<Expected<Attributes>> AsyncMount::set_attributes_steps(std::string path, wire::SetattrIn what,
                                                                         LastLink last) {
    return ask<SetAttributesSteps>(std::move(path), what, last);
}

AsyncMount::Steps<Expected<std::vector<std::byte>>> AsyncMount::get_xattr_steps(std::string path, std::string name,
                                                                                LastLink last) {
    return ask<GetXattrSteps>(std::move(path), std::move(name), last);
}

AsyncMount::Steps<Failure> AsyncMount::set_xattr_steps(std::string path, XattrValue value, LastLink last) {
    SetXattrSteps steps(names(), path, {value.name, value.bytes, value.space}, last);
    MountCall call = mount_.begin_call();
    co_await run_steps(call, steps);
    co_return steps.failure();
}

AsyncMount::Steps<Expected<std::vector<std::string>>> AsyncMount::list_xattrs_steps(std::string path, LastLink last) {
    return ask<ListXattrsSteps>(std::move(path), last);
}

AsyncMount::Steps<Failure> AsyncMount::remove_xattr_steps(std::string path, std::string name, LastLink last) {
    return perform<RemoveXattrSteps>(std::move(path), std::move(name), last);
}

} // namespace vfsproto::posix
