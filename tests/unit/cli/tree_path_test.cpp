// SPDX-License-Identifier: BSD-2-Clause
// The path of a directory of a tree, put together from names.
#include "../../../src/cli/tree_path.hpp"

#include "support/catch.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>

using vfsproto::cli::tree_path;

namespace {

struct Walked {
    std::shared_ptr<Walked> parent;
    std::string name;
    std::optional<std::string> own_path;
};

std::string path_of(const std::shared_ptr<Walked>& directory) { return tree_path(*directory, &Walked::own_path); }

std::shared_ptr<Walked> below(std::shared_ptr<Walked> parent, const std::string& name) {
    return std::make_shared<Walked>(Walked{std::move(parent), name, std::nullopt});
}

} // namespace

TEST_CASE("a directory has the path of the nearest one above that has its own, and the names from there", "[cli]") {
    const auto top = std::make_shared<Walked>(Walked{nullptr, "unused", "/srv"});
    CHECK(path_of(top) == "/srv");
    const auto a = below(top, "a");
    CHECK(path_of(a) == "/srv/a");
    CHECK(path_of(below(below(a, "b"), "c")) == "/srv/a/b/c");
    a->own_path = "elsewhere";
    CHECK(path_of(below(a, "b")) == "elsewhere/b");
    top->own_path = "/";
    a->own_path.reset();
    CHECK(path_of(a) == "/a");
    // A top without a path is where names begin; one with an empty path is the same.
    top->own_path.reset();
    CHECK(path_of(top).empty());
    CHECK(path_of(below(a, "b")) == "a/b");
    top->own_path = "";
    CHECK(path_of(below(a, "b")) == "a/b");
}
