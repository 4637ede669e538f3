// SPDX-License-Identifier: BSD-2-Clause
#include "attribute_steps.hpp"

#include <utility>

namespace vfsproto::posix {

using abi::Errno;
using namespace abi;

namespace {

// Returns how many bytes to ask for: at most what one reply can bring.
std::uint32_t room(const Channel& channel, std::size_t wanted) {
    const std::uint32_t most = channel.max_bounced();
    return wanted < most ? static_cast<std::uint32_t>(wanted) : most;
}

// True if the value has ids in it that are to be translated.
bool names_list(const NameContext& context, const wire::Name& name) noexcept {
    const std::string_view text(name.data(), name.size());
    const bool is_list = text == "system.posix_acl_access" || text == "system.posix_acl_default";
    return is_list && context.cache.ids().to_server != nullptr;
}

} // namespace

wire::SetattrIn times_in(const SetTime& atime, const SetTime& mtime) noexcept {
    wire::SetattrIn in{};
    if (atime.kind != SetTime::Kind::keep) {
        in.valid |= wire::kSetattrAtime | (atime.kind == SetTime::Kind::now ? wire::kSetattrAtimeNow : 0);
        in.atime = static_cast<std::uint64_t>(atime.seconds);
        in.atimensec = atime.nanoseconds;
    }
    if (mtime.kind != SetTime::Kind::keep) {
        in.valid |= wire::kSetattrMtime | (mtime.kind == SetTime::Kind::now ? wire::kSetattrMtimeNow : 0);
        in.mtime = static_cast<std::uint64_t>(mtime.seconds);
        in.mtimensec = mtime.nanoseconds;
    }
    return in;
}

wire::SetattrIn size_in(std::uint64_t size) noexcept {
    wire::SetattrIn in{};
    in.valid = wire::kSetattrSize;
    in.size = size;
    return in;
}

wire::SetattrIn owner_in(std::optional<std::uint32_t> uid, std::optional<std::uint32_t> gid) noexcept {
    wire::SetattrIn in{};
    if (uid) in.valid |= wire::kSetattrUid, in.uid = *uid;
    if (gid) in.valid |= wire::kSetattrGid, in.gid = *gid;
    return in;
}

abi::Errno take_owner(wire::SetattrIn& what, const abi::IdMap& ids) noexcept {
    using abi::IdKind;
    if ((what.valid & wire::kSetattrUid) != 0) what.uid = ids.at_server(IdKind::user, what.uid);
    if ((what.valid & wire::kSetattrGid) != 0) what.gid = ids.at_server(IdKind::group, what.gid);
    const bool is_lost = ((what.valid & wire::kSetattrUid) != 0 && what.uid == abi::kNoId) ||
                         ((what.valid & wire::kSetattrGid) != 0 && what.gid == abi::kNoId);
    return is_lost && ids.to_server != nullptr ? Errno::eoverflow : Errno::none;
}

StatSteps::StatSteps(const NameContext& context, std::string_view path, LastLink last)
    : NameSteps(context), at_(context.path_steps()) {
    at_.judge_way_alone();
    at_.to_file(path, last);
    want_walk(at_);
}

StatxSteps::StatxSteps(const NameContext& context, std::string_view path, LastLink last)
    : AttributeSteps(
          context, path, last,
          wire::StatxIn{
              .getattr_flags = 0, .reserved = 0, .fh = 0, .sx_flags = 0, .sx_mask = kStatxBasicStats | kStatxBtime}) {}

AccessSteps::AccessSteps(const NameContext& context, std::string_view path, std::uint32_t mask)
    : AttributeSteps(context, path, LastLink::follow) {
    request_.call.args = {mask, 0};
}

StatfsSteps::StatfsSteps(const NameContext& context, std::string_view path)
    : AttributeSteps(context, path, LastLink::follow) {}

ReadLinkSteps::ReadLinkSteps(const NameContext& context, std::string_view path)
    : AttributeSteps(context, path, LastLink::keep) {
    request_.call.data_out = {target_, sizeof target_, {}};
}

Failure ReadLinkSteps::check() { return at_.found_link() ? Failure() : Failure(Errno::einval); }

bool ReadLinkSteps::is_known() {
    if (context_.look == Look::as_kept) known_ = context_.cache.find_target(at_.node());
    if (known_ == nullptr) reading_ = context_.cache.about_to_read(at_.node());
    return known_ != nullptr;
}

void ReadLinkSteps::note(const Failure& why) {
    if (!why) context_.cache.note_target(at_.node(), answer(), reading_);
}

std::string_view ReadLinkSteps::answer() const noexcept {
    return {reinterpret_cast<const char*>(target_), request_.call.bytes};
}

Expected<std::string> ReadLinkSteps::result() { return known_ != nullptr ? *known_ : std::string(answer()); }

SetAttributesSteps::SetAttributesSteps(const NameContext& context, std::string_view path, const wire::SetattrIn& what,
                                       LastLink last)
    : AttributeSteps(context, path, last) {
    unmapped_ = take_owner(request_.call.args = what, context.cache.ids());
}

Failure SetAttributesSteps::check() {
    if (unmapped_ != Errno::none) return unmapped_;
    wire::SetattrIn& what = request_.call.args;
    const bool sets_size = (what.valid & wire::kSetattrSize) != 0;
    if (sets_size && is_directory(at_.attributes().mode)) return Errno::eisdir;
    const bool sets_mode = (what.valid & wire::kSetattrMode) != 0;
    if (sets_mode && at_.judged()) what.mode = client::mode_for_chmod(*at_.judged(), owner(), what.mode);
    return check_setattr(what);
}

ChangeModeSteps::ChangeModeSteps(const NameContext& context, std::string_view path, std::uint32_t mode)
    : AttributeSteps(context, path, LastLink::follow) {
    request_.call.args.valid = wire::kSetattrMode;
    request_.call.args.mode = mode & kSIallugo;
}

Failure ChangeModeSteps::check() {
    std::uint32_t& mode = request_.call.args.mode;
    mode = (mode & kSIallugo) | (at_.attributes().mode & kSIfmt);
    if (at_.judged()) mode = client::mode_for_chmod(*at_.judged(), owner(), mode);
    return check_setattr(request_.call.args);
}

GetXattrSteps::GetXattrSteps(const NameContext& context, std::string_view path, std::string_view name, LastLink last)
    : AttributeSteps(context, path, last), value_(room(context.channel, kXattrSizeMax)) {
    const auto size = static_cast<std::uint32_t>(value_.size());
    request_.call.args = {size, 0};
    request_.call.name = name;
    request_.call.data_out = {value_.data(), size, {}};
}

Expected<std::vector<std::byte>> GetXattrSteps::result() {
    value_.resize(request_.call.bytes);
    if (names_list(context_, request_.call.name)) {
        const Errno error = client::translate_list(value_, context_.cache.ids(), client::IdsOf::client);
        if (error != Errno::none) return error;
    }
    return std::move(value_);
}

ListXattrsSteps::ListXattrsSteps(const NameContext& context, std::string_view path, LastLink last)
    : AttributeSteps(context, path, last), list_(room(context.channel, kXattrListMax), '\0') {
    const auto size = static_cast<std::uint32_t>(list_.size());
    request_.call.args = {size, 0};
    request_.call.data_out = {reinterpret_cast<std::byte*>(list_.data()), size, {}};
}

Expected<std::vector<std::string>> ListXattrsSteps::result() {
    list_.resize(request_.call.bytes);
    std::vector<std::string> names;
    for (std::size_t from = 0; from < list_.size();) {
        const std::size_t end = list_.find('\0', from);
        if (end == std::string::npos) return Errc::protocol_violation;
        names.push_back(list_.substr(from, end - from));
        from = end + 1;
    }
    return names;
}

SetXattrSteps::SetXattrSteps(const NameContext& context, std::string_view path, const Value& value, LastLink last)
    : AttributeSteps(context, path, last) {
    if (value.bytes.size() > kXattrSizeMax) {
        finish(Errno::e2big);
        return;
    }
    std::span<const std::byte> bytes = value.bytes;
    if (names_list(context, value.name)) {
        list_.assign(bytes.begin(), bytes.end());
        bytes = list_;
        unmapped_ = client::translate_list(list_, context.cache.ids(), client::IdsOf::server);
    }
    std::uint32_t flags = 0;
    if (value.space == XattrSpace::create) flags = kXattrCreate;
    if (value.space == XattrSpace::replace) flags = kXattrReplace;
    client::prepare_setxattr(request_, context.channel.params(), value.name, bytes, flags);
}

// An access ACL set by somebody outside the file's group takes its set-group-id bit (Linux fs/fuse/acl.c, fuse_set_acl()).
Failure SetXattrSteps::check() {
    const client::SessionParams& params = context_.channel.params();
    const auto& name = request_.call.name;
    if (const Failure why = check_xattr(name, client::XattrUse::write)) return why;
    if (unmapped_ != Errno::none) return unmapped_;
    if (std::string_view(name.data(), name.size()) != "system.posix_acl_access") return {};
    const client::Subject who{context_.who.caller, context_.who.groups, context_.cache.ids()};
    const bool may_keep = client::is_privileged_over(who, owner()) || who.is_in_group(at_.attributes().gid);
    const bool agreed = params.flags.has(wire::InitFlag::posix_acl) && params.flags.has(wire::InitFlag::setxattr_ext);
    request_.call.args.setxattr_flags = agreed && !may_keep ? wire::kSetxattrAclKillSgid : 0;
    return {};
}

RemoveXattrSteps::RemoveXattrSteps(const NameContext& context, std::string_view path, std::string_view name,
                                   LastLink last)
    : AttributeSteps(context, path, last) {
    request_.call.name = name;
}

TemporarySteps::TemporarySteps(const NameContext& context, std::string_view directory, std::uint32_t flags,
                               std::uint32_t mode)
    : AttributeSteps(context, directory, LastLink::follow), flags_(flags) {
    auto& call = request_.call;
    call.args.flags = (flags & ~kOCreat) | kOTmpfile | kOLargefile;
    call.args.mode = client::mode_to_send(context.channel.params(), (mode & kSIallugo) | kSIfreg, context.who.umask);
    call.args.umask = context.who.umask;
    call.name = std::string_view("#tmpfile"); // there must be one; it means nothing
}

Failure TemporarySteps::check() {
    if (!is_directory(at_.attributes().mode)) return Errno::enotdir;
    request_.extensions.group = maker_group(context_).of(at_.attributes());
    return check_access(kWOk | kXOk);
}

Expected<std::unique_ptr<OpenHandle>> TemporarySteps::result() {
    const wire::CreateOut& made = request_.call.reply;
    auto handle =
        std::make_unique<OpenHandle>(context_.channel, context_.cache.count(made.entry), OpenHandle::Kind::file);
    handle->fh = made.open.fh;
    handle->open_flags = made.open.open_flags;
    handle->keep_flags(flags_);
    handle->owes_release = true;
    return handle;
}

} // namespace vfsproto::posix
