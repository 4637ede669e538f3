// SPDX-License-Identifier: BSD-2-Clause
#include "file_steps.hpp"

#include <memory>

namespace vfsproto::posix {

using abi::Errno;

SetFileAttributesSteps::SetFileAttributesSteps(const NameContext& context, const File& file,
                                               const wire::SetattrIn& what)
    : NameSteps(context), file_(file), judged_(judged_caller(context.cache, context.who)) {
    const Errno unmapped = take_owner(request_.call.args = what, context.cache.ids());
    request_.call.args.valid |= wire::kSetattrFh;
    request_.call.args.fh = file.fh();
    look_.call.args = {wire::kGetattrFh, 0, file.fh()};
    const bool looks = judged_ && (what.valid & ~wire::kSetattrSize) != 0; // open(2) has judged who may set the size
    stage_ = looks ? Stage::look : Stage::set;
    looks ? want_request(look_) : want_request(request_);
    // Open files are refused here as well: a server need not remember how a file was opened.
    const bool sets_size = (what.valid & wire::kSetattrSize) != 0;
    const bool only_reads = (file.flags() & abi::kOAccmode) == abi::kORdonly;
    if (judged_ && sets_size && only_reads) finish(Errno::einval);
    if (unmapped != Errno::none) finish(unmapped);
    if (file.nodeid() == 0) finish(Errno::ebadf); // no server gives it: the file is not open
}

void SetFileAttributesSteps::start(client::Client& client, const client::Caller& caller) {
    switch (stage_) {
    case Stage::look: return look_.start(client, caller, file_.nodeid());
    case Stage::list: return read_->operation.start(client, caller, file_.nodeid());
    case Stage::set: return request_.start(client, caller, file_.nodeid());
    }
}

void SetFileAttributesSteps::answered(const Failure& why) {
    if (stage_ == Stage::set) {
        note_set(context_.cache, file_.node(), request_, {why, asked_});
        return finish(why);
    }
    const Failure failed = stage_ == Stage::list ? take_list(why) : why;
    if (failed) return finish(failed);
    if (stage_ == Stage::look && depends_on_list()) {
        stage_ = Stage::list;
        read_ = std::make_unique<ReadAccessList>(context_.channel.max_bounced());
        return want_request(read_->operation);
    }
    judge();
}

bool SetFileAttributesSteps::depends_on_list() const noexcept {
    const bool sets_times = (request_.call.args.valid & (wire::kSetattrAtimeNow | wire::kSetattrMtimeNow)) != 0;
    const client::FileOwner file = client::FileOwner::of(look_.call.reply.attr);
    return sets_times && context_.cache.evaluates_lists() && client::depends_on_list(*judged_, file);
}

Failure SetFileAttributesSteps::take_list(const Failure& why) noexcept {
    if (why.error == Errno::enodata || why.error == Errno::eopnotsupp) return {};
    return why ? why : Failure(list_.take(read_->value()));
}

void SetFileAttributesSteps::judge() {
    const client::FileOwner owner = client::FileOwner::of(look_.call.reply.attr, list_);
    wire::SetattrIn& what = request_.call.args;
    if ((what.valid & wire::kSetattrMode) != 0) what.mode = client::mode_for_chmod(*judged_, owner, what.mode);
    const Errno error = client::check_setattr(*judged_, owner, what, client::SetThrough::open_file);
    if (error != Errno::none) return finish(error);
    stage_ = Stage::set;
    want_request(request_);
}

} // namespace vfsproto::posix
