// SPDX-License-Identifier: BSD-2-Clause
#include "name_steps.hpp"

#include "vfsproto/posix/detail/path_walk.hpp"
#include "vfsproto/posix/mount.hpp"

#include <type_traits>

namespace vfsproto::posix {

using abi::Errno;
using namespace abi;

namespace {

using Ending = PathSteps::Ending;

// The errors are those of Linux fs/namei.c for paths that end in no name.
Failure check_makeable(const PathSteps& at) { return at.ending() == Ending::name ? Failure() : Failure(Errno::eexist); }
Failure check_removable(const PathSteps& at, const client::RemoveFile&) {
    return at.ending() == Ending::name ? Failure() : Failure(Errno::eisdir);
}
Failure check_removable(const PathSteps& at, const client::RemoveDirectory&) {
    switch (at.ending()) {
    case Ending::name: return {};
    case Ending::dot: return Errno::einval;
    case Ending::dot_dot: return Errno::enotempty;
    case Ending::root: return Errno::ebusy;
    }
    return {};
}
Failure check_target(std::string_view target) {
    if (target.empty()) return Errno::enoent;
    if (target.size() > kPathMax) return Errno::enametoolong;
    return {};
}

// True if no name is left when this one is gone.
bool is_last_name(const wire::Attr& attributes) noexcept {
    return is_directory(attributes.mode) || attributes.nlink <= 1;
}

} // namespace

MakerGroup maker_group(const NameContext& context) noexcept { return {context.who, context.channel.params()}; }

Failure run(MountCall& call, NameSteps& steps) {
    for (;;) {
        switch (steps.want()) {
        case NameSteps::Want::walk: steps.handle_walked(walk(call, steps.path())); break;
        case NameSteps::Want::request: {
            WantedRequest request = steps.request();
            call.run([&steps] { return steps.held(); }, request);
            steps.handle_answered();
            break;
        }
        case NameSteps::Want::finished: return steps.failure();
        }
    }
}

void NameSteps::handle_answered() {
    const Failure why = failure_of(*request_);
    if (context_.cache.make_room(why, tries_)) {
        exhausted_ = why;
        return;
    }
    // A server may make a name and then have no descriptor for it. The second request finds that name in its way.
    answered(tries_ != 0 && why.error == Errno::eexist ? exhausted_ : why);
}

template <class Op> void MakeSteps<Op>::walked() {
    if (looks_) return finish(Errno::eexist);
    if (Failure why = check_makeable(at_)) return finish(why);
    if constexpr (MakeSteps::kTellsGroup) {
        make_.extensions.group = maker_group(context_).of(at_.attributes());
    }
    const bool is_slashed = at_.must_be_directory() && !std::is_same_v<Op, client::MakeDirectory>;
    refused_ = is_slashed ? Failure() : at_.check_making();
    if (!is_slashed && !refused_) refused_ = check();
    if (refused_ && at_.walk_again_without_cache()) return want_walk(at_);
    if (is_slashed || refused_) {
        // A name with a slash behind it can only be a directory: ENOENT, unless there is something already. Before a refusal, too, a look
        // tells whether there is.
        looks_ = true;
        at_.look_up_last();
        return want_walk(at_);
    }
    make_.call.name = at_.name();
    want_request(make_);
}

template <class Op> void MakeSteps<Op>::walk_failed(const Failure& why) {
    finish(looks_ && refused_ && why.error == Errno::enoent ? refused_ : why);
}

template <class Op> void MakeSteps<Op>::answered(const Failure& why) {
    if (why) {
        // LINK without an answer may have given the file one name more.
        const NodeRef* const file = named();
        file != nullptr ? context_.cache.note_failed(asked_of(at_), why, *file)
                        : context_.cache.note_failed(asked_of(at_), why);
        // A directory on the way may have been replaced since it was kept.
        if (why.error == Errno::estale && at_.walk_again_without_cache()) return want_walk(at_);
    } else {
        context_.cache.count_made(asked_of(at_), make_.call.reply);
        note_made();
    }
    finish(why);
}

MakeDirectorySteps::MakeDirectorySteps(const NameContext& context, std::string_view path, std::uint32_t mode)
    : MakeSteps(context) {
    make_.call.args = {client::mode_to_send(context.channel.params(), mode & kSIallugo, context.who.umask),
                       context.who.umask};
    begin(path);
}

MakeNodeSteps::MakeNodeSteps(const NameContext& context, std::string_view path, std::uint32_t mode, std::uint32_t rdev)
    : MakeSteps(context) {
    const std::uint32_t type = mode & kSIfmt;
    const std::uint32_t full_mode = (mode & kSIallugo) | (type != 0 ? type : kSIfreg);
    make_.call.args.mode = client::mode_to_send(context.channel.params(), full_mode, context.who.umask);
    make_.call.args.rdev = rdev;
    make_.call.args.umask = context.who.umask;
    begin(path);
}

Failure MakeNodeSteps::check() const noexcept {
    const auto who = judged_caller(context_.cache, context_.who);
    return who ? Failure(client::check_node(*who, make_.call.args.mode, make_.call.args.rdev)) : Failure();
}

MakeSymlinkSteps::MakeSymlinkSteps(const NameContext& context, std::string_view target, std::string_view path)
    : MakeSteps(context) {
    if (Failure why = check_target(target)) {
        finish(why);
        return;
    }
    make_.call.name2 = target;
    begin(path);
}

MakeLinkSteps::MakeLinkSteps(const NameContext& context, std::string_view existing, std::string_view path)
    : MakeSteps(context), existing_(context.path_steps()), new_path_(path) {
    existing_.judge_way_alone();
    existing_.to_file(existing, LastLink::keep);
    want_walk(existing_);
}

void MakeLinkSteps::walked() {
    if (found_) return MakeSteps::walked();
    found_ = true;
    make_.call.args = {existing_.node().nodeid()};
    begin(new_path_);
}

// A server may give every name a node of its own: the linked file has one name more all the same.
void MakeLinkSteps::note_made() {
    if (make_.call.reply.nodeid != existing_.node().nodeid()) context_.cache.invalidate(existing_.node());
}

template <class Op> RemoveSteps<Op>::RemoveSteps(const NameContext& context, std::string_view path)
    : NameSteps(context), at_(context.path_steps()) {
    at_.judge_way_alone();
    at_.to_parent(path);
    want_walk(at_);
}

template <class Op> void RemoveSteps<Op>::walked() {
    if (!looked_up_) {
        if (Failure why = check_removable(at_, remove_)) return finish(why);
        looked_up_ = true;
        at_.look_up_last();
        return want_walk(at_);
    }
    // A slash behind the name says that only a directory can be meant.
    if (at_.must_be_directory() && !is_directory(at_.attributes().mode)) return finish(Errno::enotdir);
    if (const Failure why = at_.check_removal()) return walk_failed(why);
    remove_.call.name = at_.name();
    want_request(remove_);
}

// A directory on the way may have been replaced since it was kept, or its mode changed. A name that is not there makes its directory's
// listing doubtful.
template <class Op> void RemoveSteps<Op>::walk_failed(const Failure& why) {
    if (looked_up_ && why.error == Errno::enoent) context_.cache.note_failed(asked_of(at_), why);
    const bool is_old = why.error == Errno::estale || (at_.judged() && is_refusal(why));
    if (!is_old || !at_.walk_again_without_cache()) return finish(why);
    looked_up_ = false;
    want_walk(at_);
}

template <class Op> void RemoveSteps<Op>::answered(const Failure& why) {
    if (why) {
        context_.cache.note_failed(asked_of(at_), why, at_.node());
        return finish(why);
    }
    context_.cache.note_removed(asked_of(at_), at_.node());
    if (is_last_name(at_.attributes())) at_.node().reset_unlinked();
    finish(why);
}

template class RemoveSteps<client::RemoveFile>;
template class RemoveSteps<client::RemoveDirectory>;

RenameSteps::RenameSteps(const NameContext& context, std::string_view from, std::string_view to, std::uint32_t flags)
    : NameSteps(context),
      source_(context.final_path_steps()),
      target_(context.final_path_steps()),
      to_(to),
      flags_(flags) {
    source_.to_parent(from);
    want_walk(source_);
}

bool RenameSteps::replaces() const noexcept { return (flags_ & (kRenameNoreplace | kRenameExchange)) == 0; }

// The server sees no slashes behind names: where there are some, it must be known what the new name is.
bool RenameSteps::looks_at_target() const noexcept {
    return replaces() || source_.must_be_directory() || target_.must_be_directory() || target_.judged().has_value();
}

void RenameSteps::walked() {
    switch (stage_) {
    case Stage::source_parent:
        stage_ = Stage::target_parent;
        target_.to_parent(to_);
        return want_walk(target_);
    case Stage::target_parent: return reach_parents();
    case Stage::source: return reach_source();
    case Stage::target: no_target_ = Failure(); return want_rename();
    }
}

void RenameSteps::walk_failed(const Failure& why) {
    if (stage_ == Stage::source && why.error == Errno::enoent) context_.cache.note_failed(asked_of(source_), why);
    if (stage_ != Stage::target) return finish(why);
    // Permissions cannot be judged by a file whose attributes are unknown.
    if (target_.judged() && why.error != Errno::enoent) return finish(why);
    no_target_ = why; // the server judges, if it must be there
    want_rename();
}

void RenameSteps::reach_parents() {
    if (source_.ending() != Ending::name) return finish(Errno::ebusy);
    if (target_.ending() != Ending::name) {
        // RENAME_NOREPLACE comes first: the new name exists.
        return finish((flags_ & kRenameNoreplace) != 0 ? Errno::eexist : Errno::ebusy);
    }
    stage_ = Stage::source;
    source_.look_up_last();
    want_walk(source_);
}

void RenameSteps::reach_source() {
    if (!looks_at_target()) return want_rename();
    stage_ = Stage::target;
    target_.look_up_last();
    want_walk(target_);
}

// Checks slashes behind the names as Linux fs/namei.c does, in its order; then wants the request.
void RenameSteps::want_rename() {
    const bool exchange = (flags_ & kRenameExchange) != 0;
    if (source_.must_be_directory() || target_.must_be_directory()) {
        if ((flags_ & kRenameNoreplace) != 0 && !no_target_) return finish(Errno::eexist);
        if (exchange && no_target_) return finish(no_target_);
        if (exchange && target_.must_be_directory() && !is_directory(target_.attributes().mode)) {
            return finish(Errno::enotdir);
        }
        const bool source_must_be = source_.must_be_directory() || !exchange;
        if (source_must_be && !is_directory(source_.attributes().mode)) return finish(Errno::enotdir);
    }
    if (has_both_names()) return finish({});
    if (const Failure why = check_permissions()) return finish(why);
    // A rename without flags always takes the older request: servers on some file systems know no other.
    flags_ == 0 ? want_request(rename_) : want_request(rename_with_flags_);
}

// Linux then does nothing and checks no permissions. Where the server judges, it finds this out itself.
bool RenameSteps::has_both_names() const noexcept {
    if (!source_.judged() || no_target_ || (flags_ & kRenameNoreplace) != 0) return false;
    return source_.node().nodeid() == target_.node().nodeid();
}

// Judges as Linux fs/namei.c, vfs_rename() does.
Failure RenameSteps::check_permissions() const noexcept {
    if (!source_.judged()) return {};
    const client::Subject& who = *source_.judged();
    const auto check_moved = [&](const PathSteps& moved) -> Failure {
        const bool stays = source_.parent().nodeid() == target_.parent().nodeid();
        if (stays || !is_directory(moved.attributes().mode)) return {};
        return client::check_new_parent(who, moved.owner());
    };
    const bool exchanges = (flags_ & kRenameExchange) != 0;
    if ((flags_ & kRenameNoreplace) != 0 && !no_target_) return Errno::eexist;
    if (const Failure why = source_.check_removal()) return why;
    if (const Failure why = no_target_ ? target_.check_making() : target_.check_removal()) return why;
    if (const Failure why = check_moved(source_)) return why;
    return exchanges && !no_target_ ? check_moved(target_) : Failure();
}

void RenameSteps::start(client::Client& client, const client::Caller& caller) {
    const std::uint64_t new_parent = target_.parent().nodeid();
    if (flags_ == 0) {
        rename_.call.args = {new_parent};
        rename_.call.name = source_.name();
        rename_.call.name2 = target_.name();
        return rename_.start(client, caller, source_.parent().nodeid());
    }
    rename_with_flags_.call.args = {new_parent, flags_, 0};
    rename_with_flags_.call.name = source_.name();
    rename_with_flags_.call.name2 = target_.name();
    rename_with_flags_.start(client, caller, source_.parent().nodeid());
}

void RenameSteps::answered(const Failure& why) {
    if (why) {
        context_.cache.note_failed(asked_of(source_), why, source_.node());
        context_.cache.note_failed(asked_of(target_), why, target_.node());
    } else {
        context_.cache.note_renamed(asked_of(source_), asked_of(target_), source_.node(), target_.node());
    }
    // Two names of one file: rename(2) does nothing.
    const bool replaced = !why && replaces() && !no_target_ && target_.node().nodeid() != source_.node().nodeid();
    if (replaced && is_last_name(target_.attributes())) target_.node().reset_unlinked();
    finish(why);
}

template class MakeSteps<client::MakeDirectory>;
template class MakeSteps<client::MakeNode>;
template class MakeSteps<client::MakeSymlink>;
template class MakeSteps<client::MakeLink>;

} // namespace vfsproto::posix
