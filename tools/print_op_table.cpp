// SPDX-License-Identifier: BSD-2-Clause
// Prints docs/operations.md: the op table, for people. `./dev check operations` compares; `--fix` rewrites the page.
#include "vfsproto/fuse/wire/op_table.hpp"

#include <cstdio>

namespace {

using namespace vfsproto::wire;

const char* text(InTail tail) {
    constexpr const char* kText[] = {"", "name", "name, name", "name, bytes", "bytes", "records"};
    return kText[static_cast<std::size_t>(tail)];
}

const char* text(OutTail tail) {
    constexpr const char* kText[] = {"", "bytes", "dirents", "direntpluses", "size or bytes"};
    return kText[static_cast<std::size_t>(tail)];
}

const char* text(ReplyOwed reply) {
    constexpr const char* kText[] = {"always", "never", "on error"};
    return kText[static_cast<std::size_t>(reply)];
}

template <class R> void print_row() {
    std::printf("| %u | %s | 7.%u | %s | %zu | %s | %zu | %s | %s | %s |\n", static_cast<unsigned>(R::opcode), R::name,
                static_cast<unsigned>(R::since), R::traits.queue == QueueKind::hiprio ? "hiprio" : "request",
                R::in_size, text(R::in_tail), R::out_size, text(R::out_tail), text(R::traits.reply),
                R::traits.blocking == Blocking::may ? "may" : "");
}

template <class... Rows> void print_rows(RowList<Rows...>) { (print_row<Rows>(), ...); }

} // namespace

int main() {
    std::puts("# FUSE operations\n\n"
              "Made from `include/vfsproto/fuse/wire/op_table.hpp` by `./dev check operations --fix`; do not edit.\n"
              "Sizes are bytes of the fixed struct after the header; \"then\" is what follows it. \"Since\" is the FUSE\n"
              "version an operation came with; \"blocks\" marks those a server may hold back.\n\n"
              "| opcode | name | since | queue | request | then | reply | then | reply owed | blocks |\n"
              "|---|---|---|---|---|---|---|---|---|---|");
    print_rows(OpTable{});
}
