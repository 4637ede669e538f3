// SPDX-License-Identifier: BSD-2-Clause
// Prints docs/operations.md:  c++ -std=c++20 -Iinclude tools/print_op_table.cpp && ./a.out > docs/operations.md
#include "op_table_markdown.hpp"

#include <cstdio>

int main() { return std::fputs(vfsproto::tools::op_table_markdown().c_str(), stdout) < 0 ? 1 : 0; }
