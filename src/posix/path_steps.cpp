// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/path_steps.hpp"

namespace vfsproto::posix {

using wire::Errno;
using namespace wire::linux_abi;

void PathSteps::to_parent(std::string_view path, ParentAttributes attributes) {
    parent_attributes_ = attributes;
    begin(path, Goal::parent, LastLink::keep);
}

void PathSteps::to_file(std::string_view path, LastLink last) { begin(path, Goal::file, last); }

void PathSteps::begin(std::string_view path, Goal goal, LastLink last) {
    goal_ = goal;
    last_ = last;
    may_begin_again_ = true;
    made_room_ = false;
    if (path.empty()) return fail(Errno::enoent);
    if (path.size() > kPathMax) return fail(Errno::enametoolong);
    path_ = path;
    begin_again();
}

void PathSteps::begin_again() {
    links_ = 0;
    must_be_directory_ = false;
    node_.reset();
    stack_.clear();
    stack_.push_back(cache_.root());
    rest_ = path_;
    at_ = 0;
    advance();
}

// Goes on with rest_, from at_ and the directory on top of the stack.
void PathSteps::advance() {
    ending_ = Ending::root;
    name_.clear();
    for (;;) {
        at_ = rest_.find_first_not_of('/', at_);
        if (at_ == std::string::npos) return reach_parent();
        std::size_t end = rest_.find('/', at_);
        if (end == std::string::npos) end = rest_.size();
        const std::string_view component = std::string_view(rest_).substr(at_, end - at_);
        at_ = end;
        if (component == ".") {
            ending_ = Ending::dot;
            continue;
        }
        if (component == "..") {
            ending_ = Ending::dot_dot;
            if (stack_.size() > 1) stack_.pop_back();
            continue;
        }
        name_ = component;
        if (rest_.find_first_not_of('/', at_) != std::string::npos) {
            in_middle_ = true;
            want_ = Want::lookup;
            return;
        }
        ending_ = Ending::name;
        if (end != rest_.size()) must_be_directory_ = true;
        return reach_parent();
    }
}

void PathSteps::reach_parent() {
    in_middle_ = false;
    if (goal_ == Goal::file) return want_last();
    if (parent_attributes_ == ParentAttributes::unneeded) return arrive();
    node_ = parent().clone();
    want_ = Want::attributes;
}

void PathSteps::look_up_last() {
    may_begin_again_ = false; // the caller may have acted on the parent
    want_last();
}

void PathSteps::want_last() {
    in_middle_ = false;
    made_room_ = false;
    if (ending_ == Ending::name) {
        want_ = Want::lookup;
        return;
    }
    node_ = parent().clone();
    want_ = Want::attributes;
}

void PathSteps::handle_entry(const wire::EntryOut& entry) {
    node_ = cache_.count(entry);
    attributes_ = entry.attr;
    made_room_ = false;
    in_middle_ ? enter_middle() : reach_file();
}

void PathSteps::handle_attributes(const wire::Attr& attributes) {
    attributes_ = attributes;
    reach_file();
}

void PathSteps::enter_middle() {
    if (found_link()) return read_link();
    if (!is_directory(attributes_.mode)) return fail(Errno::enotdir);
    stack_.push_back(std::move(node_));
    advance();
}

void PathSteps::reach_file() {
    if (goal_ == Goal::parent) return arrive();
    if (found_link() && (last_ == LastLink::follow || must_be_directory_)) return read_link();
    if (must_be_directory_ && !is_directory(attributes_.mode)) return fail(Errno::enotdir);
    arrive();
}

void PathSteps::follow_found_link() {
    in_middle_ = false;
    may_begin_again_ = false;
    read_link();
}

void PathSteps::read_link() {
    if (++links_ > kMaxLinks) return fail(Errno::eloop);
    want_ = Want::readlink;
}

void PathSteps::handle_target(std::string_view target) {
    if (target.empty()) return fail(Errno::enoent);
    if (target.find('\0') != std::string_view::npos) return fail(Errc::protocol_violation);
    std::string rest(target);
    if (in_middle_) rest.append(rest_, at_); // begins with a slash
    rest_ = std::move(rest);
    at_ = 0;
    if (rest_[0] == '/') stack_.resize(1);
    advance();
}

void PathSteps::handle_failure(const Failure& why) {
    if (why.error == Errno::estale && may_begin_again_) {
        may_begin_again_ = false;
        return begin_again();
    }
    if (want_ == Want::lookup && !made_room_ && cache_.make_room(why)) {
        made_room_ = true;
        return;
    }
    fail(why);
}

void PathSteps::fail(const Failure& why) noexcept {
    failure_ = why;
    want_ = Want::failed;
}

} // namespace vfsproto::posix
