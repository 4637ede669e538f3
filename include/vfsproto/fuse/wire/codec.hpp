// SPDX-License-Identifier: BSD-2-Clause
// Encoding and decoding of every message for both sides: all of it derives from op_table.hpp.
#pragma once

#include "vfsproto/fuse/wire/message_size.hpp"  // IWYU pragma: export
#include "vfsproto/fuse/wire/reply_codec.hpp"   // IWYU pragma: export
#include "vfsproto/fuse/wire/request_codec.hpp" // IWYU pragma: export
