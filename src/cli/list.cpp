// SPDX-License-Identifier: BSD-2-Clause
// ls.
#include "commands.hpp"
#include "json.hpp"
#include "listed.hpp"
#include "mode.hpp"
#include "name_colors.hpp"
#include "owner.hpp"
#include "paths.hpp"
#include "readable.hpp"

#include <algorithm>

namespace vfsproto::cli {

using namespace abi;

namespace {

enum class Order : std::uint8_t { name, time, size, none };
enum class Colors : std::uint8_t { never, on_terminals, always };

struct ListOptions {
    std::vector<std::string> paths;
    enum class Dotted : std::uint8_t { hidden, but_dots, all } dotted = Dotted::hidden; // names that begin with a dot
    std::optional<Order> order;
    bool reverse = false;
    bool details = false;
    bool recursive = false;
    bool numeric = false;
    bool directory = false;
    bool readable = false;
    Colors colors = Colors::never;
};

std::string size_column(const posix::Attributes& attributes, const ListOptions& options) {
    const std::uint32_t type = file_type(attributes.mode);
    if (type != kSIfblk && type != kSIfchr) {
        return options.readable ? short_size(attributes.size) : std::to_string(attributes.size);
    }
    return fmt::format("{}, {}", device_major(attributes.rdev), device_minor(attributes.rdev));
}

// Names as they are shown: harmless on a terminal, and in colors where these are wanted.
class ShownNames {
public:
    ShownNames(Program& program, const ListOptions& options) : program_(program) {
        const bool on_terminal = options.colors == Colors::on_terminals && program.out().is_terminal();
        if (program.wants_json() || (options.colors != Colors::always && !on_terminal)) return;
        colors_ = NameColors::of_environment();
    }

    [[nodiscard]] bool have_colors() const noexcept { return !colors_.empty(); }

    // Both take an entry of a directory, or with "" one whose name is a path.
    [[nodiscard]] std::string name(const Listed& entry, const std::string& directory) {
        return painted_name(entry, where_it_leads(entry, directory));
    }
    [[nodiscard]] std::string name_and_target(const Listed& entry, const std::string& directory) {
        const File there = where_it_leads(entry, directory);
        std::string name = painted_name(entry, there);
        return entry.has_target() ? name + " -> " + painted_target(entry, there) : name;
    }

private:
    using File = NameColors::File;

    // Returns the file that a link leads to, where the colors depend on it.
    File where_it_leads(const Listed& entry, const std::string& directory) {
        if (!is_symlink(entry.type) || !colors_.asks_for_targets()) return {};
        const std::string path = directory.empty() ? entry.name : join(directory, entry.name);
        const auto there = program_.deep_mount().stat(path);
        if (there) return {there->mode, 1, File::Target::there};
        // A link that leads nowhere is no failure, unless the device failed.
        if (there.failure().is_fatal()) static_cast<void>(program_.succeeded(path, there));
        return {0, 1, File::Target::missing};
    }
    std::string painted_name(const Listed& entry, const File& there) {
        const std::string shown = program_.out().name(entry.name);
        if (colors_.empty()) return shown;
        File file{entry.type, 1, there.target};
        if (entry.details != nullptr) {
            file.mode = entry.details->attributes.mode;
            file.nlink = entry.details->attributes.nlink;
        }
        return colors_.paint(entry.name, shown, file);
    }
    std::string painted_target(const Listed& entry, const File& there) {
        const std::string& target = *entry.details->target;
        const std::string shown = program_.out().name(target);
        switch (there.target) {
        case File::Target::there: return colors_.paint(target, shown, there);
        case File::Target::missing: return colors_.paint_missing(shown);
        default: return shown;
        }
    }

    Program& program_;
    NameColors colors_;
};

// Lines in the form of ls(1), their columns as wide as needed.
class LongListing {
public:
    LongListing(Program& program, const ListOptions& options, ShownNames& names)
        : program_(program), options_(options), names_(names) {}

    // Takes a listing, or a vector of lines.
    template <class Entries> void print(const Entries& entries, const std::string& directory) {
        std::size_t links = 0, user = 0, group = 0, size = 0;
        for (std::size_t i = 0; i < entries.size(); ++i) {
            const Columns columns = columns_of(entries[i]);
            links = std::max(links, columns.links.size());
            user = std::max(user, columns.user.size());
            group = std::max(group, columns.group.size());
            size = std::max(size, columns.size.size());
        }
        for (std::size_t i = 0; i < entries.size(); ++i) {
            const Listed& entry = entries[i];
            const Columns columns = columns_of(entry);
            program_.out().print("{} {:>{}} {:<{}} {:<{}} {:>{}} {} {}\n", mode_of(entry), columns.links, links,
                                 columns.user, user, columns.group, group, columns.size, size, time_of(entry),
                                 names_.name_and_target(entry, directory));
        }
    }

private:
    // Holds what is as wide as the widest of all.
    struct Columns {
        std::string links, user, group, size;
    };

    Columns columns_of(const Listed& entry) const {
        if (entry.details == nullptr) return {"?", "?", "?", "?"};
        const posix::Attributes& attributes = entry.details->attributes;
        Columns columns;
        columns.links = std::to_string(attributes.nlink);
        columns.user = options_.numeric ? std::to_string(attributes.uid) : user_name(attributes.uid);
        columns.group = options_.numeric ? std::to_string(attributes.gid) : group_name(attributes.gid);
        columns.size = size_column(attributes, options_);
        return columns;
    }

    static std::string mode_of(const Listed& entry) {
        return entry.details == nullptr ? "??????????" : mode_string(entry.details->attributes.mode);
    }
    static std::string time_of(const Listed& entry) {
        if (entry.details == nullptr) return "               ?";
        return short_time(static_cast<std::int64_t>(entry.details->attributes.mtime));
    }

    Program& program_;
    const ListOptions& options_;
    ShownNames& names_;
};

// True if `a` stands before `b`: the newest and the largest file first, files that are equal by name.
bool precedes(const PackedEntries::Entry& a, const PackedEntries::Entry& b, Order order) {
    const auto time = [](const PackedEntries::Entry& entry) {
        if (entry.attributes == nullptr) return std::pair(std::int64_t{0}, std::uint32_t{0});
        return std::pair(static_cast<std::int64_t>(entry.attributes->mtime), entry.attributes->mtimensec);
    };
    const auto size = [](const PackedEntries::Entry& entry) {
        return entry.attributes == nullptr ? 0 : entry.attributes->size;
    };
    if (order == Order::time && time(a) != time(b)) return time(a) > time(b);
    if (order == Order::size && size(a) != size(b)) return size(a) > size(b);
    return a.name < b.name;
}

class Listing {
public:
    Listing(Program& program, const ListOptions& options)
        : program_(program),
          options_(options),
          names_(program, options),
          order_(options.order.value_or(program.wants_json() && !options.reverse ? Order::none : Order::name)),
          detail_(options.details || order_ == Order::time || order_ == Order::size || names_.have_colors() ||
                          program.wants_json()
                      ? Detail::attributes
                      : Detail::names) {}

    void run() {
        HeldListing files;
        HeldListing named;
        const std::vector<std::string> paths = program_.or_here(options_.paths);
        for (const std::string& path : paths) sort_out(path, files, named);
        sort(files);
        sort(named);
        if (!files.empty()) show(files, "");
        headings_ = options_.recursive || paths.size() > 1;
        first_ = files.empty();
        for (std::size_t i = 0; i < named.size(); ++i) walk(named[i].name);
    }

private:
    // A directory that the walk is in.
    struct Level {
        std::size_t path_length;   // of the path of the walk
        PackedEntries directories; // in it, in the order in which they are listed
        std::size_t next = 0;      // the one to be listed
    };

    // Lists a directory, and with -R each directory below it.
    void walk(const std::string& path) {
        path_ = path;
        list();
        while (!levels_.empty()) {
            Level& level = levels_.back();
            path_.resize(level.path_length);
            if (level.next == level.directories.size()) {
                levels_.pop_back();
                continue;
            }
            append_name(path_, level.directories[level.next++].name);
            list();
        }
    }

    // Sorts one path of the user in: a directory is listed, a link to one is followed, unless -l or -d is given.
    void sort_out(const std::string& path, HeldListing& files, HeldListing& directories) {
        const bool follow = !options_.directory && !options_.details;
        const auto attributes = program_.mount().stat(path, follow ? posix::LastLink::follow : posix::LastLink::keep);
        // A walk reaches paths that are longer than what may be said.
        if (!attributes && attributes.failure().error == abi::Errno::enametoolong) {
            return program_.report(path, attributes.failure());
        }
        if (attributes && posix::is_directory(attributes->mode) && !options_.directory) {
            Listed directory;
            directory.name = path;
            directory.details = std::make_unique<Listed::Details>();
            directory.details->attributes = *attributes;
            return directories.add(directory);
        }
        // A link that leads nowhere is still there.
        if (const auto file = list_file(program_, path, detail_)) files.add(*file);
    }

    void sort(HeldListing& entries) const {
        if (order_ == Order::none) return;
        entries.sort([this](const PackedEntries::Entry& a, const PackedEntries::Entry& b) {
            return options_.reverse ? precedes(b, a, order_) : precedes(a, b, order_);
        });
    }

    // Lists the directory that the walk has the path of, and enters it with -R.
    void list() {
        const std::string& path = path_;
        const Hidden hidden = options_.dotted == ListOptions::Dotted::hidden ? Hidden::skip : Hidden::show;
        PackedEntries directories;
        if (is_streamed()) {
            start(path);
            if (has_dots()) show(dots_of(path), path);
            each_listed(program_, path, detail_, hidden, [&](const std::vector<Listed>& some) {
                note_directories(path, some, directories);
                show(some, path);
            });
        } else if (auto entries = list_directory(program_, path, detail_, hidden)) {
            sort(*entries);
            note_directories(path, *entries, directories);
            start(path);
            if (has_dots()) add_dots(path, *entries);
            show(*entries, path);
        }
        if (!directories.empty()) levels_.push_back({path.size(), std::move(directories)});
    }

    // True if entries are shown as they come: no column has to be as wide as the widest of all.
    [[nodiscard]] bool is_streamed() const {
        return order_ == Order::none && (program_.wants_json() || !options_.details);
    }
    [[nodiscard]] bool has_dots() const {
        return options_.dotted == ListOptions::Dotted::all && !program_.wants_json();
    }

    // Puts the name of the directory above its entries.
    void start(const std::string& path) {
        if (program_.wants_json()) return;
        if (headings_) program_.out().print("{}{}:\n", first_ ? "" : "\n", program_.out().name(path));
        first_ = false;
    }

    template <class Entries>
    void note_directories(const std::string& path, const Entries& entries, PackedEntries& directories) {
        if (!options_.recursive) return;
        for (std::size_t i = 0; i < entries.size(); ++i) {
            const Listed& entry = entries[i];
            if (is_directory_entry(path, entry)) directories.add({entry.name, kSIfdir});
        }
    }

    bool is_directory_entry(const std::string& path, const Listed& entry) {
        if (entry.type != 0) return entry.type == kSIfdir;
        // The server does not say.
        const auto attributes = program_.deep_mount().stat(join(path, entry.name), posix::LastLink::keep);
        return attributes && posix::is_directory(attributes->mode);
    }

    std::vector<Listed> dots_of(const std::string& path) {
        std::vector<Listed> dots;
        for (const char* name : {".", ".."}) {
            auto entry = list_file(program_, join(path, name), detail_);
            if (!entry) continue;
            entry->name = name;
            dots.push_back(std::move(*entry));
        }
        return dots;
    }

    void add_dots(const std::string& path, HeldListing& entries) {
        const std::vector<Listed> dots = dots_of(path);
        std::for_each(dots.rbegin(), dots.rend(), [&entries](const Listed& dot) { entries.add_first(dot); });
        sort(entries);
    }

    // `directory` is where the entries are; empty: their names are paths.
    template <class Entries> void show(const Entries& entries, const std::string& directory) {
        if (program_.wants_json()) {
            show_json(entries, directory);
        } else if (options_.details) {
            LongListing(program_, options_, names_).print(entries, directory);
        } else {
            for (std::size_t i = 0; i < entries.size(); ++i) {
                program_.out().print("{}\n", names_.name(entries[i], directory));
            }
        }
    }

    template <class Entries> void show_json(const Entries& entries, const std::string& directory) {
        constexpr std::size_t kWriteAt = std::size_t{64} << 10; // bytes
        std::string lines;
        for (std::size_t i = 0; i < entries.size(); ++i) {
            lines.append(json_of(entries[i], directory).dump()).append("\n");
            if (lines.size() < kWriteAt && i + 1 != entries.size()) continue;
            program_.put_lines(lines);
            program_.check();
            lines.clear();
        }
    }

    static Json json_of(const Listed& entry, const std::string& directory) {
        Json object;
        add_text(object, "name", entry.name);
        add_text(object, "path", directory.empty() ? entry.name : join(directory, entry.name));
        if (entry.details != nullptr) add_attributes(object, entry.details->attributes);
        if (entry.has_target()) add_text(object, "target", *entry.details->target);
        return object;
    }

    Program& program_;
    const ListOptions& options_;
    ShownNames names_;
    Order order_;
    Detail detail_;
    bool headings_ = false;
    bool first_ = true;
    std::string path_; // of what is listed; those of the levels are its beginnings
    std::vector<Level> levels_;
};

// Takes the words of ls(1).
bool parse_colors(const std::string& word, Colors& colors) {
    if (word == "always" || word == "yes" || word == "force") {
        colors = Colors::always;
    } else if (word == "auto" || word == "tty" || word == "if-tty") {
        colors = Colors::on_terminals;
    } else if (word == "never" || word == "no" || word == "none") {
        colors = Colors::never;
    } else {
        return false;
    }
    return true;
}

void describe(Arguments& sub, ListOptions& options) {
    sub.add_option("path", options.paths, "files and directories").without_it("/");
    sub.add_flag("-l", options.details, "mode, links, owner, size and time of each");
    using Dotted = ListOptions::Dotted;
    const auto show = [&options](Dotted dotted) { return [&options, dotted] { options.dotted = dotted; }; };
    sub.add_flag("-a,--all", show(Dotted::all), "names that begin with a dot too");
    sub.add_flag("-A,--almost-all", show(Dotted::but_dots), "the same without . and ..");
    sub.add_flag("-R,--recursive", options.recursive, "directories in directories too");
    sub.add_flag(
        "-n,--numeric-uid-gid,--numeric", [&options] { options.details = options.numeric = true; },
        "as -l, with owners as numbers");
    const auto by = [&options](Order order) { return [&options, order] { options.order = order; }; };
    sub.add_flag("-t", by(Order::time), "the file that was changed last first");
    sub.add_flag("-S", by(Order::size), "the largest file first");
    sub.add_flag("-U", by(Order::none), "in the server's order, as they come; with --json this is the default");
    sub.add_flag("-r,--reverse", options.reverse, "in reverse order");
    sub.add_flag("-1", [] {}, "one name a line, as always");
    sub.add_flag("-h,--human-readable", options.readable, "with -l: sizes such as 1.5K, 23M, 4.0G");
    sub.add_flag("-d,--directory", options.directory, "the directory itself, not what is in it");
    sub.add_word(
           "--color", [&options](const std::string& word) { return parse_colors(word, options.colors); },
           "names in colors, by LS_COLORS: always (also without =WHEN), auto (on a terminal) or never")
        .shown_as("WHEN")
        .without_it("never");
    sub.rewrite([](std::string_view word) { return std::string(word == "--color" ? "--color=always" : word); });
}

} // namespace

void add_ls(Commands& commands) {
    commands.add<ListOptions>({"ls", "List files"}, describe,
                              [](Program& program, const ListOptions& options) { Listing(program, options).run(); });
}

} // namespace vfsproto::cli
