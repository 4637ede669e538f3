// SPDX-License-Identifier: BSD-2-Clause
#include "commands.hpp"

namespace vfsproto::cli {

void add_single_commands(Commands& commands) {
    constexpr void (*kFamilies[])(Commands&) = {
        add_info,          add_stats,     add_ls,      add_tree,      add_showing, add_du,    add_find,  add_cat,
        add_head_and_tail, add_sha256sum, add_copying, add_sync_tree, add_names,   add_mv,    add_ln,    add_rm,
        add_attributes,    add_touch,     add_locks,   add_xattrs,    add_watch,   add_bench, add_device};
    for (const auto add : kFamilies) add(commands);
}

} // namespace vfsproto::cli
