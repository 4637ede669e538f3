// SPDX-License-Identifier: BSD-2-Clause
// readdir(3) and its kin: what they list, once each, and while the directory changes.
#include "kinds.hpp"

#include <algorithm>
#include <dirent.h>
#include <map>
#include <set>

using posix_suite::Kind;
using posix_suite::same_file;
using posix_suite::Suite;

namespace {

struct Listed {
    ino_t number;
    unsigned char type;
    int times;
};

DIR* open_stream(std::string_view name) {
    DIR* const stream = ::opendir(std::string(name).c_str());
    Suite::need(stream != nullptr, name);
    return stream;
}

std::map<std::string, Listed> list(DIR* stream) {
    std::map<std::string, Listed> all;
    while (const dirent* entry = ::readdir(stream)) {
        Listed& each = all[entry->d_name];
        each = {entry->d_ino, entry->d_type, each.times + 1};
    }
    return all;
}

bool each_once(const std::map<std::string, Listed>& all) {
    return std::all_of(all.begin(), all.end(), [](const auto& each) { return each.second.times == 1; });
}

void fill(const Suite& s, const std::string& name, int count) {
    s.make_directory(name);
    const int directory = open_for(s, name, O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < count; ++i)
        s.need(::mknodat(directory, ("file" + std::to_string(i)).c_str(), S_IFREG | 0644, 0) == 0, "mknodat");
    s.need(::close(directory) == 0, "close");
}

} // namespace

POSIX_CASE("readdir lists each entry once, and both dots") {
    make(s, "directory", Kind::empty_directory);
    DIR* const stream = open_stream("directory");
    auto all = list(stream);
    s.equal("an empty directory has two entries", all.size(), 2);
    s.holds("one is a dot", all.contains("."));
    s.holds("one is dot dot", all.contains(".."));
    s.equal("the dot's number is the directory's", all["."].number, s.status("directory").st_ino);
    s.equal("dot dot's number is the parent's", all[".."].number, s.status(".").st_ino);
    s.equal("errno stays at the end", (errno = 0, ::readdir(stream) == nullptr ? errno : -1), 0);
    s.holds("the end stays the end", ::readdir(stream) == nullptr);
    s.write_file("directory/a");
    s.write_file("directory/b");
    ::rewinddir(stream);
    all = list(stream);
    s.equal("rewinddir shows what came since", all.size(), 4);
    s.holds("each once", each_once(all));
    s.need(::unlink("directory/a") == 0, "unlink");
    ::rewinddir(stream);
    s.holds("rewinddir shows what went since", !list(stream).contains("a"));
    s.passes("closedir", ::closedir(stream));
    s.equal("names of an emptied directory",
            (s.need(::unlink("directory/b") == 0, "unlink"), s.names("directory").size()), 0);
}

POSIX_CASE("readdir tells the type and number of each kind") {
    make(s, "file", Kind::file);
    make(s, "directory", Kind::empty_directory);
    make(s, "link", Kind::dangling);
    make(s, "fifo", Kind::fifo);
    s.need(::mknod("socket", S_IFSOCK | 0644, 0) == 0, "mknod");
    auto all = list(open_stream("."));
    const auto type_is = [&](const char* name, unsigned char type) {
        return all[name].type == type || all[name].type == DT_UNKNOWN;
    };
    s.equal("there are seven entries", all.size(), 7);
    s.holds("the type of a file", type_is("file", DT_REG));
    s.holds("the type of a directory", type_is("directory", DT_DIR));
    s.holds("the type of a link", type_is("link", DT_LNK));
    s.holds("the type of a fifo", type_is("fifo", DT_FIFO));
    s.holds("the type of a socket", type_is("socket", DT_SOCK));
    s.holds("the type of a dot", type_is(".", DT_DIR));
    s.holds("the type of dot dot", type_is("..", DT_DIR));
    s.equal("the number of a file", all["file"].number, s.status("file").st_ino);
    s.equal("the number of a directory", all["directory"].number, s.status("directory").st_ino);
    s.equal("the number of a link", all["link"].number, s.status("link").st_ino);
    s.equal("the number of a fifo", all["fifo"].number, s.status("fifo").st_ino);
    s.equal("the number of a socket", all["socket"].number, s.status("socket").st_ino);
    s.need(::link("file", "other") == 0, "link");
    all = list(open_stream("."));
    s.equal("two names of one file have one number", all["other"].number, all["file"].number);
    s.need(::rename("other", "renamed") == 0, "rename");
    all = list(open_stream("."));
    s.equal("a rename keeps the number", all["renamed"].number, all["file"].number);
    s.holds("a rename removes the old name", !all.contains("other"));
}

POSIX_CASE("readdir of a large directory") {
    constexpr int kCount = 2000;
    fill(s, "large", kCount);
    DIR* const stream = open_stream("large");
    auto all = list(stream);
    s.equal("all names and both dots are listed", all.size(), kCount + 2);
    s.holds("each of them once", each_once(all));
    s.holds("the last name made is there", all.contains("file1999"));
    std::set<ino_t> numbers;
    for (const auto& [name, each] : all) numbers.insert(each.number);
    s.equal("no two have one number", numbers.size(), kCount + 2);
    s.equal("d_ino of one is its st_ino", all["file1234"].number, s.status("large/file1234").st_ino);
    ::rewinddir(stream);
    s.equal("rewinddir lists all again", list(stream).size(), kCount + 2);
    const int fd = ::dirfd(stream);
    s.holds("dirfd is the directory", same_file(status_of(s, fd), s.status("large")));
    int removed = 0;
    ::rewinddir(stream);
    while (const dirent* entry = ::readdir(stream)) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") removed += ::unlinkat(fd, name.c_str(), 0) == 0 ? 1 : 0;
    }
    s.equal("unlink of each name as it is read", removed, kCount);
    s.equal("nothing is left then", s.names("large").size(), 0);
    s.passes("rmdir of it", ::rmdir("large"));
}

POSIX_CASE("readdir while entries come and go") {
    constexpr int kCount = 1000;
    fill(s, "large", kCount);
    DIR* const stream = open_stream("large");
    std::map<std::string, int> seen;
    std::set<std::string> removed;
    int step = 0;
    while (const dirent* entry = ::readdir(stream)) {
        ++seen[entry->d_name];
        if (++step % 10 != 0) continue;
        const std::string victim = "file" + std::to_string(step % kCount);
        if (::unlink(("large/" + victim).c_str()) == 0) removed.insert(victim);
        s.write_file("large/new" + std::to_string(step));
        if (step > 10 * kCount) break;
    }
    s.holds("the stream ends", step < 10 * kCount);
    s.holds("no entry is listed twice",
            std::all_of(seen.begin(), seen.end(), [](const auto& each) { return each.second == 1; }));
    int missed = 0;
    for (int i = 0; i < kCount; ++i) {
        const std::string name = "file" + std::to_string(i);
        if (!removed.contains(name) && !seen.contains(name)) ++missed;
    }
    s.equal("each entry that stayed is listed", missed, 0);
    s.holds("some were removed", removed.size() >= 50);
    ::rewinddir(stream);
    const auto after = list(stream);
    s.holds("rewinddir lists none that was removed",
            std::none_of(removed.begin(), removed.end(), [&](const auto& name) { return after.contains(name); }));
    s.equal("rewinddir lists what is there", after.size(), s.names("large").size() + 2);
}

POSIX_CASE("telldir and seekdir come back to a place") {
    constexpr int kCount = 300;
    fill(s, "large", kCount);
    DIR* const stream = open_stream("large");
    std::vector<std::string> order;
    std::vector<long> places;
    for (;;) {
        places.push_back(::telldir(stream));
        const dirent* const entry = ::readdir(stream);
        if (entry == nullptr) break;
        order.emplace_back(entry->d_name);
    }
    s.equal("readdir lists all", order.size(), kCount + 2);
    s.equal("no two places are one", std::set<long>(places.begin(), places.end()).size(), places.size());
    const auto name_at = [&](std::size_t index) -> std::string {
        ::seekdir(stream, places[index]);
        const dirent* const entry = ::readdir(stream);
        return entry != nullptr ? entry->d_name : "";
    };
    s.equal("seekdir to the first", name_at(0), order[0]);
    s.equal("seekdir to the second", name_at(1), order[1]);
    s.equal("seekdir to the middle", name_at(150), order[150]);
    s.equal("seekdir to the last", name_at(kCount + 1), order[kCount + 1]);
    s.equal("seekdir to the end", name_at(kCount + 2), std::string());
    s.equal("seekdir back from the end", name_at(77), order[77]);
    bool is_so = true;
    for (std::size_t i = order.size(); i-- > 0;) is_so = is_so && name_at(i) == order[i];
    s.holds("seekdir to each, backwards", is_so);
    ::seekdir(stream, places[200]);
    s.equal("telldir after seekdir", ::telldir(stream), places[200]);
    s.equal("what follows a place is the rest", list(stream).size(), order.size() - 200);
    ::rewinddir(stream);
    s.equal("telldir after rewinddir", ::telldir(stream), places[0]);
    s.equal("the first after rewinddir", std::string(::readdir(stream)->d_name), order[0]);
    s.need(::unlink(("large/" + order[160]).c_str()) == 0 || order[160][0] == '.', "unlink");
    s.equal("seekdir to a place before what was removed", name_at(100), order[100]);
    s.equal("seekdir to a place after what was removed", name_at(250), order[250]);
}

POSIX_CASE("opendir, fdopendir and two streams of one directory") {
    make(s, "directory", Kind::full_directory);
    make(s, "file", Kind::file);
    make(s, "link", Kind::link_to_directory);
    const auto opens = [](DIR* stream) { return stream != nullptr ? 0 : -1; };
    s.passes("opendir of a directory", opens(::opendir("directory")));
    s.passes("opendir of a link to a directory", opens(::opendir("link")));
    s.fails("opendir of a file", ENOTDIR, opens(::opendir("file")));
    s.fails("opendir of an absent name", ENOENT, opens(::opendir("absent")));
    s.fails("opendir of an empty path", ENOENT, opens(::opendir("")));
    s.fails("fdopendir of a file", ENOTDIR, opens(::fdopendir(open_for(s, "file", O_RDONLY))));
    s.fails("fdopendir of no descriptor", EBADF, opens(::fdopendir(-1)));
    DIR* const one = open_stream("directory");
    DIR* const other = ::fdopendir(open_for(s, "directory", O_RDONLY | O_DIRECTORY));
    s.passes("fdopendir of a directory", opens(other));
    s.need(other != nullptr, "fdopendir");
    s.equal("the first stream lists all", list(one).size(), 3);
    s.equal("the second stream lists all by itself", list(other).size(), 3);
    s.need(::rename("directory", "moved") == 0, "rename");
    ::rewinddir(one);
    s.holds("a stream lists a directory that was moved", list(one).contains("inside"));
    s.equal("the descriptor of opendir closes on exec", ::fcntl(::dirfd(one), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    s.equal("lseek to the beginning is rewinddir for another stream", ::lseek(::dirfd(other), 0, SEEK_SET), 0);
}
