// SPDX-License-Identifier: BSD-2-Clause
// The subject under test: steps go through posix::Mount, its rings and a server.
#pragma once

#include "subject.hpp"

#include "vfsproto/posix/mount.hpp"

namespace model {

class MountSubject final : public Subject {
public:
    explicit MountSubject(vfsproto::posix::Mount& mount) : mount_(mount) {}

    [[nodiscard]] std::string whole_tree() override;

private:
    [[nodiscard]] std::string on_names(const Operation& operation) override;
    [[nodiscard]] std::string on_attributes(const Operation& operation) override;
    [[nodiscard]] std::string on_open_file(const Operation& operation) override;
    [[nodiscard]] std::string list(const std::string& path);
    void add_tree(const std::string& path, std::string& out);

    vfsproto::posix::Mount& mount_;
    vfsproto::posix::File files_[kOpenFiles];
};

} // namespace model
