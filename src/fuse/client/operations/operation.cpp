// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/operations/operation.hpp"

namespace vfsproto::client {

namespace {

using wire::Errno;
using wire::Opcode;

constexpr EnosysRule kEnosysRules[] = {
    {Opcode::link, Errno::eperm, Remember::yes},           {Opcode::fsync, Errno::none, Remember::yes},
    {Opcode::setxattr, Errno::eopnotsupp, Remember::yes},  {Opcode::getxattr, Errno::eopnotsupp, Remember::yes},
    {Opcode::listxattr, Errno::eopnotsupp, Remember::yes}, {Opcode::removexattr, Errno::eopnotsupp, Remember::yes},
    {Opcode::flush, Errno::none, Remember::yes},           {Opcode::fsyncdir, Errno::none, Remember::yes},
    {Opcode::access, Errno::none, Remember::yes},          {Opcode::bmap, Errno::none, Remember::yes},
    {Opcode::ioctl, Errno::enotty, Remember::no},          {Opcode::poll, Errno::none, Remember::yes},
    {Opcode::fallocate, Errno::eopnotsupp, Remember::yes}, {Opcode::rename2, Errno::einval, Remember::yes},
    {Opcode::syncfs, Errno::none, Remember::yes},          {Opcode::tmpfile, Errno::eopnotsupp, Remember::yes},
};

} // namespace

const EnosysRule* find_enosys_rule(Opcode op) noexcept {
    for (const EnosysRule& rule : kEnosysRules) {
        if (rule.op == op) return &rule;
    }
    return nullptr;
}

Errc Operation::check_entry(const wire::EntryOut& entry) noexcept {
    const Errc errc = wire::check_new_entry(entry);
    // The server counted a lookup, usable or not.
    if (errc != Errc::ok && entry.nodeid > wire::kRootNodeId) orphan_ = entry.nodeid;
    return errc;
}

Errc Operation::check_entry(const wire::EntryOut& entry, std::uint32_t type) noexcept {
    const Errc errc = check_entry(entry);
    if (errc != Errc::ok || wire::linux_abi::file_type(entry.attr.mode) == type) return errc;
    orphan_ = entry.nodeid;
    return Errc::protocol_violation;
}

} // namespace vfsproto::client
