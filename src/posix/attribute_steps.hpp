// SPDX-License-Identifier: BSD-2-Clause
// Operations on the file a path leads to, as steps: attributes, extended attributes, and the file system as a whole.
#pragma once

#include "name_steps.hpp"
#include "path_requests.hpp"

#include "vfsproto/fuse/client/operations/attributes.hpp"
#include "vfsproto/fuse/client/operations/xattrs.hpp"
#include "vfsproto/posix/detail/open_handle.hpp"
#include "vfsproto/posix/mount.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace vfsproto::posix {

[[nodiscard]] wire::SetattrIn times_in(const SetTime& atime, const SetTime& mtime) noexcept;
[[nodiscard]] wire::SetattrIn size_in(std::uint64_t size) noexcept;
[[nodiscard]] wire::SetattrIn owner_in(std::optional<std::uint32_t> uid, std::optional<std::uint32_t> gid) noexcept;
// Puts the server's ids in place of those of the client that are to be set. EOVERFLOW for one without an image.
[[nodiscard]] abi::Errno take_owner(wire::SetattrIn& what, const abi::IdMap& ids) noexcept;

// Keeps what SETATTR answered. Of one that failed the outcome may not be known.
struct SetAnswer {
    const Failure& why;
    const AskedAt& asked;
};
inline void note_set(NodeCache& cache, const NodeRef& node, const client::SetAttributes& request,
                     const SetAnswer& answer) {
    answer.why ? cache.invalidate(node) : cache.note_changed(node, request.call.reply, answer.asked);
}

// Walks to a file and makes one request of it. A derived class sets the arguments in its constructor, or in check().
// `More` are what the operation is started with besides a node.
template <class Op, class... More> class AttributeSteps : public NameSteps {
protected:
    AttributeSteps(const NameContext& context, std::string_view path, LastLink last, const More&... more)
        : NameSteps(context), at_(context.path_steps()), more_(more...) {
        at_.to_file(path, last);
        want_walk(at_);
    }
    ~AttributeSteps() = default;
    // Return why the caller may not do this with the file; no failure where the server judges.
    [[nodiscard]] Failure check_access(std::uint32_t mask) const noexcept { return at_.check_access(mask); }
    [[nodiscard]] Failure check_setattr(const wire::SetattrIn& what) const noexcept {
        using client::SetThrough;
        return at_.judged() ? Failure(client::check_setattr(*at_.judged(), owner(), what, SetThrough::path))
                            : Failure();
    }
    [[nodiscard]] Failure check_xattr(const wire::Name& name, client::XattrUse use) const noexcept {
        return at_.judged() ? Failure(client::check_xattr(*at_.judged(), owner(), name, use)) : Failure();
    }
    [[nodiscard]] client::FileOwner owner() const noexcept { return at_.owner(); }

    Op request_;
    PathSteps at_;

private:
    // Called at the file: says why the request is not made.
    [[nodiscard]] virtual Failure check() { return {}; }
    // Called at the file, after check(): true if the answer is known, and no request is made.
    [[nodiscard]] virtual bool is_known() { return false; }
    // Called with the answer, before the end.
    virtual void note(const Failure&) {}
    void walked() final {
        if (Failure why = check()) {
            if (at_.judged() && is_refusal(why) && at_.walk_again_without_cache()) return want_walk(at_);
            return finish(why);
        }
        if (is_known()) return finish({});
        want_request(request_);
    }
    void answered(const Failure& why) final {
        if (why.error == abi::Errno::estale && at_.walk_again_without_cache()) return want_walk(at_);
        note(why);
        finish(why);
    }
    void start(client::Client& client, const client::Caller& caller) final {
        std::apply([&](const More&... each) { request_.start(client, caller, at_.node().nodeid(), each...); }, more_);
    }
    void hold(Held& held) const final { held.nodes.push_back(at_.node().clone()); }

    std::tuple<More...> more_;
};

// stat() asks for nothing: what the walk brought is the answer.
class StatSteps final : public NameSteps {
public:
    using Result = Attributes;
    StatSteps(const NameContext& context, std::string_view path, LastLink last);
    [[nodiscard]] Expected<Attributes> result() { return context_.cache.ids().shown(at_.attributes()); }

private:
    void walked() override { finish({}); }
    void start(client::Client&, const client::Caller&) override {}
    void hold(Held&) const override {}

    PathSteps at_;
};

class StatxSteps final : public AttributeSteps<client::ExtendedStatus, wire::StatxIn> {
public:
    using Result = wire::Statx;
    StatxSteps(const NameContext& context, std::string_view path, LastLink last);
    [[nodiscard]] Expected<wire::Statx> result() { return context_.cache.ids().shown(request_.result().stat); }
};

class AccessSteps final : public AttributeSteps<client::CheckAccess> {
public:
    AccessSteps(const NameContext& context, std::string_view path, std::uint32_t mask);

private:
    [[nodiscard]] Failure check() override { return check_access(request_.call.args.mask); }
    [[nodiscard]] bool is_known() override { return at_.judged().has_value(); }
};

class StatfsSteps final : public AttributeSteps<client::FileSystemStatus> {
public:
    using Result = wire::Kstatfs;
    StatfsSteps(const NameContext& context, std::string_view path);
    [[nodiscard]] Expected<wire::Kstatfs> result() { return request_.call.reply; }
};

class ReadLinkSteps final : public AttributeSteps<client::ReadLink> {
public:
    using Result = std::string;
    ReadLinkSteps(const NameContext& context, std::string_view path);
    [[nodiscard]] Expected<std::string> result();

private:
    [[nodiscard]] Failure check() override;
    [[nodiscard]] bool is_known() override;
    void note(const Failure& why) override;
    [[nodiscard]] std::string_view answer() const noexcept;

    std::byte target_[abi::kPathMax + 1];
    std::shared_ptr<const std::string> known_{};
    client::ContentRead reading_{};
};

// SETATTR; what is not marked in `what.valid` is left as it is. A directory has no size to set.
class SetAttributesSteps final : public AttributeSteps<client::SetAttributes> {
public:
    using Result = Attributes;
    SetAttributesSteps(const NameContext& context, std::string_view path, const wire::SetattrIn& what, LastLink last);
    [[nodiscard]] Expected<Attributes> result() { return context_.cache.ids().shown(request_.call.reply.attr); }

private:
    [[nodiscard]] Failure check() override;
    void note(const Failure& why) override { note_set(context_.cache, at_.node(), request_, {why, asked_}); }

    abi::Errno unmapped_; // why the owner cannot be set
};

// chmod(2): the mode that is sent has the type of the file that is there.
class ChangeModeSteps final : public AttributeSteps<client::SetAttributes> {
public:
    ChangeModeSteps(const NameContext& context, std::string_view path, std::uint32_t mode);

private:
    [[nodiscard]] Failure check() override;
    void note(const Failure& why) override { note_set(context_.cache, at_.node(), request_, {why, asked_}); }
};

// A value or a list that one reply cannot bring is ERANGE.
class GetXattrSteps final : public AttributeSteps<client::GetXattr> {
public:
    using Result = std::vector<std::byte>;
    GetXattrSteps(const NameContext& context, std::string_view path, std::string_view name, LastLink last);
    [[nodiscard]] Expected<std::vector<std::byte>> result();

private:
    [[nodiscard]] Failure check() override { return check_xattr(request_.call.name, client::XattrUse::read); }

    std::vector<std::byte> value_;
};

class ListXattrsSteps final : public AttributeSteps<client::ListXattr> {
public:
    using Result = std::vector<std::string>;
    ListXattrsSteps(const NameContext& context, std::string_view path, LastLink last);
    [[nodiscard]] Expected<std::vector<std::string>> result();

private:
    std::string list_; // names, each with a NUL at its end
};

class SetXattrSteps final : public AttributeSteps<client::SetXattr> {
public:
    struct Value {
        std::string_view name;
        std::span<const std::byte> bytes;
        XattrSpace space;
    };
    SetXattrSteps(const NameContext& context, std::string_view path, const Value& value, LastLink last);

private:
    [[nodiscard]] Failure check() override;
    void note(const Failure&) override { context_.cache.invalidate(at_.node()); } // ctime, and the mode with an ACL

    std::vector<std::byte> list_{};          // an access list with the server's ids
    abi::Errno unmapped_ = abi::Errno::none; // why it cannot be set
};

class RemoveXattrSteps final : public AttributeSteps<client::RemoveXattr> {
public:
    RemoveXattrSteps(const NameContext& context, std::string_view path, std::string_view name, LastLink last);

private:
    [[nodiscard]] Failure check() override { return check_xattr(request_.call.name, client::XattrUse::write); }
    void note(const Failure&) override { context_.cache.invalidate(at_.node()); }
};

// TMPFILE: makes and opens a file without a name, in the directory the path leads to.
class TemporarySteps final : public AttributeSteps<client::MakeTemporary> {
public:
    using Result = std::unique_ptr<OpenHandle>;
    TemporarySteps(const NameContext& context, std::string_view directory, std::uint32_t flags, std::uint32_t mode);
    // Counts the lookup, so it is called once.
    [[nodiscard]] Expected<std::unique_ptr<OpenHandle>> result();

private:
    [[nodiscard]] Failure check() override;

    std::uint32_t flags_;
};

} // namespace vfsproto::posix
