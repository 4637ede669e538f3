// SPDX-License-Identifier: BSD-2-Clause
#include "program.hpp"

#include "id_ranges.hpp"
#include "interrupt.hpp"
#include "remote_temporaries.hpp"
#include "trace_recorder.hpp"

#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/mapped_files.hpp"
#include "vfsproto/posix/mount_stats.hpp"
#include "vfsproto/posix/open_device.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

namespace vfsproto::cli {
namespace {

// Returns what a person can do about this failure.
std::string_view advice(const posix::Failure& failure) noexcept {
    switch (failure.errc) {
    case Errc::device_gone:
    case Errc::transport_failed:
        return "has the server ended? Start it again (virtiofsd serves one client and then leaves) and repeat the "
               "command";
    case Errc::version_unsupported: return "it speaks no FUSE protocol from 7.27 on: try a newer server";
    case Errc::init_refused: return "the server wants no session: its own log may say why";
    case Errc::features_refused:
    case Errc::no_version_1: return "it is no virtio 1.x device: try a newer server";
    case Errc::config_invalid:
    case Errc::queue_absent: return "is it a virtio file system device?";
    case Errc::no_memory:
        return "too little memory, too few descriptors, or files may not be as large as its memory (ulimit -f)";
    default: return "the server broke the protocol: --trace FILE shows which request it was";
    }
}

std::uint32_t current_umask() noexcept {
    const mode_t mask = ::umask(022);
    ::umask(mask);
    return mask;
}

// Returns the supplementary groups of this process.
std::vector<std::uint32_t> own_groups() {
    const int count = ::getgroups(0, nullptr);
    std::vector<gid_t> groups(count > 0 ? static_cast<std::size_t>(count) : 0);
    const int got = groups.empty() ? 0 : ::getgroups(count, groups.data());
    groups.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return {groups.begin(), groups.end()};
}

} // namespace

posix::Failure local_failure(int error) noexcept { return static_cast<abi::Errno>(error); }

Program::Program(GlobalOptions options)
    : options_(std::move(options)),
      device_was_named_(!options_.device.empty()),
      umask_(current_umask()),
      log_(options_.log) {
    if (!device_was_named_) options_.device = "dir:.";
    const bool is_logged = log_.takes(backends::LogLevel::trace);
    if (options_.trace.file.empty() && !options_.trace.summary && !is_logged) return;
    try {
        trace_ = std::make_unique<TraceRecorder>(options_.trace, options_.device, is_logged ? &log_ : nullptr);
    } catch (const std::system_error& error) {
        report(Subject::other(options_.trace.name()), local_failure(error.code().value()));
        throw Leave{ExitCode::failed};
    }
}

Program::~Program() = default;

void Program::require_named_device() {
    if (device_was_named_) return;
    report("",
           "which device? Say --device URI or set VFSPROTO_DEVICE: only commands that read take dir:. by themselves");
    throw Leave{ExitCode::usage};
}

bool Program::hear_changes(std::function<void(const posix::ServerChange&)> hear) {
    if (mount_ != nullptr) return false;
    hear_changes_ = std::move(hear);
    return true;
}

void Program::describe_caller(posix::MountOptions& options) {
    ids_ = {};
    std::string wrong = add_id_ranges("--map-users", options_.user_ranges, ids_.users);
    if (wrong.empty()) wrong = add_id_ranges("--map-groups", options_.group_ranges, ids_.groups);
    if (!wrong.empty()) {
        report("", wrong);
        throw Leave{ExitCode::usage};
    }
    options.channel.ids = ids_.hook();
    options.permissions = options_.permissions;
    options.credentials.umask = umask_;
    options.credentials.caller = {::geteuid(), ::getegid(), static_cast<std::uint32_t>(::getpid())};
    if (options_.permissions == posix::Permissions::judged_here) options.credentials.groups = own_groups();
}

posix::Mount& Program::mount() {
    if (limited_ != nullptr) return looks_anew_ ? *anew_ : *limited_;
    posix::MountOptions options;
    describe_caller(options);
    log_.write(backends::LogLevel::info, fmt::format("opening {}", options_.device));
    const std::chrono::milliseconds silence(static_cast<std::int64_t>(options_.silence * 1000));
    const std::chrono::milliseconds timeout(static_cast<std::int64_t>(options_.timeout * 1000));
    // A server that does not answer in time is not waited for much longer when the program ends.
    constexpr std::chrono::milliseconds kLeast{1000};
    posix::DeviceOptions wanted;
    wanted.queue_size = options_.queue_size;
    wanted.request_queues = options_.queues;
    wanted.window = options_.window;
    // Only who asks for changes has to know that not all of them are told.
    const auto level = hear_changes_ ? backends::LogLevel::warn : backends::LogLevel::info;
    wanted.log = [this, level](const std::string& line) { log_.write(level, line); };
    if (silence.count() != 0) {
        wanted.reply_timeout = silence;
    } else if (timeout.count() != 0) {
        wanted.reply_timeout = std::clamp(timeout, kLeast, wanted.reply_timeout);
    }
    posix::OpenedDevice opened = posix::open_device(options_.device, wanted);
    if (opened.trouble == posix::OpenedDevice::Trouble::usage) {
        report("", opened.message);
        throw Leave{ExitCode::usage};
    }
    if (opened.attachment == nullptr) cannot_use_device({}, opened.message);
    options.cache.mode = hear_changes_ ? posix::CacheMode::always : options_.cache;
    options.on_change = hear_changes_;
    options.channel.waiting = options_.waiting;
    options.channel.silence = silence;
    if (silence.count() != 0) {
        options.channel.patience = silence;
    } else if (timeout.count() != 0) {
        options.channel.patience = std::clamp(timeout, kLeast, options.channel.patience);
    }
    options.channel.rings.queue_size = options_.queue_size;
    options.channel.rings.request_queues = options_.queues;
    if (opened.attachment->window(0).size() != 0) posix::MappedFiles::offer(options);
    if (trace_ != nullptr) options.channel.trace = trace_->hook();
    auto mounted = posix::Mount::open(std::move(opened.attachment), options);
    if (!mounted) {
        const posix::Failure& why = mounted.failure();
        const bool both = why.errc != Errc::ok && why.error != abi::Errno::none;
        const std::string answer = both ? fmt::format(", {}", posix::Failure(why.error).text()) : "";
        cannot_use_device(why, fmt::format("{}{}: {}", why.text(), answer, advice(why)));
    }
    mount_ = std::move(*mounted);
    {
        const std::lock_guard lock(watched_mutex_);
        watched_ = mount_.get();
    }
    log_session();
    posix::MountLimits limits{.stop = &interrupt_stop()};
    if (timeout.count() != 0) limits.time = timeout;
    begin_with(mount_->limited_by(limits));
    return looks_anew_ ? *anew_ : *limited_;
}

void Program::log_session() {
    const auto& params = mount_->channel().params();
    log_.write(backends::LogLevel::info,
               fmt::format("session open: FUSE 7.{}, features {:#x}, flags {:#x}, max_write {}", params.minor,
                           mount_->channel().queues().features().bits(), params.flags.bits(), params.max_write));
    if (const std::size_t lanes = mount_->channel().lanes(); lanes < options_.queues) {
        log_.write(backends::LogLevel::info,
                   fmt::format("{} request queues are wanted, {} can be used", options_.queues, lanes));
    }
}

posix::Mount& Program::unlimited_mount() {
    static_cast<void>(mount());
    return *mount_;
}

posix::Mount& Program::deep_mount() {
    static_cast<void>(mount());
    return looks_anew_ ? *deep_anew_ : *deep_;
}

// Has all calls of the program go by mounts that are made of this one.
void Program::begin_with(std::unique_ptr<posix::Mount> limited) {
    limited_ = std::move(limited);
    anew_ = limited_->looking_anew();
    deep_ = limited_->taking_long_paths();
    deep_anew_ = deep_->looking_anew();
}

void Program::enter(const std::string& directory) {
    begin_with(limited_->beginning_at(directory));
    directory_before_ = std::exchange(directory_, directory);
}

void Program::count_from(const posix::MountStats& moment) {
    counts_from_ = std::make_unique<posix::MountStats>(moment);
}

void Program::cannot_use_device(const posix::Failure& failure, std::string_view why) {
    report({Message::Kind::error, {}, Subject::other(options_.device), failure, why});
    device_failed_ = true;
    throw Leave{ExitCode::device};
}

std::optional<Program::DeviceGlance> Program::look_at_device() {
    constexpr std::chrono::milliseconds kPatience{10};
    const std::lock_guard lock(watched_mutex_);
    if (watched_ == nullptr) return DeviceGlance{};
    const auto seen = watched_->channel().glance(kPatience);
    if (!seen) return std::nullopt;
    return DeviceGlance{seen->requests, seen->failure == Errc::transport_failed};
}

std::string Program::silence_text() const {
    return fmt::format("{} has answered nothing for {} s (--silence)", options_.device, options_.silence);
}

void Program::say_left_behind() {
    constexpr int kMostTries = 100;
    const auto takes_a_line = [] {
        pollfd out{STDERR_FILENO, POLLOUT, 0};
        return ::poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0;
    };
    for (const std::string& path : take_remote_temporaries()) {
        failed_ = true;
        // A thread that writes a line itself holds the lock for as long.
        std::unique_lock lock(mutex_, std::try_to_lock);
        for (int i = 0; !lock && i < kMostTries; ++i) {
            ::poll(nullptr, 0, 1); // ms
            static_cast<void>(lock.try_lock());
        }
        if (!lock || !takes_a_line()) return;
        say({Message::Kind::error, {}, path, {}, "this temporary file may be left there"});
    }
}

void Program::say_waiting(std::chrono::seconds time) {
    warn("", fmt::format("waiting for {}, which has answered nothing for {} s; Ctrl-C ends this", options_.device,
                         time.count()));
}

void Program::leave_silent_device() {
    if (!device_failed_.exchange(true)) report("", silence_text());
    say_left_behind();
    end_trace();
    ::_exit(static_cast<int>(ExitCode::device));
}

void Program::refresh_trace() noexcept {
    if (trace_ != nullptr) trace_->refresh();
}

void Program::leave_trace_to_child() noexcept {
    if (trace_ != nullptr) trace_->leave_to_another();
}

void Program::end_trace() noexcept {
    if (trace_ != nullptr) trace_->conclude_without_waiting();
}

void Program::say(Message message) {
    if (clear_) clear_();
    message.command = command_;
    const std::string line = line_of(message, options_.style);
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

void Program::report(const Message& message) {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    say(message);
}

void Program::report(const Subject& subject, std::string_view why) {
    report({Message::Kind::error, {}, subject, {}, why});
}

void Program::report(const Subject& subject, const posix::Failure& failure, std::string_view advice) {
    report({Message::Kind::error, {}, subject, failure, failure.text().append(": ").append(advice)});
}

void Program::warn(const Subject& subject, std::string_view why) {
    const std::lock_guard lock(mutex_);
    say({Message::Kind::warning, {}, subject, {}, why});
}

void Program::warn(const Subject& subject, const posix::Failure& failure, std::string_view advice) {
    const std::lock_guard lock(mutex_);
    say({Message::Kind::warning, {}, subject, failure, failure.text().append(": ").append(advice)});
}

void Program::report(const Subject& subject, const posix::Failure& failure) {
    if (!failure.is_fatal()) {
        // A call that fails because the program is to end is no news.
        if (!interrupted()) report({Message::Kind::error, {}, subject, failure, failure.text()});
        return;
    }
    // Every later call fails for the same reason, so it is reported once.
    if (device_failed_.exchange(true)) return;
    if (options_.silence > 0 && failure.errc == Errc::transport_failed) return report("", silence_text());
    const std::string reason = what_ended_it();
    report(subject, failure, reason.empty() ? advice(failure) : reason);
}

// A server that ended is what the advice is for; of a bus it is told what happened.
std::string Program::what_ended_it() const {
    if (mount_ == nullptr) return {};
    const backends::Attachment& attachment = mount_->channel().attachment();
    return attachment.end() == backends::Attachment::End::may_be_silent ? attachment.gone_reason() : std::string();
}

void Program::put_lines(std::string_view lines) {
    const std::lock_guard lock(lines_mutex_);
    if (output_error_ != 0) return;
    try {
        out_.write(lines);
        out_.flush();
    } catch (const OutputFailed& failed) {
        if (failed.error != EINTR) output_error_ = failed.error; // a signal is told for as long as it counts
    }
}

bool Program::stopping() const noexcept { return device_failed_ || interrupted() || output_error_ != 0; }

void Program::check() const {
    if (device_failed_) throw Leave{ExitCode::device};
    if (interrupted()) throw Leave{ExitCode::interrupted};
    if (const int error = output_error_; error != 0) throw OutputFailed{error};
}

void Program::on_message(std::function<void()> clear) {
    const std::lock_guard lock(mutex_);
    clear_ = std::move(clear);
}

ExitCode Program::finish() {
    say_left_behind();
    if (mount_ != nullptr) {
        const posix::ChannelStats stats = mount_->stats();
        log_.write(backends::LogLevel::info,
                   fmt::format("{} requests, {} doorbells, {} interrupts, {} copies, {} malformed replies",
                               stats.requests, stats.doorbells, stats.interrupts, stats.copies, stats.violations));
        {
            const std::lock_guard lock(watched_mutex_);
            watched_ = nullptr;
        }
        deep_anew_.reset();
        deep_.reset();
        anew_.reset();
        limited_.reset();
        mount_.reset();
    }
    if (trace_ != nullptr) {
        if (const int error = trace_->conclude(); error != 0)
            report(Subject::other(options_.trace.name()), local_failure(error));
    }
    if (device_failed_) return ExitCode::device;
    return failed_ ? ExitCode::failed : ExitCode::done;
}

} // namespace vfsproto::cli
