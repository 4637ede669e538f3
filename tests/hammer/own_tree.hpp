// SPDX-License-Identifier: BSD-2-Clause
// A directory that one process alone changes, and a model of what it must hold: each step does one thing to both, and what the
// directory says is compared with the model.
#pragma once

#include "random.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace hammer {

class OwnTree {
public:
    // The directory is made here.
    OwnTree(std::string path, std::uint64_t seed);

    // Does one thing, chosen at random.
    void step();
    // Compares everything there is: names, link counts, sizes, contents.
    void check_all();

private:
    using Content = std::vector<char>;
    struct File {
        Content content{};
        std::size_t links = 0; // names of it here
    };
    using Names = std::map<std::string, std::shared_ptr<File>>;

    [[nodiscard]] std::string path_of(const std::string& name) const { return path_ + "/" + name; }
    [[nodiscard]] std::string some_name() { return "f" + std::to_string(random_.below(kNames)); }
    // Returns a name that is there; end() if there is none.
    [[nodiscard]] Names::iterator some_file();
    [[nodiscard]] Content some_bytes();
    void put_in(File& file, std::size_t at, const Content& bytes) const;
    void drop(const std::string& name);

    void create();
    void write_within();
    void append();
    void cut();
    void write_mapped();
    void rename();
    void link();
    void unlink();
    void compare_one();
    void compare_names();
    void compare(const std::string& name, const File& file) const;
    void use_removed();

    static constexpr std::size_t kNames = 24;
    static constexpr std::size_t kLongest = 96 << 10;   // bytes of a file
    static constexpr std::size_t kMostBytes = 24 << 10; // that one step writes

    std::string path_;
    Random random_;
    Names names_;
};

} // namespace hammer
