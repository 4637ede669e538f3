// SPDX-License-Identifier: BSD-2-Clause
// mkdir(2) and rmdir(2).
#include "suite.hpp"

#include <fcntl.h>
#include <unistd.h>

POSIX_CASE("mkdir makes an empty directory with a link of its own") {
    s.passes("mkdir of a new name", ::mkdir(s.path("new").c_str(), 0755));
    const struct stat found = s.status("new");
    s.holds("it is a directory", S_ISDIR(found.st_mode));
    s.equal("its mode", found.st_mode & 07777, 0755);
    s.equal("it is empty", s.names("new").size(), 0);
    s.fails("mkdir of a name that is there", EEXIST, ::mkdir(s.path("new").c_str(), 0755));
    s.fails("mkdir below what is not there", ENOENT, ::mkdir(s.path("absent/new").c_str(), 0755));
    s.write_file("file");
    s.fails("mkdir below a file", ENOTDIR, ::mkdir(s.path("file/new").c_str(), 0755));
    s.fails("mkdir of a file's name", EEXIST, ::mkdir(s.path("file").c_str(), 0755));
}
