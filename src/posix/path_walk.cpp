// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/path_walk.hpp"

#include "path_requests.hpp"

namespace vfsproto::posix {

namespace {

void look_up(Channel& channel, const client::Caller& caller, PathSteps& steps) {
    client::Lookup lookup;
    lookup.call.name = steps.name();
    channel.run(lookup, caller, steps.nodeid());
    take(steps, lookup);
}

void read_link(Channel& channel, const client::Caller& caller, PathSteps& steps) {
    ReadTarget read;
    channel.run(read.operation, caller, steps.nodeid());
    take(steps, read);
}

void get_attributes(Channel& channel, const client::Caller& caller, PathSteps& steps) {
    client::GetAttributes get;
    channel.run(get, caller, steps.nodeid());
    take(steps, get);
}

} // namespace

Failure walk(Channel& channel, const client::Caller& caller, PathSteps& steps) {
    for (;;) {
        if (steps.answer_from_cache()) continue;
        switch (steps.want()) {
        case PathSteps::Want::lookup: look_up(channel, caller, steps); break;
        case PathSteps::Want::readlink: read_link(channel, caller, steps); break;
        case PathSteps::Want::attributes: get_attributes(channel, caller, steps); break;
        case PathSteps::Want::arrived: return {};
        case PathSteps::Want::failed: return steps.failure();
        }
    }
}

} // namespace vfsproto::posix
