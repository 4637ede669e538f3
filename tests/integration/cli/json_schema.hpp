// SPDX-License-Identifier: BSD-2-Clause
// The schema is what docs/cli.md says of the lines that each command prints with --json.
#pragma once

#include "integration/cli/json_lines.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace vfsproto::test {

struct JsonKey {
    std::string name; // "copied.files": a member of the object `copied`
    std::string type;
    std::string there; // begins with "always", or says when

    [[nodiscard]] bool is_always() const { return there.starts_with("always"); }
};

class JsonSchema {
public:
    // Reads the page. Throws when it has another form.
    JsonSchema();

    // Returns the commands that have a section.
    [[nodiscard]] std::set<std::string> commands() const;
    [[nodiscard]] const std::vector<JsonKey>& keys(const std::string& section) const;

private:
    std::map<std::string, std::vector<JsonKey>> sections_;
    std::set<const std::vector<JsonKey>*> silent_; // the sections that need no keys
};

// The lines of one command, or of one kind of line, compared with the page.
class JsonLines {
public:
    // Takes lines as they were printed. Each must be an object.
    void add(const std::string& text);
    // Returns what differs from these keys, a line each: keys that the page does not have, keys of another type, and keys that are
    // not there though the page says so. `elsewhere` are beginnings of what the page says of keys that no line here can have.
    [[nodiscard]] std::string difference(const std::vector<JsonKey>& keys,
                                         const std::vector<std::string>& elsewhere) const;

private:
    std::vector<std::map<std::string, std::string>> lines_; // type by key
};

} // namespace vfsproto::test
