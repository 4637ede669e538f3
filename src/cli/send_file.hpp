// SPDX-License-Identifier: BSD-2-Clause
// Sends one file of this host to the server.
#pragma once

#include "copy.hpp"

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

// A source that is not opened in vain: a FIFO whose writer would notice, a device that does something then.
struct Pipe {
    const std::string& local;
    const std::string& remote;
    posix::Attributes attributes;
};

// True if it is to be opened and copied. In a dry run says what would be done instead. Any thread.
[[nodiscard]] bool wants_pipe(CopyRun& run, const Pipe& pipe);

// Copies the file where the options want it copied, with its attributes. Says what failed. Any thread.
FileCopy send_file(CopyRun& run, const OutgoingFile& file, std::span<std::byte> buffer);

} // namespace vfsproto::cli
