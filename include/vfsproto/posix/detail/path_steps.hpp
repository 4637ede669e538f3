// SPDX-License-Identifier: BSD-2-Clause
// Walks from a path to a node, as steps without I/O: it says which request it wants next and is told the answer. Paths are
// resolved as POSIX says, limits included: one LOOKUP a component; symbolic links are read and followed; ".." is resolved
// here and never leaves the root, so no server is asked for it.
//
// Where the mount judges permissions, each directory on the way has to let the caller search it. Where the server agreed that the client
// evaluates access control lists (POSIX_ACL), the list of a file that its caller depends on is asked for before it is judged by.
//
//   steps.to_file("/a/b", LastLink::follow);
//   while (want() is lookup, readlink, attributes or access_list)
//     unless answer_from_cache(): make that request of nodeid(), then handle_…() its answer
#pragma once

#include "vfsproto/fuse/client/permissions.hpp"
#include "vfsproto/posix/detail/look.hpp"
#include "vfsproto/posix/detail/node_cache.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::posix {

enum class LastLink : std::uint8_t; // mount.hpp

inline constexpr int kMaxLinks = 40; // symbolic links followed in one walk, then ELOOP

// Tells how long a path may be as it is said: as PATH_MAX has it, or as long as a walk has become.
enum class PathLength : std::uint8_t { limited, any };

// Says where paths begin that begin with no slash, "" for the root, and how long paths may be. The text outlives the walks.
struct PathOrigin {
    std::string_view directory{};
    PathLength length = PathLength::limited;
};

// One walk, one thread at a time. Methods come in three kinds: commands, inputs, getters.
class PathSteps {
public:
    enum class Want : std::uint8_t {
        lookup,      // LOOKUP of name() in nodeid()
        readlink,    // READLINK of nodeid()
        attributes,  // GETATTR of nodeid()
        access_list, // GETXATTR of kAccessListName of nodeid(), with room for client::AccessList::kMostBytes
        arrived,
        failed, // see failure()
    };
    // The last component of a path; all but a name mean the directory parent() itself.
    enum class Ending : std::uint8_t { root, dot, dot_dot, name };

    enum class ParentAttributes : std::uint8_t { unneeded, wanted };

    // `who` is the caller if his permissions are judged here, on the way to where paths begin too.
    explicit PathSteps(NodeCache& cache, Look look = Look::as_kept, const PathOrigin& from = {},
                       const std::optional<client::Subject>& who = {})
        : cache_(cache), from_(from), look_(look), who_(who) {}

    // Has the walk judge whether the caller may go there, and nothing of the file it leads to but what its mode says. Call before it begins.
    void judge_way_alone() noexcept { judges_file_ = false; }
    // Walks to the directory that holds the last component; then parent() and name() are valid, and with
    // ParentAttributes::wanted attributes() are the directory's.
    void to_parent(std::string_view path, ParentAttributes attributes = ParentAttributes::unneeded);
    // Walks to the file itself; then node() and attributes() are valid. For "keep", a symbolic link as the last
    // component is the file.
    void to_file(std::string_view path, LastLink last);
    // Looks the last name up, without following it. Call when the walk has arrived at the parent.
    void look_up_last();
    // Walks on to the parent of what a symbolic link points to. Call when the walk has arrived at one.
    void follow_found_link();

    // True if what is wanted is known: the steps have gone on. Else the request is to be made now. The last name of a parent
    // (look_up_last()) is always asked for.
    [[nodiscard]] bool answer_from_cache();
    // The answer to what was wanted. ESTALE somewhere on the way starts the walk once more from the root (something was
    // replaced behind our back). A server out of descriptors is given back all idle nodes, and the directories that were passed
    // on the way, and asked once more.
    void handle_entry(const wire::EntryOut& entry);
    void handle_absent(const wire::EntryOut& negative); // an entry of the nodeid 0
    void handle_target(std::string_view target);
    void handle_attributes(const wire::AttrOut& answer);
    void handle_access_list(std::string value);
    void handle_failure(const Failure& why);

    // True if the walk to the file was answered from a cache, in part or all; then it may be walked again without. Call when
    // the file was refused as stale.
    [[nodiscard]] bool walk_again_without_cache();

    [[nodiscard]] Want want() const noexcept { return want_; }
    [[nodiscard]] const Failure& failure() const noexcept { return failure_; }
    [[nodiscard]] std::uint64_t nodeid() const noexcept {
        return want_ == Want::lookup ? parent().nodeid() : node_.nodeid();
    }
    // Keeps the node that the request names.
    [[nodiscard]] Held held() const { return (want_ == Want::lookup ? parent() : node_).hold(); }
    // The component in question; once arrived, the last one, or empty when the path ended in no name.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const NodeRef& parent() const noexcept { return stack_.back().node; }
    [[nodiscard]] Ending ending() const noexcept { return ending_; }
    // True if a slash stood behind the last name. Then it must be a directory.
    [[nodiscard]] bool must_be_directory() const noexcept { return must_be_directory_; }
    [[nodiscard]] NodeRef& node() noexcept { return node_; }
    [[nodiscard]] const NodeRef& node() const noexcept { return node_; }
    [[nodiscard]] const wire::Attr& attributes() const noexcept { return attributes_; }
    // These judge what the caller may do where the walk has arrived; they allow everything where the server judges. The first two are
    // about the parent, and about the file that was looked up in it.
    [[nodiscard]] Failure check_making() const noexcept;
    [[nodiscard]] Failure check_removal() const noexcept;
    // Returns what the file, that attributes() are of, is judged by.
    [[nodiscard]] client::FileOwner owner() const noexcept {
        return client::FileOwner::of(attributes_, file_list_.parsed);
    }
    // `mask`: R_OK and so on, of the file.
    [[nodiscard]] Failure check_access(std::uint32_t mask) const noexcept;
    [[nodiscard]] const std::optional<client::Subject>& judged() const noexcept { return who_; }
    [[nodiscard]] bool found_link() const noexcept { return abi::is_symlink(attributes_.mode); }

private:
    enum class Goal : std::uint8_t { parent, file };
    // The list of a file, once it is known.
    struct List {
        client::AccessList parsed{};
        AccessListBytes bytes{}; // nullptr: it was not asked for
    };
    struct Passed {
        NodeRef node;
        std::optional<client::FileOwner> owner{}; // as far as it is known
        List list{};
    };

    void begin(std::string_view path, Goal goal, LastLink last);
    void begin_again();
    void advance();
    void reach_parent();
    void want_last();
    [[nodiscard]] bool take_from_cache();
    [[nodiscard]] bool take_name_from_cache();
    void want_lookup();
    [[nodiscard]] bool knows_parent() const noexcept;
    [[nodiscard]] bool may_search_parent() const noexcept;
    void judge_parent();
    void go_on_judging();
    void take_attributes();
    [[nodiscard]] bool lacks_list(const client::FileOwner& file, const List& list) const noexcept;
    enum class ListOf : std::uint8_t { parent, file };
    void want_list(ListOf which);
    void take_list(AccessListBytes bytes);
    void take_found();
    void refuse(abi::Errno why);
    void take_entry();
    void enter_middle();
    void reach_file();
    void read_link();
    void follow(std::string_view target);
    void enter_again(std::string_view rest);
    void leave_ancestors() noexcept;
    void arrive() noexcept;
    void fail(const Failure& why) noexcept;

    NodeCache& cache_;
    PathOrigin from_;
    std::string path_; // as given, from the root
    std::string rest_; // a link's target is put in front of what is left
    std::size_t at_ = 0;
    // The directories from the root to the parent. Only the root and the last few are used, because each costs the server a
    // descriptor; the others are empty. ".." may lead to one of those, which is walked to again.
    std::vector<Passed> stack_;
    std::string way_; // from the root to the parent without links and dots: "/a/b", empty for the root
    std::string name_;
    NodeRef node_;
    wire::Attr attributes_{};
    Failure failure_{};
    int links_ = 0;
    Want want_ = Want::failed;
    Goal goal_ = Goal::parent;
    ParentAttributes parent_attributes_ = ParentAttributes::unneeded;
    LastLink last_{};
    Ending ending_ = Ending::root;
    Ending next_dot_ = Ending::dot; // what "." as the next component stands for
    bool must_be_directory_ = false;
    bool in_middle_ = false; // of the path: what is looked up or read is not its last component
    bool may_begin_again_ = false;
    bool is_judging_ = false; // what is wanted says who may search the parent
    bool judges_file_ = true;
    bool is_last_found_ = false; // attributes_ are those of the last name, although the goal is its parent
    ListOf wanted_list_ = ListOf::parent;
    List file_list_{}; // of what attributes_ are of
    Look look_;
    std::optional<client::Subject> who_;
    bool may_use_cache_ = false;
    bool used_cache_ = false;
    AskedAt asked_{};               // when what is wanted was asked for
    client::ContentRead reading_{}; // the same of a link's target, and of a list
    unsigned tries_ = 0;            // of this LOOKUP, at a server without descriptors
};

} // namespace vfsproto::posix
