// SPDX-License-Identifier: BSD-2-Clause
#include "subject.hpp"

namespace model {

std::string Subject::apply(const Operation& operation) {
    switch (operation.kind) {
    case Kind::mkdir:
    case Kind::rmdir:
    case Kind::unlink:
    case Kind::rename:
    case Kind::link:
    case Kind::symlink:
    case Kind::readlink:
    case Kind::list: return on_names(operation);
    case Kind::truncate:
    case Kind::stat:
    case Kind::lstat:
    case Kind::chmod:
    case Kind::set_times:
    case Kind::set_xattr:
    case Kind::get_xattr:
    case Kind::remove_xattr:
    case Kind::list_xattrs: return on_attributes(operation);
    default: return on_open_file(operation);
    }
}

} // namespace model
