// SPDX-License-Identifier: BSD-2-Clause
// Sends one file of this host to the server.
#pragma once

#include "copy.hpp"

#include <sys/stat.h>

#include <string>

namespace vfsproto::cli {

// A source that is open for reading, and the path of its copy.
struct OutgoingFile {
    int fd;
    const std::string& local; // for messages; "-" is standard input
    const std::string& remote;
    posix::Attributes attributes; // from before it was opened, so that a later change of the file shows
    Existing existing;
};

// Copies the file where the options want it copied, with its attributes. Says what failed. Any thread.
FileCopy send_file(CopyRun& run, const OutgoingFile& file, std::span<std::byte> buffer);

} // namespace vfsproto::cli
