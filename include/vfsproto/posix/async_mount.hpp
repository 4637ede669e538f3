// SPDX-License-Identifier: BSD-2-Clause
// The calls of a Mount for Asio: each takes a completion token (a callback, use_future, use_awaitable, …) and ends in a
// call of its handler with a Failure and, where there is one, a value (empty when the failure happened).
//
// Include this header before any of Asio's own: it tells Boost 1.74 that the compiler has co_await (BOOST_ASIO_HAS_CO_AWAIT), and
// includes what Asio's coroutines use without saying so. CMake and pkg-config give that definition to the whole program.
//
// Example (tests/unit/posix/async_test.cpp):
//
//     const auto token = asio::use_awaitable;
//     Failure said = co_await files.mkdir("/dir", 0755, token);
//
// Handlers run on their associated executor, by default the one given here, and never inside the call that started them.
// A call once started runs to its end, or to the limits of the mount (Mount::limited_by()); their time counts from its start, and
// anew for each READDIR of list(). All that a call is given by reference (the file, the bytes) must stay until its handler
// runs; so must this object, the mount and the execution context. Where a limit ended the call, the server has the bytes of a Buffer
// for longer (Buffer::is_free()).
#pragma once

#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/detached_call.hpp"
#include "vfsproto/posix/detail/path_steps.hpp"
#include "vfsproto/posix/detail/rule.hpp"
#include "vfsproto/posix/mount.hpp"

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace vfsproto::posix {

// An extended attribute to set. `bytes` stay until the handler runs. It has a constructor because g++ 12 destroys an
// aggregate twice that is written with braces in a co_await expression.
struct XattrValue {
    XattrValue(std::string called, std::span<const std::byte> content, XattrSpace where = XattrSpace::create_or_replace)
        : name(std::move(called)), bytes(content), space(where) {}

    std::string name;
    std::span<const std::byte> bytes;
    XattrSpace space;
};

// A part of an open file, in bytes. The file stays until the handler runs.
struct FileRange {
    const File& file;
    std::uint64_t offset;
    std::uint64_t length = 0;
};

class NameSteps;

class AsyncMount {
public:
    using Executor = boost::asio::any_io_executor;

    AsyncMount(Mount& mount, Executor executor) : mount_(mount), executor_(std::move(executor)) {}
    // Every handler must have been called. Waits for threads that are still on their way out of the post of one of them:
    // after this the executor's context may be taken apart.
    ~AsyncMount() {
        VFSPROTO_RULE(outstanding() == 0, "an AsyncMount ended while a call of it was under way");
        while (counts_.posting.load(std::memory_order_acquire) != 0) std::this_thread::yield();
    }
    AsyncMount(const AsyncMount&) = delete;
    AsyncMount& operator=(const AsyncMount&) = delete;

    [[nodiscard]] const Executor& get_executor() const noexcept { return executor_; }
    // Calls under way. Any thread.
    [[nodiscard]] std::size_t outstanding() const noexcept {
        return counts_.outstanding.load(std::memory_order_acquire);
    }

    // Open files; as in Mount, where a count may be short. Signature: void(Failure, std::uint64_t bytes).
    template <class Token> auto read(const File& file, std::span<std::byte> into, std::uint64_t offset, Token&& token) {
        return transfer<wire::Opcode::read>(file, into, offset, std::forward<Token>(token));
    }
    template <class Token>
    auto write(const File& file, std::span<const std::byte> from, std::uint64_t offset, Token&& token) {
        // The pieces of a write only ever read from it.
        const std::span<std::byte> bytes(const_cast<std::byte*>(from.data()), from.size());
        return transfer<wire::Opcode::write>(file, bytes, offset, std::forward<Token>(token));
    }
    // These go on after a short count, as those of Mount do. Signatures: void(Failure, std::uint64_t bytes), void(Failure).
    template <class Token>
    auto read_all(const File& file, std::span<std::byte> into, std::uint64_t offset, Token&& token) {
        return launch(read_all_steps(file, into, offset), std::forward<Token>(token));
    }
    template <class Token>
    auto write_all(const File& file, std::span<const std::byte> from, std::uint64_t offset, Token&& token) {
        return launch(write_all_steps(file, from, offset), std::forward<Token>(token));
    }
    // void(Failure)
    template <class Token> auto flush(const File& file, Token&& token) {
        return launch(flush_steps(file), std::forward<Token>(token));
    }
    template <class Token> auto fsync(const File& file, std::uint32_t flags, Token&& token) {
        return launch(fsync_steps(file, flags), std::forward<Token>(token));
    }
    template <class Token> auto truncate(const File& file, std::uint64_t size, Token&& token) {
        return launch(truncate_steps(file, size), std::forward<Token>(token));
    }
    // FLUSH, whose failure is reported, and RELEASE, for which a mount with limits does not wait. A file that is merely destroyed
    // blocks for its RELEASE.
    template <class Token> auto close(File file, Token&& token) {
        return launch(close_steps(std::move(file)), std::forward<Token>(token));
    }
    template <class Token> auto set_times(const File& file, const SetTime& atime, const SetTime& mtime, Token&& token) {
        return launch(set_times_steps(file, atime, mtime), std::forward<Token>(token));
    }
    template <class Token>
    auto fallocate(const File& file, std::uint32_t mode, std::uint64_t offset, std::uint64_t length, Token&& token) {
        return launch(fallocate_steps(file, mode, offset, length), std::forward<Token>(token));
    }
    // void(Failure, Attributes)
    template <class Token> auto stat(const File& file, Token&& token) {
        return launch(stat_steps(file), std::forward<Token>(token));
    }
    template <class Token> auto set_attributes(const File& file, const wire::SetattrIn& what, Token&& token) {
        return launch(set_attributes_steps(file, what), std::forward<Token>(token));
    }
    // void(Failure, std::uint64_t): where data or a hole is; how many bytes were copied (from.length at most).
    template <class Token> auto seek(const File& file, std::uint64_t offset, std::uint32_t whence, Token&& token) {
        return launch(seek_steps(file, offset, whence), std::forward<Token>(token));
    }
    template <class Token> auto copy_range(const FileRange& from, const FileRange& to, Token&& token) {
        return launch(copy_range_steps(from, to), std::forward<Token>(token));
    }
    // void(Failure, std::uint32_t): the poll bits that are ready now.
    template <class Token> auto poll(const File& file, std::uint32_t events, Token&& token) {
        return launch(poll_steps(file, events), std::forward<Token>(token));
    }
    // void(Failure, std::int32_t): the driver's result.
    template <class Token> auto ioctl(const File& file, std::uint32_t command, std::span<const std::byte> in,
                                      std::span<std::byte> out, Token&& token) {
        return launch(ioctl_steps(file, command, in, out), std::forward<Token>(token));
    }

    // Locks, as in Mount: `limits` end this call, and those of the mount where it does not wait. void(Failure)
    template <class Token>
    auto lock(const File& file, const WantedLock& wanted, WhenLocked when, const CallLimits& limits, Token&& token) {
        return launch(lock_steps(file, wanted, when, limits), std::forward<Token>(token));
    }
    template <class Token>
    auto flock(const File& file, LockType type, WhenLocked when, const CallLimits& limits, Token&& token) {
        return launch(flock_steps(file, type, when, limits), std::forward<Token>(token));
    }
    // void(Failure, std::optional<HeldLock>)
    template <class Token> auto test_lock(const File& file, const WantedLock& wanted, Token&& token) {
        return launch(test_lock_steps(file, wanted), std::forward<Token>(token));
    }

    // Calls that take a path follow. void(Failure, Attributes)
    template <class Token> auto stat(std::string path, LastLink last, Token&& token) {
        return launch(stat_steps(std::move(path), last), std::forward<Token>(token));
    }
    // void(Failure, wire::Statx)
    template <class Token> auto statx(std::string path, LastLink last, Token&& token) {
        return launch(statx_steps(std::move(path), last), std::forward<Token>(token));
    }
    // void(Failure, File)
    template <class Token> auto open_file(std::string path, std::uint32_t flags, std::uint32_t mode, Token&& token) {
        return launch(open_steps(std::move(path), flags, mode), std::forward<Token>(token));
    }
    template <class Token>
    auto open_temporary(std::string directory, std::uint32_t flags, std::uint32_t mode, Token&& token) {
        return launch(temporary_steps(std::move(directory), flags, mode), std::forward<Token>(token));
    }
    // void(Failure, std::vector<DirectoryEntry>): everything, without "." and "..".
    template <class Token> auto list(std::string path, Token&& token) {
        return launch(list_steps(std::move(path), client::DirectoryFormat::direntpluses), std::forward<Token>(token));
    }
    // void(Failure, std::string)
    template <class Token> auto readlink(std::string path, Token&& token) {
        return launch(readlink_steps(std::move(path)), std::forward<Token>(token));
    }
    // void(Failure, wire::Kstatfs)
    template <class Token> auto statfs(std::string path, Token&& token) {
        return launch(statfs_steps(std::move(path)), std::forward<Token>(token));
    }
    // void(Failure)
    template <class Token> auto mkdir(std::string path, std::uint32_t mode, Token&& token) {
        return launch(mkdir_steps(std::move(path), mode), std::forward<Token>(token));
    }
    template <class Token> auto unlink(std::string path, Token&& token) {
        return launch(unlink_steps(std::move(path)), std::forward<Token>(token));
    }
    template <class Token> auto rmdir(std::string path, Token&& token) {
        return launch(rmdir_steps(std::move(path)), std::forward<Token>(token));
    }
    template <class Token> auto rename(std::string from, std::string to, std::uint32_t flags, Token&& token) {
        return launch(rename_steps(std::move(from), std::move(to), flags), std::forward<Token>(token));
    }
    template <class Token> auto symlink(std::string target, std::string path, Token&& token) {
        return launch(symlink_steps(std::move(target), std::move(path)), std::forward<Token>(token));
    }
    template <class Token> auto link(std::string existing, std::string path, Token&& token) {
        return launch(link_steps(std::move(existing), std::move(path)), std::forward<Token>(token));
    }
    template <class Token> auto mknod(std::string path, std::uint32_t mode, std::uint32_t rdev, Token&& token) {
        return launch(mknod_steps(std::move(path), mode, rdev), std::forward<Token>(token));
    }
    template <class Token> auto access(std::string path, std::uint32_t mask, Token&& token) {
        return launch(access_steps(std::move(path), mask), std::forward<Token>(token));
    }
    template <class Token> auto chmod(std::string path, std::uint32_t mode, Token&& token) {
        return launch(chmod_steps(std::move(path), mode), std::forward<Token>(token));
    }
    template <class Token> auto chown(std::string path, std::optional<std::uint32_t> uid,
                                      std::optional<std::uint32_t> gid, LastLink last, Token&& token) {
        return launch(chown_steps(std::move(path), uid, gid, last), std::forward<Token>(token));
    }
    template <class Token> auto truncate(std::string path, std::uint64_t size, Token&& token) {
        return launch(truncate_steps(std::move(path), size), std::forward<Token>(token));
    }
    template <class Token>
    auto set_times(std::string path, const SetTime& atime, const SetTime& mtime, LastLink last, Token&& token) {
        return launch(set_times_steps(std::move(path), atime, mtime, last), std::forward<Token>(token));
    }
    template <class Token> auto sync(Token&& token) { return launch(sync_steps(), std::forward<Token>(token)); }
    // void(Failure, Attributes)
    template <class Token>
    auto set_attributes(std::string path, const wire::SetattrIn& what, LastLink last, Token&& token) {
        return launch(set_attributes_steps(std::move(path), what, last), std::forward<Token>(token));
    }

    // Calls for extended attributes follow. void(Failure, std::vector<std::byte>)
    template <class Token> auto get_xattr(std::string path, std::string name, LastLink last, Token&& token) {
        return launch(get_xattr_steps(std::move(path), std::move(name), last), std::forward<Token>(token));
    }
    // void(Failure, std::vector<std::string>)
    template <class Token> auto list_xattrs(std::string path, LastLink last, Token&& token) {
        return launch(list_xattrs_steps(std::move(path), last), std::forward<Token>(token));
    }
    // void(Failure)
    template <class Token> auto set_xattr(std::string path, XattrValue value, LastLink last, Token&& token) {
        return launch(set_xattr_steps(std::move(path), std::move(value), last), std::forward<Token>(token));
    }
    template <class Token> auto remove_xattr(std::string path, std::string name, LastLink last, Token&& token) {
        return launch(remove_xattr_steps(std::move(path), std::move(name), last), std::forward<Token>(token));
    }

private:
    template <class T> using Steps = boost::asio::awaitable<T>;

    // A read or write of any length, as one node.
    template <wire::Opcode Op> struct TransferCall {
        TransferCall(const client::Caller& whose, const client::TransferSpan& given) : caller(whose), span(given) {}

        [[nodiscard]] static DetachedPoller& poller_of(Channel& channel) noexcept { return channel.detached_in_turn(); }
        void start(DetachedPoller& poller) { poller.start(operation, caller, span); }
        [[nodiscard]] std::tuple<Failure, std::uint64_t> answer() const {
            return {failure_of(operation), operation.succeeded() ? operation.done() : 0};
        }

        client::LongTransfer<Op> operation;
        client::Caller caller;
        client::TransferSpan span;
    };

    template <wire::Opcode Op, class Token>
    auto transfer(const File& file, std::span<std::byte> bytes, std::uint64_t offset, Token&& token) {
        return boost::asio::async_initiate<Token, void(Failure, std::uint64_t)>(
            [this, &file](auto&& handler, const client::TransferSpan& span) {
                const client::Caller& caller = mount_.server_credentials().caller;
                if (mount_.limits().has_any() || !abi::has_image(caller)) {
                    return this->spawn(transfer_steps<Op>(file, span), std::forward<decltype(handler)>(handler),
                                       Tell{});
                }
                using Call = DetachedCall<TransferCall<Op>, std::decay_t<decltype(handler)>>;
                Call::start(mount_.channel(), CallCount(counts_), executor_, std::forward<decltype(handler)>(handler),
                            caller, span);
            },
            token, mount_.span_of(file, bytes, offset));
    }

    // Calls a handler with a failure and a value.
    struct Tell {
        template <class Handler, class T> void operator()(Handler& to, Expected<T> answer) const {
            std::move(to)(answer.failure(), answer ? *std::move(answer) : T{});
        }
    };

    // Coroutines, whose frames hold the operations; what they say becomes what the handler is called with.
    template <class Token> auto launch(Steps<Failure> steps, Token&& token) {
        return boost::asio::async_initiate<Token, void(Failure)>(
            [this](auto&& handler, Steps<Failure> given) {
                this->spawn(std::move(given), std::forward<decltype(handler)>(handler),
                            [](auto& to, const Failure& failure) { std::move(to)(failure); });
            },
            token, std::move(steps));
    }
    template <class T, class Token> auto launch(Steps<Expected<T>> steps, Token&& token) {
        return boost::asio::async_initiate<Token, void(Failure, T)>(
            [this](auto&& handler, Steps<Expected<T>> given) {
                this->spawn(std::move(given), std::forward<decltype(handler)>(handler), Tell{});
            },
            token, std::move(steps));
    }
    template <class T, class Handler, class Deliver> void spawn(Steps<T> steps, Handler&& handler, Deliver deliver) {
        auto executor = boost::asio::get_associated_executor(handler, executor_);
        auto finish = [to = std::decay_t<Handler>(std::forward<Handler>(handler)), count = CallCount(counts_),
                       deliver](const std::exception_ptr& thrown, T result) mutable {
            count.release();
            // The steps throw nothing but std::bad_alloc.
            thrown == nullptr ? deliver(to, std::move(result)) : deliver(to, out_of_memory<T>());
        };
        boost::asio::co_spawn(executor_, std::move(steps), boost::asio::bind_executor(executor, std::move(finish)));
    }
    template <class T> static T out_of_memory() { return {Errc::no_memory}; }

    // Starts `Call`, which is made of `args`, and waits for its end.
    template <class Call, class... Args> Steps<void> detach(Args... args);
    // Runs an operation of a coroutine's frame to its end, whatever the limits.
    template <class Op, class... Args> Steps<void> run_to_end(Op& op, Args... args);
    // Run one as a part of `call`, to its end or a limit. The rest is as in MountCall.
    template <class Hold, class Op, class... Args> Steps<void> run(MountCall& call, Hold held, Op& op, Args... args);
    template <class Hold, class After, class Op, class... Args>
    Steps<void> run_and_leave(MountCall& call, Hold held, After after, Op& op, Args... args);
    template <class Hold, class After, class Op, class... Args>
    Steps<void> run_limited(MountCall& call, Hold held, After after, Op* op, Args... args);

    // Run the steps S to their end; ask() returns their result. The arguments are kept meanwhile.
    template <class S, class... Args> Steps<Failure> perform(Args... args);
    template <class S, class... Args> Steps<Expected<typename S::Result>> ask(Args... args);
    Steps<void> run_steps(MountCall& call, NameSteps& steps);
    Steps<Failure> walk(MountCall& call, PathSteps& steps);
    // Walks to a directory that the caller may read.
    Steps<Failure> walk_to_list(MountCall& call, PathSteps& steps);
    [[nodiscard]] NameContext names() noexcept;
    Steps<File> create(MountCall& call, OpenSteps& steps, std::uint32_t mode);
    Steps<File> open(MountCall& call, OpenSteps& steps);
    template <class Op> Steps<void> release(OpenHandle& handle);
    void end_later(std::shared_ptr<OpenHandle> handle);
    template <wire::Opcode Op>
    Steps<Expected<std::uint64_t>> transfer_steps(const File& file, client::TransferSpan span);

    Steps<Expected<std::uint64_t>> read_all_steps(const File& file, std::span<std::byte> into, std::uint64_t offset);
    Steps<Failure> write_all_steps(const File& file, std::span<const std::byte> from, std::uint64_t offset);
    Steps<Failure> flush_steps(const File& file);
    Steps<Failure> fsync_steps(const File& file, std::uint32_t flags);
    Steps<Failure> sync_steps();
    Steps<Failure> truncate_steps(const File& file, std::uint64_t size);
    Steps<Failure> set_times_steps(const File& file, SetTime atime, SetTime mtime);
    Steps<Expected<Attributes>> set_attributes_steps(const File& file, wire::SetattrIn what);
    Steps<Failure> fallocate_steps(const File& file, std::uint32_t mode, std::uint64_t offset, std::uint64_t length);
    Steps<Expected<std::uint64_t>> seek_steps(const File& file, std::uint64_t offset, std::uint32_t whence);
    Steps<Expected<std::uint64_t>> copy_range_steps(const FileRange& from, const FileRange& to);
    Steps<Expected<std::uint32_t>> poll_steps(const File& file, std::uint32_t events);
    Steps<Expected<std::int32_t>> ioctl_steps(const File& file, std::uint32_t command, std::span<const std::byte> in,
                                              std::span<std::byte> out);
    Steps<void> pause(const CallLimits& limits, std::chrono::milliseconds time);
    Steps<Failure> set_lock(const File& file, wire::LkIn wanted, WhenLocked when, CallLimits limits);
    Steps<Failure> lock_steps(const File& file, WantedLock wanted, WhenLocked when, CallLimits limits);
    Steps<Failure> flock_steps(const File& file, LockType type, WhenLocked when, CallLimits limits);
    Steps<Expected<std::optional<HeldLock>>> test_lock_steps(const File& file, WantedLock wanted);
    Steps<Failure> close_steps(File file);
    Steps<Expected<Attributes>> stat_steps(const File& file);
    Steps<Expected<Attributes>> stat_steps(std::string path, LastLink last);
    Steps<Expected<wire::Statx>> statx_steps(std::string path, LastLink last);
    Steps<Failure> access_steps(std::string path, std::uint32_t mask);
    Steps<Expected<File>> open_steps(std::string path, std::uint32_t flags, std::uint32_t mode);
    Steps<Expected<File>> temporary_steps(std::string directory, std::uint32_t flags, std::uint32_t mode);
    Steps<Expected<std::vector<DirectoryEntry>>> list_steps(std::string path, client::DirectoryFormat format);
    Steps<Expected<std::string>> readlink_steps(std::string path);
    Steps<Expected<wire::Kstatfs>> statfs_steps(std::string path);
    Steps<Failure> mkdir_steps(std::string path, std::uint32_t mode);
    Steps<Failure> mknod_steps(std::string path, std::uint32_t mode, std::uint32_t rdev);
    Steps<Failure> unlink_steps(std::string path);
    Steps<Failure> rmdir_steps(std::string path);
    Steps<Failure> rename_steps(std::string from, std::string to, std::uint32_t flags);
    Steps<Failure> symlink_steps(std::string target, std::string path);
    Steps<Failure> link_steps(std::string existing, std::string path);
    Steps<Failure> chmod_steps(std::string path, std::uint32_t mode);
    Steps<Failure> chown_steps(std::string path, std::optional<std::uint32_t> uid, std::optional<std::uint32_t> gid,
                               LastLink last);
    Steps<Failure> truncate_steps(std::string path, std::uint64_t size);
    Steps<Failure> set_times_steps(std::string path, SetTime atime, SetTime mtime, LastLink last);
    Steps<Expected<Attributes>> set_attributes_steps(std::string path, wire::SetattrIn what, LastLink last);
    Steps<Expected<std::vector<std::byte>>> get_xattr_steps(std::string path, std::string name, LastLink last);
    Steps<Failure> set_xattr_steps(std::string path, XattrValue value, LastLink last);
    Steps<Expected<std::vector<std::string>>> list_xattrs_steps(std::string path, LastLink last);
    Steps<Failure> remove_xattr_steps(std::string path, std::string name, LastLink last);

    Mount& mount_;
    Executor executor_;
    CallCounts counts_;
};

} // namespace vfsproto::posix
