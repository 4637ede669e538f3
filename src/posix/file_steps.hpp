// SPDX-License-Identifier: BSD-2-Clause
// Operations on open files that are one request without data, as steps: they walk nowhere. The file stays open until the
// operation is finished.
#pragma once

#include "attribute_steps.hpp"

#include "vfsproto/fuse/client/operations/data.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <tuple>

namespace vfsproto::posix {

// A derived class sets the arguments in its constructor. `More` are what the operation is started with besides a node.
template <class Op, class... More> class FileSteps : public NameSteps {
protected:
    FileSteps(const NameContext& context, const File& file, const More&... more)
        : FileSteps(context, file.nodeid(), more...) {
        named_ = &file;
    }
    FileSteps(const NameContext& context, std::uint64_t nodeid, const More&... more)
        : NameSteps(context), nodeid_(nodeid), more_(more...) {
        want_request(request_);
        if (nodeid == 0) finish(abi::Errno::ebadf); // no server gives it: the file is not open
    }
    ~FileSteps() = default;

    void hold(Held& held) const override {
        if (named_ != nullptr) held.handles.push_back(named_->handle());
    }

    Op request_;

private:
    // Called with the answer, before the end.
    virtual void note(const Failure&) {}
    void answered(const Failure& why) final {
        note(why);
        finish(why);
    }
    void start(client::Client& client, const client::Caller& caller) final {
        std::apply([&](const More&... each) { request_.start(client, caller, nodeid_, each...); }, more_);
    }

    const File* named_ = nullptr; // nullptr: the request is of no file
    std::uint64_t nodeid_;
    std::tuple<More...> more_;
};

class FlushSteps final : public FileSteps<client::Flush> {
public:
    FlushSteps(const NameContext& context, const File& file) : FileSteps(context, file) {
        request_.call.args.fh = file.fh();
        request_.call.args.lock_owner = file.lock_owner();
    }
};

class SyncFileSteps final : public FileSteps<client::SyncFile> {
public:
    SyncFileSteps(const NameContext& context, const File& file, std::uint32_t flags) : FileSteps(context, file) {
        request_.call.args = {file.fh(), flags, 0};
    }
};

// SYNCFS of the whole share.
class SyncSteps final : public FileSteps<client::SyncFileSystem> {
public:
    explicit SyncSteps(const NameContext& context) : FileSteps(context, wire::kRootNodeId) {}
};

class FileStatSteps final : public FileSteps<client::GetAttributes> {
public:
    using Result = Attributes;
    FileStatSteps(const NameContext& context, const File& file) : FileSteps(context, file) {
        request_.call.args = {wire::kGetattrFh, 0, file.fh()};
    }
    [[nodiscard]] Expected<Attributes> result() { return context_.cache.ids().shown(request_.call.reply.attr); }
};

// GETATTR comes first where permissions are judged here: the owner may have changed since the file was opened. Times that are set to now
// depend on the access control list too, which is asked for then.
class SetFileAttributesSteps final : public NameSteps {
public:
    using Result = Attributes;
    SetFileAttributesSteps(const NameContext& context, const File& file, const wire::SetattrIn& what);
    [[nodiscard]] Expected<Attributes> result() { return context_.cache.ids().shown(request_.call.reply.attr); }

private:
    void answered(const Failure& why) override;
    void start(client::Client& client, const client::Caller& caller) override;
    void hold(Held& held) const override { held.handles.push_back(file_.handle()); }
    [[nodiscard]] bool depends_on_list() const noexcept;
    [[nodiscard]] Failure take_list(const Failure& why) noexcept;
    void judge();

    const File& file_;
    std::optional<client::Subject> judged_;
    client::GetAttributes look_;
    client::SetAttributes request_;
    enum class Stage : std::uint8_t { look, list, set } stage_ = Stage::set;
    std::unique_ptr<ReadAccessList> read_{};
    client::AccessList list_{};
};

class AllocateSteps final : public FileSteps<client::Allocate> {
public:
    // `offset` and `length` in bytes; `mode`: FALLOC_FL_….
    struct Range {
        std::uint32_t mode;
        std::uint64_t offset;
        std::uint64_t length;
    };
    AllocateSteps(const NameContext& context, const File& file, const Range& range) : FileSteps(context, file) {
        request_.call.args = {file.fh(), range.offset, range.length, range.mode, 0};
    }
};

class SeekSteps final : public FileSteps<client::SeekFile, wire::LseekIn> {
public:
    using Result = std::uint64_t;
    SeekSteps(const NameContext& context, const File& file, std::uint64_t offset, std::uint32_t whence)
        : FileSteps(context, file, wire::LseekIn{file.fh(), offset, whence, 0}) {}
    [[nodiscard]] Expected<std::uint64_t> result() { return request_.offset(); }
};

class CopyRangeSteps final : public FileSteps<client::CopyRange, wire::CopyFileRangeIn> {
public:
    using Result = std::uint64_t;
    struct Place {
        const File& file;
        std::uint64_t offset;
    };
    CopyRangeSteps(const NameContext& context, const Place& from, const Place& to, std::uint64_t length)
        : FileSteps(context, from.file,
                    wire::CopyFileRangeIn{.fh_in = from.file.fh(),
                                          .off_in = from.offset,
                                          .nodeid_out = to.file.nodeid(),
                                          .fh_out = to.file.fh(),
                                          .off_out = to.offset,
                                          .len = length,
                                          .flags = 0}),
          to_(to.file) {
        if (to.file.nodeid() == 0) finish(abi::Errno::ebadf);
    }
    [[nodiscard]] Expected<std::uint64_t> result() { return request_.copied(); }

private:
    void hold(Held& held) const override {
        FileSteps::hold(held);
        held.handles.push_back(to_.handle());
    }

    const File& to_;
};

class PollSteps final : public FileSteps<client::PollFile> {
public:
    using Result = std::uint32_t;
    PollSteps(const NameContext& context, const File& file, std::uint32_t events)
        : FileSteps(context, file), events_(events) {
        request_.call.args = {file.fh(), 0, 0, events};
    }
    [[nodiscard]] Expected<std::uint32_t> result() {
        using namespace abi;
        return request_.call.reply.revents & (events_ | kPollErr | kPollHup | kPollNval);
    }

private:
    std::uint32_t events_;
};

class ControlSteps final : public FileSteps<client::Control> {
public:
    using Result = std::int32_t;
    ControlSteps(const NameContext& context, const File& file, std::uint32_t command, std::span<const std::byte> in,
                 std::span<std::byte> out)
        : FileSteps(context, file), file_(file) {
        if (in.size() > client::kPageSize || out.size() > client::kPageSize) {
            finish(abi::Errno::einval);
            return;
        }
        wire::IoctlIn& args = request_.call.args;
        args.fh = file.fh();
        args.cmd = command;
        args.in_size = static_cast<std::uint32_t>(in.size());
        args.out_size = static_cast<std::uint32_t>(out.size());
        request_.call.data_in = {in.data(), args.in_size, {}};
        request_.call.data_out = {out.data(), args.out_size, {}};
    }
    [[nodiscard]] Expected<std::int32_t> result() { return request_.call.reply.result; }

private:
    // It may change attributes, also of a file that is open to be read only.
    void note(const Failure&) override { context_.cache.invalidate(file_.node()); }

    const File& file_;
};

} // namespace vfsproto::posix
