// SPDX-License-Identifier: BSD-2-Clause
#include "file_steps.hpp"

#include <utility>

namespace vfsproto::posix {

using wire::Errno;

SetFileAttributesSteps::SetFileAttributesSteps(const NameContext& context, const File& file,
                                               const wire::SetattrIn& what)
    : NameSteps(context), file_(file), judged_(judged_caller(context.cache, context.who)) {
    const Errno unmapped = take_owner(request_.call.args = what, context.cache.ids());
    request_.call.args.valid |= wire::kSetattrFh;
    request_.call.args.fh = file.fh();
    look_.call.args = {wire::kGetattrFh, 0, file.fh()};
    looks_ = judged_ && (what.valid & ~wire::kSetattrSize) != 0; // open(2) has judged who may set the size
    looks_ ? want_request(look_) : want_request(request_);
    // Open files are refused here as well: a server need not remember how a file was opened.
    const bool sets_size = (what.valid & wire::kSetattrSize) != 0;
    const bool only_reads = (file.flags() & wire::linux_abi::kOAccmode) == wire::linux_abi::kORdonly;
    if (judged_ && sets_size && only_reads) finish(Errno::einval);
    if (unmapped != Errno::none) finish(unmapped);
    if (file.nodeid() == 0) finish(Errno::ebadf); // no server gives it: the file is not open
}

void SetFileAttributesSteps::start(client::Client& client, const client::Caller& caller) {
    looks_ ? look_.start(client, caller, file_.nodeid()) : request_.start(client, caller, file_.nodeid());
}

void SetFileAttributesSteps::answered(const Failure& why) {
    if (std::exchange(looks_, false)) {
        const Failure refused = why ? why : Failure(judge());
        return refused ? finish(refused) : want_request(request_);
    }
    note_set(context_.cache, file_.node(), request_, {why, asked_});
    finish(why);
}

Errno SetFileAttributesSteps::judge() noexcept {
    const client::FileOwner owner = client::FileOwner::of(look_.call.reply.attr);
    wire::SetattrIn& what = request_.call.args;
    if ((what.valid & wire::kSetattrMode) != 0) what.mode = client::mode_for_chmod(*judged_, owner, what.mode);
    return client::check_setattr(*judged_, owner, what, client::SetThrough::open_file);
}

} // namespace vfsproto::posix
