// SPDX-License-Identifier: BSD-2-Clause
// An outside program that uses the whole library.
#include <vfsproto/backends/attachment.hpp>
#include <vfsproto/base/errc.hpp>

#include <cstdio>

int main() { std::puts(vfsproto::to_string(vfsproto::Errc::queue_full)); }
