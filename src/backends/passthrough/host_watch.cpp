// SPDX-License-Identifier: BSD-2-Clause
#include "host_watch.hpp"

#include "descriptor_path.hpp"
#include "inode_table.hpp"
#include "vfsproto/backends/signal_free_thread.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <iterator>
#include <new>
#include <utility>

namespace vfsproto::backends {

namespace {

using server::Change;

constexpr std::uint32_t kNameEvents = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
constexpr std::uint32_t kFileEvents = IN_MODIFY | IN_ATTRIB;
// A request of the client that changes a file is soon over. If others follow it without a pause, the client is told: at a file that
// it goes on changing, that costs it little.
constexpr std::chrono::milliseconds kDeferral{10};
constexpr unsigned kMostLooks = 10;
constexpr std::size_t kMostDeferred = 256;

const char* reason_of(int error) noexcept {
    switch (error) {
    case 0: return "more files are in use than PassthroughOptions::max_watches";
    case ENOSPC: return "the kernel watches no more of them for this user (fs.inotify.max_user_watches)";
    case EMFILE: return "no inotify instance or descriptor is left (fs.inotify.max_user_instances)";
    case EAGAIN: return "there is no thread to be had";
    case EACCES: return "this process may not read them";
    default: return "the kernel refuses to watch them";
    }
}

} // namespace

InodeWatch::~InodeWatch() {
    if (owner_ != nullptr) owner_->end_watch(*this);
}

void HostWatch::start(server::ChangeSink& sink) noexcept {
    stop();
    said_.store(false, std::memory_order_relaxed);
    wake_ = FileDescriptor::event();
    inotify_ = FileDescriptor(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)); // without one every inode is unwatched
    if (!wake_) return fail_to_start(EMFILE);
    sink_ = &sink;
    {
        const std::lock_guard lock(mutex_);
        ++run_;
    }
    running_.store(true, std::memory_order_release);
    try {
        thread_ = start_signal_free_thread([this] { run(); });
    } catch (const std::exception&) { // std::system_error or std::bad_alloc
        running_.store(false, std::memory_order_release);
        fail_to_start(EAGAIN);
    }
}

// A client has not begun yet when this is called, and cannot be told that it will not be told.
void HostWatch::fail_to_start(int error) noexcept {
    inotify_.close();
    sink_ = nullptr;
    say_once("changes that others make are not told", error);
}

void HostWatch::stop() noexcept {
    {
        const std::lock_guard lock(mutex_);
        running_.store(false, std::memory_order_release);
    }
    if (thread_.joinable()) {
        signal_event(wake_.get());
        thread_.join();
    }
    const std::lock_guard lock(mutex_);
    inotify_.close(); // with all its watches
    nodeids_.clear();
    unwatched_ = 0;
    names_.lose_events();
    mistaken_.clear();
    in_doubt_ = false;
    deferred_.clear();
    changed_.clear();
    are_lost_ = false;
    sink_ = nullptr;
}

bool HostWatch::is_watched(const Inode& inode) const noexcept {
    const std::lock_guard lock(mutex_);
    return !running() || inode.watch.is_of(run_);
}

bool HostWatch::tells_of_locked(const Inode& inode) const noexcept {
    return running() && inode.watch.is_of(run_) && inode.watch.descriptor_ >= 0;
}

bool HostWatch::tells_of(const Inode& inode) const noexcept {
    const std::lock_guard lock(mutex_);
    return tells_of_locked(inode);
}

// The version is that of before the watch, so that no event from now on can find the file as it was read later; and it is read
// outside of the lock, which every FORGET needs, because the host may be slow to say.
void HostWatch::watch(Inode& inode, std::uint64_t nodeid) noexcept {
    if (is_watched(inode)) return;
    const std::uint64_t version = version_of(inode.fd.get(), AT_STATX_DONT_SYNC);
    int error = 0;
    {
        const std::lock_guard lock(mutex_);
        if (!running() || inode.watch.is_of(run_)) return;
        inode.watch.forget();
        const int descriptor = add_locked(inode, nodeid, error);
        inode.watch = InodeWatch(*this, nodeid, descriptor, run_);
        inode.known.set(version);
        additions_.fetch_add(1, std::memory_order_release);
        if (descriptor >= 0) return;
        ++unwatched_;
        signal_event(wake_.get()); // the thread sleeps for ever while all is watched
    }
    say_unwatched(error);
}

// Returns inotify's number, or -1 with an errno; 0: there are as many watches as there may be.
int HostWatch::add_locked(const Inode& inode, std::uint64_t nodeid, int& error) noexcept {
    if (nodeids_.size() >= options_.most_watches) return -1;
    const bool is_directory = inode.type == S_IFDIR;
    const std::uint32_t mask = is_directory ? kNameEvents | IN_ATTRIB : kFileEvents;
    const int descriptor = ::inotify_add_watch(inotify_.get(), DescriptorPath(inode.fd.get()).text(), mask);
    if (descriptor < 0) {
        error = inotify_ ? errno : EMFILE;
        return -1;
    }
    try {
        nodeids_.emplace(descriptor, nodeid);
        return descriptor;
    } catch (const std::bad_alloc&) {
        error = ENOMEM;
    }
    if (nodeids_.count(descriptor) == 0) ::inotify_rm_watch(inotify_.get(), descriptor);
    return -1;
}

void HostWatch::end_watch(const InodeWatch& watch) noexcept {
    const std::lock_guard lock(mutex_);
    if (!running() || !watch.is_of(run_)) return;
    auto [at, end] = nodeids_.equal_range(watch.descriptor_);
    while (at != end && at->second != watch.nodeid_) ++at;
    if (at == end) {
        --unwatched_;
        return;
    }
    nodeids_.erase(at);
    if (nodeids_.count(watch.descriptor_) == 0) ::inotify_rm_watch(inotify_.get(), watch.descriptor_);
}

void HostWatch::say_unwatched(int error) noexcept {
    say_once("changes that others make to some files are not told one by one", error);
}

void HostWatch::say_once(const char* what, int error) noexcept {
    if (!options_.log || said_.exchange(true)) return;
    try {
        options_.log(std::string(what) + ": " + reason_of(error));
    } catch (...) {} // there is nobody to tell of a log that fails
}

// Events come of a directory that is watched alone.
OwnNames::Change* HostWatch::begin_change(std::uint64_t directory, std::string_view name,
                                          std::uint32_t events) noexcept {
    if (events == 0 || !running()) return nullptr;
    const InodeTable::Ref inode = inodes_.acquire(directory);
    const std::lock_guard lock(mutex_);
    return inode && tells_of_locked(*inode) ? names_.begin(directory, name, events) : nullptr;
}

void HostWatch::end_change(OwnNames::Change& change, bool happened) noexcept {
    const std::lock_guard lock(mutex_);
    auto mistaken = names_.end(change, happened);
    if (!running()) return;
    try {
        if (mistaken) mistaken_.push_back({mistaken->directory, std::move(mistaken->name)});
    } catch (const std::bad_alloc&) {
        in_doubt_ = true;
    }
    // A change that has caused fewer events than it might must not wait for somebody else's.
    signal_event(wake_.get());
}

HostWatch::Counters HostWatch::counters() const noexcept {
    const std::lock_guard lock(mutex_);
    return {nodeids_.size(), unwatched_};
}

void HostWatch::run() noexcept {
    Clock::time_point next_doubt = Clock::now() + options_.interval;
    while (running()) {
        pollfd sources[] = {{inotify_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
        static_cast<void>(::poll(sources, std::size(sources), patience(next_doubt)));
        if (sources[1].revents != 0) static_cast<void>(take_event(wake_.get()));
        look_again();
        read_events();
        renew_all();
        tell_mistaken();
        const Clock::time_point now = Clock::now();
        if (counters().unwatched == 0) {
            next_doubt = now + options_.interval;
        } else if (now >= next_doubt) {
            sink_->tell(Change{});
            next_doubt = now + options_.interval;
        }
    }
}

// Returns milliseconds for poll(2).
int HostWatch::patience(Clock::time_point next_doubt) const noexcept {
    using std::chrono::milliseconds;
    constexpr milliseconds kMost = std::chrono::hours(1);
    milliseconds most{-1};
    if (counters().unwatched != 0) {
        const auto left = std::chrono::ceil<milliseconds>(next_doubt - Clock::now());
        most = std::clamp(left, milliseconds(0), kMost);
    }
    if (!deferred_.empty() && (most.count() < 0 || most > kDeferral)) most = kDeferral;
    return static_cast<int>(most.count());
}

void HostWatch::read_events() noexcept {
    {
        const std::lock_guard lock(mutex_);
        names_.begin_reading();
    }
    while (running()) {
        changed_.look();
        const ssize_t size = ::read(inotify_.get(), events_.data(), events_.size());
        if (size <= 0) break;
        const std::byte* at = events_.data();
        const std::byte* const end = at + size;
        while (at < end) {
            inotify_event event; // NOLINT: copied over
            std::memcpy(&event, at, sizeof event);
            const auto* const name = static_cast<const char*>(static_cast<const void*>(at + sizeof event));
            take(event, event.len == 0 ? std::string_view() : std::string_view(name, ::strnlen(name, event.len)));
            at += sizeof event + event.len;
        }
    }
    changed_.settle([this](std::uint64_t nodeid) { return is_in_question(nodeid); });
    const std::lock_guard lock(mutex_);
    names_.end_reading();
}

void HostWatch::take(const inotify_event& event, std::string_view name) noexcept {
    if ((event.mask & IN_Q_OVERFLOW) != 0) return take_loss();
    const bool has_ended = (event.mask & IN_IGNORED) != 0;
    const Touched touched = touched_by(event.wd);
    if (touched.are_more) return has_ended ? take_loss() : sink_->tell(Change{});
    for (std::size_t i = 0; i < touched.count; ++i) {
        const std::uint64_t nodeid = touched.nodeids[i];
        if (has_ended) renew(nodeid);
        // A directory's events with a name are about what it leads to, which has a watch of its own where the client holds it.
        if (!name.empty() && (event.mask & kNameEvents) != 0) take_name(nodeid, name, event.mask & kNameEvents);
        if (name.empty() && (has_ended || (event.mask & kFileEvents) != 0)) ask(nodeid, {});
    }
}

HostWatch::Touched HostWatch::touched_by(int descriptor) noexcept {
    Touched touched;
    const std::lock_guard lock(mutex_);
    auto [at, end] = nodeids_.equal_range(descriptor);
    for (; at != end; ++at) {
        if (touched.count == touched.nodeids.size()) {
            touched.are_more = true;
            break;
        }
        touched.nodeids[touched.count++] = at->second;
    }
    return touched;
}

// Events were lost.
void HostWatch::take_loss() noexcept {
    are_lost_ = true;
    {
        const std::lock_guard lock(mutex_);
        names_.lose_events();
    }
    sink_->tell(Change{});
}

// A watch ends by itself when the last name of a file goes, though the client still holds the file, and others may have it open.
// It is begun again where it was; one that goes on is what it was.
void HostWatch::renew(std::uint64_t nodeid) noexcept {
    int error = 0;
    const InodeTable::Ref inode = inodes_.acquire(nodeid);
    if (!inode) return; // the client has forgotten it
    {
        const std::lock_guard lock(mutex_);
        if (!running() || !inode->watch.is_of(run_)) return;
        auto [at, end] = nodeids_.equal_range(inode->watch.descriptor_);
        while (at != end && at->second != nodeid) ++at;
        if (at == end) return; // it had none
        nodeids_.erase(at);
        inode->watch.descriptor_ = add_locked(*inode, nodeid, error);
        if (inode->watch.descriptor_ >= 0) return;
        ++unwatched_;
    }
    say_unwatched(error);
}

// Renews all watches after events were lost. What happened to their files before is told as well.
void HostWatch::renew_all() noexcept {
    if (!are_lost_) return;
    std::vector<std::uint64_t> nodeids;
    try {
        const std::lock_guard lock(mutex_);
        nodeids.reserve(nodeids_.size());
        for (const auto& [descriptor, nodeid] : nodeids_) nodeids.push_back(nodeid);
    } catch (const std::bad_alloc&) {
        return; // it is tried again
    }
    are_lost_ = false;
    for (const std::uint64_t nodeid : nodeids) renew(nodeid);
    sink_->tell(Change{});
}

void HostWatch::take_name(std::uint64_t directory, std::string_view name, std::uint32_t kind) noexcept {
    bool is_own = false;
    {
        const std::lock_guard lock(mutex_);
        is_own = names_.take(directory, name, kind);
    }
    if (!is_own) {
        changed_.note(directory);
        return sink_->tell({Change::What::name, directory, name});
    }
    // The kernel makes one of two equal events in a row. Of all kinds, only a name that something was moved to can be the same
    // name's next event as well; then the directory is not as the client has left it.
    if (kind == IN_MOVED_TO) ask(directory, name);
}

void HostWatch::ask(std::uint64_t nodeid, std::string_view name) noexcept {
    try {
        answer({nodeid, std::string(name)});
    } catch (const std::bad_alloc&) {
        sink_->tell(Change{});
    }
}

// Tells of a file or a name unless the client knows already. While a request of the client is at the file, nobody can say which
// change was whose.
void HostWatch::answer(Question question) noexcept {
    const InodeTable::Ref inode = inodes_.acquire(question.nodeid);
    if (!inode) return; // the client has forgotten it
    switch (look_at(*inode, question.nodeid)) {
    case Look::is_known: return;
    case Look::is_unsure:
        if (defer(question, inode->known.requests().begun())) return;
        break;
    case Look::is_news: break;
    }
    const auto what = question.name.empty() ? Change::What::file : Change::What::name;
    sink_->tell({what, question.nodeid, question.name});
}

// Takes what a file is like now as known to the client, which is told of it and asks for all of it anew. A directory counts as known
// later; until then, names that the client has moved there are told as well.
HostWatch::Look HostWatch::look_at(Inode& inode, std::uint64_t nodeid) noexcept {
    const KnownVersion::Requests requests = inode.known.requests();
    const std::uint64_t known = inode.known.version();
    const std::uint64_t now = version_of(inode.fd.get());
    if (requests.are_under_way() || inode.known.requests() != requests) return Look::is_unsure;
    if (now != 0 && now == known) return Look::is_known;
    if (inode.type == S_IFDIR) {
        changed_.note(nodeid);
    } else {
        inode.known.replace(known, now);
    }
    return Look::is_news;
}

// Returns false if the question is to wait no longer. One request may take as long as it likes.
bool HostWatch::defer(Question& question, std::uint64_t begun) noexcept {
    if (question.looks == 0 || question.begun != begun) ++question.looks;
    question.begun = begun;
    if (question.looks > kMostLooks || deferred_.size() >= kMostDeferred) return false;
    const auto is_same = [&](const Question& other) {
        return other.nodeid == question.nodeid && other.name == question.name;
    };
    if (std::any_of(deferred_.begin(), deferred_.end(), is_same)) return true;
    try {
        deferred_.push_back(std::move(question));
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

bool HostWatch::is_in_question(std::uint64_t nodeid) const noexcept {
    return std::any_of(deferred_.begin(), deferred_.end(), [&](const Question& one) { return one.nodeid == nodeid; });
}

void HostWatch::look_again() noexcept {
    if (deferred_.empty()) return;
    std::vector<Question> before;
    before.swap(deferred_);
    for (Question& question : before) answer(std::move(question));
}

void HostWatch::tell_mistaken() noexcept {
    std::vector<NameChange> mistaken;
    bool in_doubt = false;
    {
        const std::lock_guard lock(mutex_);
        mistaken.swap(mistaken_);
        in_doubt = std::exchange(in_doubt_, false);
    }
    if (in_doubt) sink_->tell(Change{});
    for (const NameChange& one : mistaken) sink_->tell({Change::What::name, one.directory, one.name});
}

} // namespace vfsproto::backends
