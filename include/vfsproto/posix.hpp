// SPDX-License-Identifier: BSD-2-Clause
// Everything for programs that want files without Asio: a mount, its files, many requests of one thread, devices by name. The
// calls for Asio stand in posix/async_mount.hpp, which is to be included before any header of Asio.
#pragma once

// IWYU pragma: begin_exports
#include "vfsproto/posix/channel_stats.hpp"
#include "vfsproto/posix/credentials.hpp"
#include "vfsproto/posix/failure.hpp"
#include "vfsproto/posix/file.hpp"
#include "vfsproto/posix/io_queue.hpp"
#include "vfsproto/posix/lock.hpp"
#include "vfsproto/posix/mapped_files.hpp"
#include "vfsproto/posix/mount.hpp"
#include "vfsproto/posix/mount_options.hpp"
#include "vfsproto/posix/mount_stats.hpp"
#include "vfsproto/posix/open_device.hpp"
#include "vfsproto/posix/read_pool.hpp"
#include "vfsproto/posix/reconnecting_mount.hpp"
#include "vfsproto/posix/stop_source.hpp"
// IWYU pragma: end_exports
