// SPDX-License-Identifier: BSD-2-Clause
// Everything a file system of your own needs, and the lane that serves it. Freestanding.
#pragma once

// IWYU pragma: begin_exports
#include "vfsproto/fuse/server/answer_sink.hpp"
#include "vfsproto/fuse/server/change_sink.hpp"
#include "vfsproto/fuse/server/dirent_writer.hpp"
#include "vfsproto/fuse/server/file_system.hpp"
#include "vfsproto/fuse/server/notifier.hpp"
#include "vfsproto/fuse/server/server_lane.hpp"
#include "vfsproto/fuse/server/server_session.hpp"
// IWYU pragma: end_exports
