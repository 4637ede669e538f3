// SPDX-License-Identifier: BSD-2-Clause
// Somebody who uses a simulated mount without sense: several operations at once, chosen by the mount's seed, each counted
// exactly as a host has to.
#pragma once

#include "simulated_mount.hpp"
#include "vfsproto/fuse/client/operations/attributes.hpp"
#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/fuse/client/operations/directories.hpp"
#include "vfsproto/fuse/client/operations/names.hpp"
#include "vfsproto/fuse/client/operations/xattrs.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"

#include <string>

namespace vfsproto::test {

class RandomUser {
public:
    explicit RandomUser(SimulatedMount& mount) : mount_(mount) {}
    RandomUser(const RandomUser&) = delete;
    RandomUser& operator=(const RandomUser&) = delete;

    // Does so many operations, `at_once` of them at a time, and waits for all.
    void act(int operations, std::size_t at_once) {
        while (operations > 0 && !mount_.gone()) {
            if (running_ < at_once) {
                start_one();
                --operations;
            } else if (!mount_.turn()) {
                wait();
                if (running_ >= at_once) return; // the device dropped what they wait for
            }
            if (mount_.random.one_in(3)) static_cast<void>(mount_.turn());
        }
        wait();
    }
    // Starts so many operations, and waits for none.
    void begin(int operations) {
        for (int i = 0; i < operations && !mount_.gone(); ++i) {
            start_one();
            if (mount_.random.one_in(2)) static_cast<void>(mount_.turn());
        }
    }
    void wait() { mount_.settle(); }
    void close_all() {
        while (!open_files_.empty()) close_file();
        while (!open_directories_.empty()) close_directory();
        wait();
    }
    // Nothing is done any more; what is still used is let go.
    void abandon() {
        for (const OpenOne& file : open_files_) mount_.drop(file.node);
        for (const OpenOne& directory : open_directories_) mount_.drop(directory.node);
        open_files_.clear();
        open_directories_.clear();
    }

    [[nodiscard]] std::size_t running() const { return running_; }
    [[nodiscard]] std::size_t ended() const { return ended_; }
    [[nodiscard]] std::size_t succeeded() const { return succeeded_; }
    [[nodiscard]] std::size_t violations() const { return violations_; } // ended with an error of the engine

private:
    struct Place {
        client::Node* node = nullptr; // used while it is here; nullptr = the root
        std::uint64_t nodeid = wire::kRootNodeId;
    };
    struct OpenOne {
        client::Node* node;
        std::uint64_t nodeid;
        std::uint64_t fh;
        std::uint32_t flags;
    };
    // One operation under way, with what must live as long.
    template <class Op> struct Task {
        explicit Task(RandomUser& user) : owner(user) {
            op.user = this;
            op.on_finish = [](client::Operation& operation) noexcept {
                std::unique_ptr<Task> self(static_cast<Task*>(operation.user));
                self->owner.finished(*self);
            };
        }
        RandomUser& owner;
        Op op;
        Place place;
        Place other;
        OpenOne file{};
        std::string name;
        std::string second;
        std::vector<std::byte> bytes;
        std::function<void(Task&)> then; // on success
    };

    template <class Op> Task<Op>* make() {
        ++running_;
        return new Task<Op>(*this);
    }
    template <class Op> void finished(Task<Op>& task) {
        --running_;
        ++ended_;
        if (task.op.succeeded()) ++succeeded_;
        if (task.op.errc() != Errc::ok) ++violations_;
        // The server may have counted a lookup although we refuse what it answered.
        mount_.forget_surplus(task.op.surplus_lookup());
        if (task.op.succeeded() && task.then) task.then(task);
        mount_.drop(task.place.node);
        mount_.drop(task.other.node);
    }

    std::string random_name() { return "n" + std::to_string(mount_.random.below(8)); }
    // Any node we know, or the root; of a type if one is wanted: then there may be none.
    Place pick(std::uint32_t type = 0) {
        std::vector<client::Node*> fitting;
        for (const auto& [nodeid, node] : mount_.known()) {
            if (type == 0 || node->type == type) fitting.push_back(node);
        }
        const bool root_fits = type == 0 || type == abi::kSIfdir;
        if (fitting.empty() || (root_fits && mount_.random.one_in(3))) return root_fits ? Place{} : Place{nullptr, 0};
        client::Node* node = fitting[mount_.random.below(fitting.size())];
        mount_.nodes.use(*node);
        return {node, node->nodeid()};
    }
    Place pick_directory() { return pick(abi::kSIfdir); }

    static constexpr client::Caller kCaller{.uid = 1, .gid = 2, .pid = 3};
    static std::byte content(std::uint64_t offset) { return static_cast<std::byte>(1 + offset % 251); }
    static std::span<const char> chars(const std::string& text) { return {text.data(), text.size()}; }

    template <wire::Opcode Op> Task<client::Single<Op>>* named(const Place& place) {
        auto* task = make<client::Single<Op>>();
        task->place = place;
        task->name = random_name();
        task->op.call.name = chars(task->name);
        return task;
    }
    template <wire::Opcode Op> void start_named(const Place& place) {
        auto* task = named<Op>(place);
        task->op.start(mount_.client, kCaller, place.nodeid);
    }
    // An operation whose answer is an entry.
    template <wire::Opcode Op> void start_entry(Task<client::Single<Op>>* task) {
        task->then = [this](auto& done) { mount_.drop(&mount_.count(done.op.call.reply)); };
        task->op.start(mount_.client, kCaller, task->place.nodeid);
    }

    void start_one() {
        switch (mount_.random.below(22)) {
        case 0:
        case 1:
        case 2: return start_entry(named<wire::Opcode::lookup>(pick_directory()));
        case 3:
        case 4: return create();
        case 5: {
            auto* task = named<wire::Opcode::mkdir>(pick_directory());
            task->op.call.args.mode = 0755;
            return start_entry(task);
        }
        case 6: {
            auto* task = named<wire::Opcode::symlink>(pick_directory());
            task->second = "target";
            task->op.call.name2 = chars(task->second);
            return start_entry(task);
        }
        case 7: {
            auto* task = named<wire::Opcode::mknod>(pick_directory());
            task->op.call.args.mode = abi::kSIfifo | 0600;
            return start_entry(task);
        }
        case 8: return link();
        case 9: return start_named<wire::Opcode::unlink>(pick_directory());
        case 10: return start_named<wire::Opcode::rmdir>(pick_directory());
        case 11: return rename();
        case 12: return get_status();
        case 13: return set_size();
        case 14: return open_file();
        case 15:
        case 16: return transfer<wire::Opcode::read>();
        case 17: return transfer<wire::Opcode::write>();
        case 18: return mount_.random.one_in(2) ? close_file() : close_directory();
        case 19: return open_directory();
        case 20: return read_directory();
        case 21:
            if (mount_.random.one_in(4)) mount_.evict(mount_.random.below(6));
            return attribute();
        }
    }

    void create() {
        auto* task = make<client::CreateFile>();
        task->place = pick_directory();
        task->name = random_name();
        const std::uint32_t flags = abi::kORdwr | abi::kOCreat | (mount_.random.one_in(2) ? abi::kOExcl : abi::kOTrunc);
        task->then = [this, flags](auto& done) {
            client::Node& node = mount_.count(done.op.entry());
            if (done.op.owes_release()) {
                open_files_.push_back({&node, node.nodeid(), done.op.result().fh, flags});
            } else {
                mount_.drop(&node);
            }
        };
        task->op.start(mount_.client, kCaller, task->place.nodeid, {chars(task->name), flags, 0644, 022});
    }
    void link() {
        const Place file = pick(abi::kSIfreg);
        if (file.node == nullptr) return;
        auto* task = named<wire::Opcode::link>(pick_directory());
        task->other = file;
        task->op.call.args.oldnodeid = task->other.nodeid;
        start_entry(task);
    }
    void rename() {
        auto* task = named<wire::Opcode::rename>(pick_directory());
        task->other = pick_directory();
        task->second = random_name();
        task->op.call.args.newdir = task->other.nodeid;
        task->op.call.name2 = chars(task->second);
        task->op.start(mount_.client, kCaller, task->place.nodeid);
    }
    void get_status() {
        auto* task = make<client::ExtendedStatus>();
        task->place = pick();
        task->op.start(mount_.client, kCaller, task->place.nodeid, {});
    }
    void set_size() {
        const Place file = pick(abi::kSIfreg);
        if (file.node == nullptr) return;
        auto* task = make<client::SetAttributes>();
        task->place = file;
        task->op.call.args.valid = wire::kSetattrSize;
        task->op.call.args.size = mount_.random.below(60000);
        task->op.start(mount_.client, kCaller, task->place.nodeid);
    }
    void open_file() {
        const Place file = pick(abi::kSIfreg);
        if (file.node == nullptr) return;
        auto* task = make<client::OpenFile>();
        task->place = file;
        const std::uint32_t flags = abi::kORdwr | (mount_.random.one_in(4) ? abi::kOTrunc : 0u);
        task->then = [this, flags](auto& done) {
            if (!done.op.owes_release() || done.place.node == nullptr) return;
            open_files_.push_back({done.place.node, done.place.nodeid, done.op.result().fh, flags});
            done.place.node = nullptr; // the use goes on
        };
        task->op.start(mount_.client, kCaller, task->place.nodeid, flags);
    }
    void open_directory() {
        auto* task = make<client::OpenDirectory>();
        task->place = pick_directory();
        task->then = [this](auto& done) {
            if (!done.op.owes_release()) return;
            open_directories_.push_back({done.place.node, done.place.nodeid, done.op.result().fh, 0});
            done.place.node = nullptr;
        };
        task->op.start(mount_.client, kCaller, task->place.nodeid, 0);
    }
    // The file is used by this operation as well, so that it may be closed meanwhile by nobody: it leaves the list.
    static OpenOne take_any(std::vector<OpenOne>& list, Random& random) {
        const std::size_t which = random.below(list.size());
        const OpenOne one = list[which];
        list.erase(list.begin() + static_cast<std::ptrdiff_t>(which));
        return one;
    }
    template <wire::Opcode Op> void transfer() {
        if (open_files_.empty()) return open_file();
        auto* task = make<client::LongTransfer<Op>>();
        task->file = take_any(open_files_, mount_.random);
        task->bytes.resize(1 + mount_.random.below(40000));
        client::TransferSpan span;
        span.nodeid = task->file.nodeid;
        span.fh = task->file.fh;
        span.offset = mount_.random.below(50000);
        span.len = task->bytes.size();
        span.host = task->bytes.data();
        span.open_flags = task->file.flags & ~abi::kOTrunc;
        if (mount_.random.one_in(3) && !registered_busy_) {
            registered_busy_ = true;
            span.host = mount_.registered.host();
            span.lies_in(mount_.registered);
        }
        if (Op == wire::Opcode::write) {
            for (std::uint64_t i = 0; i < span.len; ++i) span.host[i] = content(span.offset + i);
        }
        // The file goes back to the list however that ended.
        task->op.on_finish = [](client::Operation& operation) noexcept {
            std::unique_ptr<Task<client::LongTransfer<Op>>> self(
                static_cast<Task<client::LongTransfer<Op>>*>(operation.user));
            RandomUser& user = self->owner;
            if (user.registered_task_ == self.get()) user.registered_task_ = nullptr, user.registered_busy_ = false;
            user.open_files_.push_back(self->file);
            if (Op == wire::Opcode::read && self->op.succeeded()) user.check_read(*self);
            user.finished(*self);
        };
        if (span.payload == client::Payload::registered) registered_task_ = task;
        task->name.assign(reinterpret_cast<const char*>(&span), sizeof(span));
        task->op.start(mount_.client, kCaller, span);
    }
    // Every byte of every file is a hole, or what its offset says.
    template <class T> void check_read(T& task) {
        client::TransferSpan span;
        std::memcpy(&span, task.name.data(), sizeof(span));
        bool is_right = task.op.done() <= span.len;
        for (std::uint64_t i = 0; is_right && i < task.op.done(); ++i) {
            is_right = span.host[i] == std::byte{0} || span.host[i] == content(span.offset + i);
        }
        CHECK(is_right);
    }
    void close_file() {
        if (open_files_.empty()) return;
        const OpenOne file = take_any(open_files_, mount_.random);
        auto* task = make<client::Release>();
        task->place = {file.node, file.nodeid};
        task->op.call.args.fh = file.fh;
        task->op.call.args.flags = file.flags;
        task->op.start(mount_.client, kCaller, file.nodeid);
    }
    void close_directory() {
        if (open_directories_.empty()) return open_directory();
        const OpenOne directory = take_any(open_directories_, mount_.random);
        auto* task = make<client::ReleaseDirectory>();
        task->place = {directory.node, directory.nodeid};
        task->op.call.args.fh = directory.fh;
        task->op.start(mount_.client, kCaller, directory.nodeid);
    }
    void read_directory() {
        if (open_directories_.empty()) return open_directory();
        auto* task = make<client::ReadDirectory>();
        task->file = take_any(open_directories_, mount_.random);
        task->bytes.resize(4096);
        task->op.on_finish = [](client::Operation& operation) noexcept {
            std::unique_ptr<Task<client::ReadDirectory>> self(
                static_cast<Task<client::ReadDirectory>*>(operation.user));
            RandomUser& user = self->owner;
            user.open_directories_.push_back(self->file);
            if (self->op.succeeded()) user.count_entries(*self);
            user.finished(*self);
        };
        task->op.start(mount_.client, kCaller, {task->file.nodeid, task->file.fh, 0}, task->bytes,
                       client::DirectoryFormat::direntpluses);
    }
    void count_entries(Task<client::ReadDirectory>& task) {
        if (task.op.format() != client::DirectoryFormat::direntpluses) return;
        wire::DirentplusReader reader(std::span<const std::byte>(task.bytes).first(task.op.bytes()));
        while (reader.next()) {
            const wire::DirEntryPlus& record = reader.entry();
            if (record.entry.nodeid == 0 || record.dirent.name.is_dot_or_dot_dot()) continue;
            mount_.drop(&mount_.count(record.entry));
        }
        CHECK(reader.error() == Errc::ok);
    }
    void attribute() {
        const Place file = pick(abi::kSIfreg);
        if (file.node == nullptr) return;
        if (mount_.random.one_in(2)) {
            auto* task = make<client::SetXattr>();
            task->place = file;
            task->bytes.resize(mount_.random.below(300));
            task->name = "user." + random_name();
            client::prepare_setxattr(task->op, mount_.session().params(), chars(task->name), task->bytes, 0);
            task->op.start(mount_.client, kCaller, task->place.nodeid);
            return;
        }
        auto* task = make<client::GetXattr>();
        task->place = file;
        task->bytes.resize(300);
        task->name = "user." + random_name();
        task->op.call.name = chars(task->name);
        task->op.call.args.size = 300;
        task->op.call.data_out = {task->bytes.data(), 300, {}};
        task->op.start(mount_.client, kCaller, task->place.nodeid);
    }

    SimulatedMount& mount_;
    std::vector<OpenOne> open_files_;
    std::vector<OpenOne> open_directories_;
    const void* registered_task_ = nullptr;
    std::size_t running_ = 0;
    std::size_t ended_ = 0;
    std::size_t succeeded_ = 0;
    std::size_t violations_ = 0;
    bool registered_busy_ = false;
};

} // namespace vfsproto::test
