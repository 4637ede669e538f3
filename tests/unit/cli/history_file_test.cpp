// SPDX-License-Identifier: BSD-2-Clause
// The history keeps what several shells append, for its owner alone, and does not grow for ever.
#include "../../../src/cli/history_file.hpp"
#include "support/catch.hpp"
#include "support/scratch_directory.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

using vfsproto::cli::HistoryFile;
using vfsproto::test::ScratchDirectory;
namespace fs = std::filesystem;

TEST_CASE("two shells keep the lines of both", "[cli]") {
    const ScratchDirectory scratch;
    const std::string path = (scratch.path() / "history").string();
    const HistoryFile one(path);
    const HistoryFile other(path);
    CHECK(one.load().empty());
    one.append("ls");
    other.append("cat file");
    one.append("rm x");
    CHECK(other.load() == std::vector<std::string>{"ls", "cat file", "rm x"});
    struct stat info{};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("a long history is cut to its latest lines", "[cli]") {
    const ScratchDirectory scratch;
    const std::string path = (scratch.path() / "history").string();
    const HistoryFile history(path);
    constexpr std::size_t kLines = 2 * HistoryFile::kMostLines + 1;
    for (std::size_t i = 0; i < kLines; ++i) history.append(std::to_string(i));
    const auto lines = history.load();
    REQUIRE(lines.size() == HistoryFile::kMostLines);
    CHECK(lines.back() == std::to_string(kLines - 1));
    CHECK(history.load() == lines);
    CHECK(std::distance(fs::directory_iterator(scratch.path()), fs::directory_iterator()) == 1);
    CHECK(fs::file_size(path) < 8 * HistoryFile::kMostLines);
}

TEST_CASE("a history that cannot be kept is none, and no link is written through", "[cli]") {
    const HistoryFile nowhere(std::string{});
    nowhere.append("ls");
    CHECK(nowhere.load().empty());
    const ScratchDirectory scratch;
    std::ofstream(scratch.path() / "precious") << "text\n";
    fs::create_symlink("precious", scratch.path() / "history");
    HistoryFile((scratch.path() / "history").string()).append("ls");
    CHECK(fs::file_size(scratch.path() / "precious") == 5);
}
