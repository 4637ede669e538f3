// SPDX-License-Identifier: BSD-2-Clause
// An outside program that uses the freestanding core alone.
#include <vfsproto/base/errc.hpp>
#include <vfsproto/client.hpp>
#include <vfsproto/fuse/wire/op_table.hpp>

#include <cstdio>

int main() {
    // The library has this function template compiled, and shows it.
    using Lane = vfsproto::client::RequestLane<vfsproto::QueueRef>;
    void (Lane::* volatile start)(vfsproto::client::Transfer&, const vfsproto::client::TransferSpan&,
                                  const vfsproto::client::Caller&) noexcept =
        &Lane::start<vfsproto::wire::Opcode::read>;
    if (start == nullptr) return 1;
    std::puts(vfsproto::to_string(vfsproto::Errc::queue_full));
    return vfsproto::wire::OpTable::size > 40 ? 0 : 1;
}
