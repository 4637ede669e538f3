// SPDX-License-Identifier: BSD-2-Clause
#include "integration/cli/json_schema.hpp"

#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace vfsproto::test {
namespace {

const std::string kAttributes = "Attributes of a file";

using Types = std::map<std::string, std::string>;

// Notes the type of each member, those of objects in it by "outer.inner".
void note_types(const nlohmann::json& object, const std::string& before, Types& types) {
    for (const auto& [key, value] : object.items()) {
        const bool is_twin = key.ends_with("_base64") && object.contains(key.substr(0, key.size() - 7));
        if (is_twin) continue;
        types[before + key] = value.type_name();
        if (value.is_object()) note_types(value, before + key + '.', types);
    }
}

bool begins_with_one_of(const std::string& text, const std::vector<std::string>& beginnings) {
    return std::any_of(beginnings.begin(), beginnings.end(),
                       [&](const std::string& beginning) { return text.starts_with(beginning); });
}

} // namespace

JsonSchema::JsonSchema() {
    std::ifstream page(std::string(VFSPROTO_SOURCE_DIR) + "/docs/cli.md");
    static const std::regex heading("### `?([^`]+)`?");
    static const std::regex row("\\| (`([\\w.]+)`|\\*attributes\\*) \\| ([\\w ]*) \\| (.*) \\|");
    static const std::regex alias("As `([\\w ]+)`.*");
    std::vector<JsonKey>* keys = nullptr;
    std::smatch found;
    for (std::string line; std::getline(page, line);) {
        if (line.starts_with("## ")) keys = nullptr;
        if (std::regex_match(line, found, heading)) keys = &sections_[found[1]];
        if (keys == nullptr) continue;
        if (line.starts_with("It prints nothing of its own")) silent_.insert(keys);
        if (std::regex_match(line, found, alias)) *keys = this->keys(found[1]);
        if (!std::regex_match(line, found, row)) continue;
        if (found[2].matched) {
            keys->push_back({found[2], found[3], found[4]});
        } else {
            const auto& attributes = this->keys(kAttributes);
            keys->insert(keys->end(), attributes.begin(), attributes.end());
        }
    }
    if (sections_.empty()) throw std::runtime_error("docs/cli.md has no sections");
}

std::set<std::string> JsonSchema::commands() const {
    std::set<std::string> names;
    for (const auto& [name, keys] : sections_) {
        if (name != kAttributes && name != "Errors") names.insert(name);
    }
    return names;
}

const std::vector<JsonKey>& JsonSchema::keys(const std::string& section) const {
    const auto found = sections_.find(section);
    const bool is_silent = found != sections_.end() && silent_.contains(&found->second);
    if (found == sections_.end() || (found->second.empty() && !is_silent))
        throw std::runtime_error("no keys of " + section);
    return found->second;
}

void JsonLines::add(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const auto value = nlohmann::json::parse(line);
        if (!value.is_object()) throw std::runtime_error("no object: " + line);
        note_types(value, "", lines_.emplace_back());
    }
}

std::string JsonLines::difference(const std::vector<JsonKey>& keys, const std::vector<std::string>& elsewhere) const {
    std::set<std::string> said;
    std::map<std::string, std::string> documented;
    for (const JsonKey& key : keys) documented[key.name] = key.type;
    for (const Types& line : lines_) {
        for (const auto& [name, type] : line) {
            const auto known = documented.find(name);
            if (known == documented.end()) {
                said.insert("not in the page: " + name);
            } else if (known->second.find(type) == std::string::npos) {
                said.insert("the type of " + name + " is " + type);
            }
        }
    }
    for (const JsonKey& key : keys) {
        const auto count =
            std::count_if(lines_.begin(), lines_.end(), [&](const Types& line) { return line.contains(key.name); });
        if (count == 0 && !begins_with_one_of(key.there, elsewhere)) said.insert("never seen: " + key.name);
        if (key.is_always() && static_cast<std::size_t>(count) != lines_.size()) {
            said.insert("not always there: " + key.name);
        }
    }
    std::string text;
    for (const std::string& each : said) text.append(each).append("\n");
    return text;
}

} // namespace vfsproto::test
