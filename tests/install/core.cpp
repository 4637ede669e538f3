// SPDX-License-Identifier: BSD-2-Clause
// An outside program that uses the freestanding core alone.
#include <vfsproto/base/errc.hpp>
#include <vfsproto/fuse/wire/op_table.hpp>

#include <cstdio>

int main() {
    std::puts(vfsproto::to_string(vfsproto::Errc::queue_full));
    return vfsproto::wire::OpTable::size > 40 ? 0 : 1;
}
