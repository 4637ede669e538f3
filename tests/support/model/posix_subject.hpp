// SPDX-License-Identifier: BSD-2-Clause
// The reference: plain POSIX calls in a directory of the host.
#pragma once

#include "subject.hpp"

#include <sys/stat.h>

namespace model {

class PosixSubject final : public Subject {
public:
    explicit PosixSubject(std::string root) : root_(std::move(root)) {}
    ~PosixSubject() override;

    [[nodiscard]] std::string whole_tree() override;

private:
    [[nodiscard]] std::string at(const std::string& path) const { return root_ + path; }
    [[nodiscard]] std::string on_names(const Operation& operation) override;
    [[nodiscard]] std::string on_attributes(const Operation& operation) override;
    [[nodiscard]] std::string on_open_file(const Operation& operation) override;
    [[nodiscard]] std::string list(const std::string& path) const;
    void add_tree(const std::string& path, std::string& out) const;

    std::string root_;
    int files_[kOpenFiles] = {-1, -1, -1, -1, -1, -1};
};

} // namespace model
