// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/path_walk.hpp"

#include "path_requests.hpp"

namespace vfsproto::posix {

namespace {

void look_up(Channel& channel, PathSteps& steps) {
    client::Lookup lookup;
    lookup.call.name = steps.name();
    channel.run(lookup, steps.nodeid());
    take(steps, lookup);
}

void read_link(Channel& channel, PathSteps& steps) {
    ReadTarget read;
    channel.run(read.operation, steps.nodeid());
    take(steps, read);
}

void get_attributes(Channel& channel, PathSteps& steps) {
    client::GetAttributes get;
    channel.run(get, steps.nodeid());
    take(steps, get);
}

} // namespace

Failure walk(Channel& channel, PathSteps& steps) {
    for (;;) {
        switch (steps.want()) {
        case PathSteps::Want::lookup: look_up(channel, steps); break;
        case PathSteps::Want::readlink: read_link(channel, steps); break;
        case PathSteps::Want::attributes: get_attributes(channel, steps); break;
        case PathSteps::Want::arrived: return {};
        case PathSteps::Want::failed: return steps.failure();
        }
    }
}

} // namespace vfsproto::posix
