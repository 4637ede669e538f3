// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/path_walk.hpp"

#include "path_requests.hpp"

namespace vfsproto::posix {

namespace {

[[nodiscard]] auto held_by(const PathSteps& steps) noexcept {
    return [&steps] { return steps.held(); };
}

void look_up(MountCall& call, PathSteps& steps) {
    client::Lookup lookup;
    lookup.call.name = steps.name();
    call.run(held_by(steps), lookup, steps.nodeid());
    take(steps, lookup);
}

void read_link(MountCall& call, PathSteps& steps) {
    ReadTarget read;
    call.run(held_by(steps), read.operation, steps.nodeid());
    take(steps, read);
}

void get_attributes(MountCall& call, PathSteps& steps) {
    client::GetAttributes get;
    call.run(held_by(steps), get, steps.nodeid());
    take(steps, get);
}

void get_access_list(MountCall& call, PathSteps& steps) {
    ReadAccessList read(call.channel().max_bounced());
    call.run(held_by(steps), read.operation, steps.nodeid());
    take(steps, read);
}

} // namespace

Failure walk(MountCall& call, PathSteps& steps) {
    for (;;) {
        if (steps.answer_from_cache()) continue;
        switch (steps.want()) {
        case PathSteps::Want::lookup: look_up(call, steps); break;
        case PathSteps::Want::readlink: read_link(call, steps); break;
        case PathSteps::Want::attributes: get_attributes(call, steps); break;
        case PathSteps::Want::access_list: get_access_list(call, steps); break;
        case PathSteps::Want::arrived: return {};
        case PathSteps::Want::failed: return steps.failure();
        }
    }
}

} // namespace vfsproto::posix
