// SPDX-License-Identifier: BSD-2-Clause
#include "../../../tools/op_table_markdown.hpp"

#include "support/catch.hpp"

#include <fstream>
#include <sstream>

TEST_CASE("docs/operations.md is what the op table says", "[wire]") {
    std::ifstream file(VFSPROTO_SOURCE_DIR "/docs/operations.md");
    std::stringstream text;
    text << file.rdbuf();
    CHECK(text.str() == vfsproto::tools::op_table_markdown());
}
