// SPDX-License-Identifier: BSD-2-Clause
// The bytes of files on standard output. With --json they are gathered, and each file becomes an object.
#pragma once

#include "json.hpp"
#include "program.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace vfsproto::cli {

class BytesOutput {
public:
    explicit BytesOutput(Program& program) : program_(program) {}

    // Takes the next bytes of the file that is under way.
    void take(std::span<const std::byte> bytes) {
        if (program_.wants_json()) {
            gathered_.insert(gathered_.end(), bytes.begin(), bytes.end());
        } else {
            program_.out().write(bytes);
        }
    }
    // The file under way has ended; the next bytes are another's.
    void end_file(const std::string& path) {
        if (!program_.wants_json()) return;
        Json object;
        add_name(object, "path", path);
        object.set("size", gathered_.size());
        add_bytes(object, "data", gathered_);
        files_.push_back(object);
        gathered_.clear();
    }
    // All files have ended.
    void finish() {
        if (program_.wants_json()) print_json(program_, files_);
    }

private:
    Program& program_;
    std::vector<std::byte> gathered_;
    Json files_ = Json::array();
};

} // namespace vfsproto::cli
