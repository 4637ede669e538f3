// SPDX-License-Identifier: BSD-2-Clause
// AsyncMount: walks, and what is done with where they lead.
#include "vfsproto/posix/async_mount.hpp"

#include "name_requests.hpp"
#include "path_requests.hpp"

namespace vfsproto::posix {

using wire::Errno;

AsyncMount::Steps<Failure> AsyncMount::walk(PathSteps& steps) {
    for (;;) {
        switch (steps.want()) {
        case PathSteps::Want::lookup: {
            client::Lookup lookup;
            lookup.call.name = steps.name();
            co_await run(lookup, steps.nodeid());
            take(steps, lookup);
            break;
        }
        case PathSteps::Want::readlink: {
            ReadTarget read;
            co_await run(read.operation, steps.nodeid());
            take(steps, read);
            break;
        }
        case PathSteps::Want::attributes: {
            client::GetAttributes get;
            co_await run(get, steps.nodeid());
            take(steps, get);
            break;
        }
        case PathSteps::Want::arrived: co_return Failure();
        case PathSteps::Want::failed: co_return steps.failure();
        }
    }
}

AsyncMount::Steps<Answer<Attributes>> AsyncMount::stat_steps(std::string path, LastLink last) {
    PathSteps at(mount_.cache_);
    at.to_file(path, last);
    Answer<Attributes> answer;
    answer.failure = co_await walk(at);
    if (!answer.failure.happened()) answer.value = at.attributes();
    co_return answer;
}

AsyncMount::Steps<Answer<std::string>> AsyncMount::readlink_steps(std::string path) {
    PathSteps at(mount_.cache_);
    at.to_file(path, LastLink::keep);
    Answer<std::string> answer;
    answer.failure = co_await walk(at);
    if (!answer.failure.happened() && !at.found_link()) answer.failure = Errno::einval;
    if (answer.failure.happened()) co_return answer;
    ReadTarget read;
    co_await run(read.operation, at.node().nodeid());
    answer.failure = failure_of(read.operation);
    if (!answer.failure.happened()) answer.value = read.target();
    co_return answer;
}

AsyncMount::Steps<Answer<wire::Kstatfs>> AsyncMount::statfs_steps(std::string path) {
    PathSteps at(mount_.cache_);
    at.to_file(path, LastLink::follow);
    Answer<wire::Kstatfs> answer;
    answer.failure = co_await walk(at);
    if (answer.failure.happened()) co_return answer;
    client::FileSystemStatus status;
    co_await run(status, at.node().nodeid());
    answer.failure = failure_of(status);
    if (!answer.failure.happened()) answer.value = status.call.reply;
    co_return answer;
}

AsyncMount::Steps<Failure> AsyncMount::mkdir_steps(std::string path, std::uint32_t mode) {
    PathSteps at(mount_.cache_);
    at.to_parent(path);
    Failure failure = co_await walk(at);
    if (!failure.happened()) failure = check_makeable(at);
    if (failure.happened()) co_return failure;
    client::MakeDirectory make;
    prepare(make, mount_.channel().params(), at.name(), mode, mount_.umask_);
    co_await run(make, at.parent().nodeid());
    if (make.succeeded()) mount_.cache_.count(make.call.reply);
    co_return failure_of(make);
}

AsyncMount::Steps<Failure> AsyncMount::symlink_steps(std::string target, std::string path) {
    Failure failure = check_target(target);
    if (failure.happened()) co_return failure;
    PathSteps at(mount_.cache_);
    at.to_parent(path);
    failure = co_await walk(at);
    if (!failure.happened()) failure = check_makeable(at);
    if (failure.happened()) co_return failure;
    if (at.must_be_directory()) {
        at.look_up_last();
        failure = co_await walk(at);
        co_return why_not_with_slash(failure);
    }
    client::MakeSymlink make;
    prepare(make, at.name(), target);
    co_await run(make, at.parent().nodeid());
    if (make.succeeded()) mount_.cache_.count(make.call.reply);
    co_return failure_of(make);
}

AsyncMount::Steps<Failure> AsyncMount::rmdir_steps(std::string path) {
    PathSteps at(mount_.cache_);
    at.to_parent(path);
    Failure failure = co_await walk(at);
    if (!failure.happened()) failure = check_directory_removable(at);
    if (failure.happened()) co_return failure;
    at.look_up_last();
    failure = co_await walk(at);
    if (failure.happened()) co_return failure;
    client::RemoveDirectory remove;
    remove.call.name = at.name();
    co_await run(remove, at.parent().nodeid());
    co_return failure_of(remove);
}

// Looked up first: see Mount::unlink().
AsyncMount::Steps<Failure> AsyncMount::unlink_steps(std::string path) {
    PathSteps at(mount_.cache_);
    at.to_parent(path);
    Failure failure = co_await walk(at);
    if (!failure.happened()) failure = check_unlinkable(at);
    if (failure.happened()) co_return failure;
    at.look_up_last();
    failure = co_await walk(at);
    if (!failure.happened()) failure = check_found_unlinkable(at);
    if (failure.happened()) co_return failure;
    client::RemoveFile remove;
    remove.call.name = at.name();
    co_await run(remove, at.parent().nodeid());
    if (remove.succeeded() && at.attributes().nlink <= 1) at.node().reset_unlinked();
    co_return failure_of(remove);
}

AsyncMount::Steps<Failure> AsyncMount::rename_steps(std::string from, std::string to, std::uint32_t flags) {
    PathSteps source(mount_.cache_);
    source.to_parent(from);
    Failure failure = co_await walk(source);
    if (failure.happened()) co_return failure;
    PathSteps target(mount_.cache_);
    target.to_parent(to);
    failure = co_await walk(target);
    if (!failure.happened()) failure = check_renameable(source);
    if (!failure.happened()) failure = check_rename_target(target, flags);
    if (failure.happened()) co_return failure;
    source.look_up_last();
    failure = co_await walk(source);
    if (failure.happened()) co_return failure;
    Failure looked;
    if (is_target_looked_up(source, target, flags)) {
        target.look_up_last();
        looked = co_await walk(target);
    }
    failure = check_found_renameable(source, target, flags, looked);
    if (failure.happened()) co_return failure;
    if (flags == 0) {
        client::Rename rename;
        prepare(rename, source, target);
        co_await run(rename, source.parent().nodeid());
        co_return failure_of(rename);
    }
    client::RenameWithFlags rename;
    prepare(rename, source, target, flags);
    co_await run(rename, source.parent().nodeid());
    co_return failure_of(rename);
}

AsyncMount::Steps<Failure> AsyncMount::truncate_steps(std::string path, std::uint64_t size) {
    PathSteps at(mount_.cache_);
    at.to_file(path, LastLink::follow);
    Failure failure = co_await walk(at);
    if (!failure.happened() && wire::linux_abi::is_directory(at.attributes().mode)) failure = Errno::eisdir;
    if (failure.happened()) co_return failure;
    wire::SetattrIn in{};
    in.size = size;
    failure = co_await set_size(at.node().nodeid(), in);
    co_return failure;
}

} // namespace vfsproto::posix
