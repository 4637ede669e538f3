// SPDX-License-Identifier: BSD-2-Clause
// Fetches one file of the server to this host.
#pragma once

#include "copy.hpp"
#include "local_target.hpp"

#include <string>

namespace vfsproto::cli {

struct IncomingFile {
    const std::string& remote;
    const std::string& local; // for messages
    const posix::Attributes& attributes;
    posix::LastLink last; // whether the remote path may end in a symbolic link
};

// Copies the file to `target` where the options want it copied, with its attributes. Says what failed. Any thread.
FileCopy fetch_file(CopyRun& run, const IncomingFile& file, LocalTarget& target, std::span<std::byte> buffer);

} // namespace vfsproto::cli
