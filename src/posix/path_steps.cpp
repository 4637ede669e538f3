// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/path_steps.hpp"

#include "vfsproto/posix/mount.hpp"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

namespace vfsproto::posix {

using abi::Errno;
using namespace abi;

namespace {

// A walk holds this many directories besides the root: links often lead one or two levels up.
constexpr std::size_t kUsedDirectories = 4;

} // namespace

void PathSteps::to_parent(std::string_view path, ParentAttributes attributes) {
    parent_attributes_ = attributes;
    begin(path, Goal::parent, LastLink::keep);
}

void PathSteps::to_file(std::string_view path, LastLink last) { begin(path, Goal::file, last); }

void PathSteps::begin(std::string_view path, Goal goal, LastLink last) {
    goal_ = goal;
    last_ = last;
    may_begin_again_ = true;
    may_use_cache_ = look_ == Look::as_kept;
    used_cache_ = false;
    tries_ = 0;
    if (path.empty()) return fail(Errno::enoent);
    if (path.size() > kPathMax && from_.length == PathLength::limited) return fail(Errno::enametoolong);
    path_.clear();
    if (!path.starts_with('/') && !from_.directory.empty()) path_.append(from_.directory).append("/");
    path_ += path;
    begin_again();
}

void PathSteps::begin_again() {
    links_ = 0;
    must_be_directory_ = false;
    is_judging_ = is_last_found_ = false;
    file_list_ = {};
    node_.reset();
    stack_.clear();
    stack_.push_back({cache_.root()});
    way_.clear();
    next_dot_ = Ending::dot;
    rest_ = path_;
    at_ = 0;
    advance();
}

// Goes on with rest_, from at_ and the directory on top of the stack.
void PathSteps::advance() {
    ending_ = Ending::root;
    name_.clear();
    for (;;) {
        const std::size_t begin = std::min(rest_.find_first_not_of('/', at_), rest_.size());
        const std::size_t end = std::min(rest_.find('/', begin), rest_.size());
        const std::string_view component = std::string_view(rest_).substr(begin, end - begin);
        const bool is_dot = component == "." || component == "..";
        if (is_dot && !knows_parent()) {
            at_ = begin; // the walk comes back to it
            return judge_parent();
        }
        at_ = end;
        if (is_dot && !may_search_parent()) return refuse(Errno::eacces);
        if (component == ".") {
            ending_ = std::exchange(next_dot_, Ending::dot);
            continue;
        }
        if (component == "..") {
            ending_ = Ending::dot_dot;
            if (stack_.size() == 1) continue;
            stack_.pop_back();
            way_.resize(way_.rfind('/'));
            continue;
        }
        if (!parent()) {
            enter_again(std::string_view(rest_).substr(begin));
            continue;
        }
        if (component.empty()) return reach_parent();
        if (component.size() > kPathMax) return fail(Errno::enametoolong); // no request has room for it
        name_ = component;
        if (rest_.find_first_not_of('/', at_) != std::string::npos) {
            in_middle_ = true;
            return want_lookup();
        }
        ending_ = Ending::name;
        if (end != rest_.size()) must_be_directory_ = true;
        return reach_parent();
    }
}

// Goes on from the root to the directory that way_ leads to, and from there with what is left of the path. "." between the
// two stands for the dots that led there.
void PathSteps::enter_again(std::string_view rest) {
    rest_ = way_ + "/./" + std::string(rest);
    at_ = 0;
    stack_.resize(1);
    way_.clear();
    next_dot_ = ending_;
}

void PathSteps::reach_parent() {
    in_middle_ = false;
    if (goal_ == Goal::file) return want_last();
    const bool needs_no_more = parent_attributes_ == ParentAttributes::unneeded;
    if (needs_no_more && knows_parent()) return arrive();
    node_ = parent().clone();
    if (needs_no_more && stack_.back().owner) return want_list(ListOf::parent);
    want_ = Want::attributes;
}

void PathSteps::look_up_last() {
    may_begin_again_ = false; // the caller may have acted on the parent
    may_use_cache_ = false;   // and will act on this name
    is_last_found_ = true;
    want_last();
}

void PathSteps::want_last() {
    in_middle_ = false;
    tries_ = 0;
    if (ending_ == Ending::name) return want_lookup();
    node_ = parent().clone();
    want_ = Want::attributes;
}

// A name is looked up for who may search its directory.
void PathSteps::want_lookup() {
    if (!knows_parent()) return judge_parent();
    want_ = Want::lookup;
    if (!may_search_parent()) refuse(Errno::eacces);
}

// False for the root at first, because the root is never looked up.
bool PathSteps::knows_parent() const noexcept {
    const Passed& at = stack_.back();
    return !who_ || (at.owner && !lacks_list(*at.owner, at.list));
}

bool PathSteps::lacks_list(const client::FileOwner& file, const List& list) const noexcept {
    if (!who_ || list.bytes != nullptr) return false;
    return cache_.evaluates_lists() && client::depends_on_list(*who_, file);
}

bool PathSteps::may_search_parent() const noexcept {
    return !who_ || client::check_access(*who_, *stack_.back().owner, kXOk) == Errno::none;
}

void PathSteps::judge_parent() {
    is_judging_ = true;
    node_ = parent().clone();
    if (stack_.back().owner) return want_list(ListOf::parent);
    want_ = Want::attributes;
}

// Goes on once the parent can be judged: past a dot, or with the lookup of name_.
void PathSteps::go_on_judging() {
    if (!knows_parent()) return judge_parent();
    is_judging_ = false;
    name_.empty() ? advance() : want_lookup();
}

// node_ is the file.
void PathSteps::want_list(ListOf which) {
    wanted_list_ = which;
    want_ = Want::access_list;
}

void PathSteps::take_list(AccessListBytes bytes) {
    List list{{}, std::move(bytes)};
    const std::span<const char> value(*list.bytes);
    if (const Errno error = list.parsed.take(std::as_bytes(value)); error != Errno::none) return fail(error);
    if (wanted_list_ == ListOf::file) {
        file_list_ = std::move(list);
        return take_found();
    }
    stack_.back().owner->list = list.parsed;
    stack_.back().list = std::move(list);
    is_judging_ ? go_on_judging() : take_found();
}

// A mode that was kept may be wrong: it is asked for once more. A caller that has acted on the parent does so itself.
void PathSteps::refuse(Errno why) {
    if (!may_begin_again_ || !walk_again_without_cache()) fail(why);
}

// Takes attributes that were asked for, which are always the parent's.
void PathSteps::take_attributes() {
    stack_.back().owner = client::FileOwner::of(attributes_, stack_.back().list.parsed);
    file_list_ = stack_.back().list;
    is_judging_ ? go_on_judging() : reach_file();
}

Failure PathSteps::check_making() const noexcept {
    return who_ ? Failure(client::check_making(*who_, *stack_.back().owner)) : Failure();
}

Failure PathSteps::check_removal() const noexcept {
    if (!who_) return {};
    return client::check_removal(*who_, *stack_.back().owner, owner());
}

Failure PathSteps::check_access(std::uint32_t mask) const noexcept {
    return who_ ? Failure(client::check_access(*who_, owner(), mask)) : Failure();
}

bool PathSteps::answer_from_cache() {
    if (may_use_cache_ && take_from_cache()) return true;
    if (want_ == Want::readlink || want_ == Want::access_list) reading_ = cache_.about_to_read(node_);
    if (want_ == Want::lookup || want_ == Want::attributes) asked_ = cache_.about_to_ask();
    return false;
}

bool PathSteps::take_from_cache() {
    if (want_ == Want::lookup) return take_name_from_cache();
    if (want_ == Want::attributes) {
        const std::optional<wire::Attr> known = cache_.find_attributes(node_);
        if (!known) return false;
        used_cache_ = true;
        attributes_ = *known;
        take_attributes();
        return true;
    }
    if (want_ == Want::readlink) {
        const auto known = cache_.find_target(node_);
        if (!known) return false;
        used_cache_ = true;
        follow(*known);
        return true;
    }
    if (want_ != Want::access_list) return false;
    AccessListBytes known = cache_.find_access_list(node_);
    if (!known) return false;
    used_cache_ = true;
    take_list(std::move(known));
    return true;
}

bool PathSteps::take_name_from_cache() {
    using Need = NodeCache::Need;
    NodeCache::Known known = cache_.find(parent(), name_, in_middle_ && !who_ ? Need::type : Need::attributes);
    if (known.what == NodeCache::Known::What::nothing) return false;
    used_cache_ = true;
    if (known.what == NodeCache::Known::What::absent) {
        fail(Errno::enoent);
        return true;
    }
    node_ = std::move(known.node);
    attributes_ = known.attributes;
    take_entry();
    return true;
}

bool PathSteps::walk_again_without_cache() {
    if (!used_cache_) return false;
    may_use_cache_ = used_cache_ = false;
    begin_again();
    return true;
}

void PathSteps::handle_entry(const wire::EntryOut& entry) {
    node_ = cache_.count_found({parent(), name_, asked_}, entry);
    attributes_ = entry.attr;
    take_entry();
}

void PathSteps::take_entry() {
    tries_ = 0;
    file_list_ = {};
    in_middle_ ? enter_middle() : reach_file();
}

void PathSteps::handle_absent(const wire::EntryOut& negative) {
    cache_.note_absent({parent(), name_, asked_}, negative);
    fail(Errno::enoent);
}

void PathSteps::handle_attributes(const wire::AttrOut& answer) {
    cache_.note_attributes(node_, answer, asked_);
    attributes_ = answer.attr;
    take_attributes();
}

void PathSteps::enter_middle() {
    if (found_link()) return read_link();
    if (!is_directory(attributes_.mode)) return fail(Errno::enotdir);
    stack_.push_back({std::move(node_), client::FileOwner::of(attributes_), {}});
    way_.append("/").append(name_);
    if (stack_.size() > 1 + kUsedDirectories) stack_[stack_.size() - 1 - kUsedDirectories].node.reset();
    advance();
}

void PathSteps::handle_access_list(std::string value) {
    AccessListBytes bytes = std::make_shared<const std::string>(std::move(value));
    const std::span<const char> read_value(*bytes);
    client::AccessList sound;
    if (sound.take(std::as_bytes(read_value)) == Errno::none) cache_.note_access_list(node_, bytes, reading_);
    take_list(std::move(bytes));
}

void PathSteps::reach_file() {
    if (goal_ == Goal::parent) return take_found();
    if (found_link() && (last_ == LastLink::follow || must_be_directory_)) return read_link();
    if (must_be_directory_ && !is_directory(attributes_.mode)) return fail(Errno::enotdir);
    take_found();
}

// Arrives once all is known that the caller is judged by.
void PathSteps::take_found() {
    const bool found_parent = goal_ == Goal::parent && !is_last_found_;
    if (found_parent && !knows_parent()) return want_list(ListOf::parent);
    const bool judges = judges_file_ && !found_parent;
    if (judges && lacks_list(client::FileOwner::of(attributes_), file_list_)) return want_list(ListOf::file);
    arrive();
}

void PathSteps::follow_found_link() {
    in_middle_ = false;
    may_begin_again_ = false;
    is_last_found_ = false;
    read_link();
}

void PathSteps::read_link() {
    if (++links_ > kMaxLinks) return fail(Errno::eloop);
    want_ = Want::readlink;
}

void PathSteps::handle_target(std::string_view target) {
    if (target.empty()) return fail(Errno::enoent);
    if (target.find('\0') != std::string_view::npos) return fail(Errc::protocol_violation);
    cache_.note_target(node_, target, reading_);
    follow(target);
}

void PathSteps::follow(std::string_view target) {
    std::string rest(target);
    if (in_middle_) rest.append(rest_, at_); // begins with a slash
    rest_ = std::move(rest);
    at_ = 0;
    if (rest_[0] == '/') {
        stack_.resize(1);
        way_.clear();
    }
    advance();
}

void PathSteps::handle_failure(const Failure& why) {
    // The cache is wrong about the name. That it does not exist is not kept: the server did not say for how long.
    if (want_ == Want::lookup && why.error == Errno::enoent) cache_.note_absent({parent(), name_, asked_}, {});
    if (want_ == Want::access_list) {
        if (why.error == Errno::enodata || why.error == Errno::eopnotsupp) return handle_access_list({});
        if (why.error == Errno::erange) return fail(Errno::e2big); // as Linux says of a list of more than a page
    }
    if (why.error == Errno::estale && may_begin_again_) {
        may_begin_again_ = false;
        may_use_cache_ = false;
        return begin_again();
    }
    if (want_ == Want::lookup && NodeCache::is_exhausted(why)) {
        leave_ancestors();
        if (cache_.make_room(why, tries_)) return;
    }
    fail(why);
}

// A path may have more directories than a server has descriptors.
void PathSteps::leave_ancestors() noexcept {
    for (std::size_t i = 1; i + 1 < stack_.size(); ++i) stack_[i].node.reset();
}

// The request at the end of the walk may take the server's last descriptors.
void PathSteps::arrive() noexcept {
    leave_ancestors();
    want_ = Want::arrived;
}

void PathSteps::fail(const Failure& why) noexcept {
    failure_ = why;
    want_ = Want::failed;
}

} // namespace vfsproto::posix
