// SPDX-License-Identifier: BSD-2-Clause
// An operation of a mount as steps without I/O: walks, and the requests at their ends. It says what it wants next and is
// told the answer. Mount runs the steps and waits for each answer; AsyncMount runs the same steps in a coroutine. This
// file has the base, and the operations that make, remove or move a name; attribute_steps.hpp and file_steps.hpp have the
// rest.
//
//   while (steps.want() != NameSteps::Want::finished) …
//     walk: walk steps.path(), then handle_walked();  request: run steps.request(), then handle_answered()
#pragma once

#include "vfsproto/fuse/client/operations/names.hpp"
#include "vfsproto/posix/detail/judged_caller.hpp"
#include "vfsproto/posix/detail/maker_group.hpp"
#include "vfsproto/posix/detail/mount_call.hpp"
#include "vfsproto/posix/detail/path_steps.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace vfsproto::posix {

// The parts of a mount that operations need.
struct NameContext {
    Channel& channel;
    NodeCache& cache;
    const Credentials& who;
    Look look = Look::as_kept;
    PathOrigin from{};

    // Returns steps that walk on behalf of `who`.
    [[nodiscard]] PathSteps path_steps() const { return PathSteps(cache, look, from, judged_caller(cache, who)); }
    // Returns the same for what cannot walk once more: where it is judged here, nothing that was kept may refuse it.
    [[nodiscard]] PathSteps final_path_steps() const {
        const std::optional<client::Subject> judged = judged_caller(cache, who);
        return PathSteps(cache, judged ? Look::anew : look, from, judged);
    }
};

[[nodiscard]] MakerGroup maker_group(const NameContext& context) noexcept;

class NameSteps;

// The request that steps want, in the shape of an operation: a shared lane runs it like any other.
class WantedRequest {
public:
    explicit WantedRequest(NameSteps& steps) noexcept;

    void start(client::Client& client, const client::Caller& caller);
    [[nodiscard]] std::uint64_t surplus_lookup() const noexcept { return operation_.surplus_lookup(); }
    [[nodiscard]] client::Operation& operation() noexcept { return operation_; }

private:
    NameSteps& steps_;
    client::Operation& operation_;

public:
    void (*&on_finish)(client::Operation&) noexcept;
    void*& user;
};

// One operation, one thread at a time. What constructors are given by reference lives until the operation is finished.
class NameSteps {
public:
    enum class Want : std::uint8_t {
        walk,     // path() wants something
        request,  // request() is to be run
        finished, // see failure()
    };

    NameSteps(const NameSteps&) = delete;
    NameSteps& operator=(const NameSteps&) = delete;

    [[nodiscard]] Want want() const noexcept { return want_; }
    [[nodiscard]] PathSteps& path() noexcept { return *path_; }
    // The operation to be run, and how to start it with all its arguments.
    [[nodiscard]] client::Operation& operation() noexcept { return *request_; }
    void start_request(client::Client& client, const client::Caller& caller) { start(client, caller); }
    [[nodiscard]] WantedRequest request() noexcept { return WantedRequest(*this); }
    // Keeps what the request names.
    [[nodiscard]] Held held() const {
        Held held = context_.cache.hold();
        hold(held);
        return held;
    }
    // Returns why the operation failed, once it is finished; a Failure that did not happen if it succeeded.
    [[nodiscard]] const Failure& failure() const noexcept { return failure_; }

    // Takes the end of the walk: path() arrived, or failed with `why`.
    void handle_walked(const Failure& why) { why ? walk_failed(why) : walked(); }
    // Takes the end of the request. A server out of descriptors is given back all idle nodes, and asked again.
    void handle_answered();

protected:
    explicit NameSteps(const NameContext& context) noexcept : context_(context) {}
    ~NameSteps() = default;

    void want_walk(PathSteps& path) noexcept {
        path_ = &path;
        want_ = Want::walk;
    }
    void want_request(client::Operation& request) noexcept {
        request_ = &request;
        tries_ = 0;
        asked_ = context_.cache.about_to_ask();
        want_ = Want::request;
    }
    void finish(const Failure& why) noexcept {
        failure_ = why;
        want_ = Want::finished;
    }

    [[nodiscard]] NodeCache::Asked asked_of(const PathSteps& at) const noexcept {
        return {at.parent(), at.name(), asked_};
    }

    NameContext context_;
    AskedAt asked_{}; // when the request was wanted first

private:
    // Called after a walk, or after a request.
    virtual void walked() {}
    virtual void walk_failed(const Failure& why) { finish(why); }
    virtual void answered(const Failure& why) { finish(why); }
    virtual void start(client::Client& client, const client::Caller& caller) = 0;
    // Adds the nodes and the handles that the request names.
    virtual void hold(Held& held) const = 0;

    PathSteps* path_ = nullptr;
    client::Operation* request_ = nullptr;
    Failure failure_{};
    Failure exhausted_{}; // what a server without descriptors said
    unsigned tries_ = 0;  // of the request, at such a server
    Want want_ = Want::finished;
};

inline WantedRequest::WantedRequest(NameSteps& steps) noexcept
    : steps_(steps), operation_(steps.operation()), on_finish(operation_.on_finish), user(operation_.user) {}
inline void WantedRequest::start(client::Client& client, const client::Caller& caller) {
    steps_.start_request(client, caller);
}

// Makes every request the steps want and waits for each answer. Returns the steps' failure().
[[nodiscard]] Failure run(MountCall& call, NameSteps& steps);

// Makes a new name: mkdir, mknod, symlink, link.
template <class Op> class MakeSteps : public NameSteps {
protected:
    static constexpr bool kTellsGroup = requires(Op& op) { op.extensions.group; };

    explicit MakeSteps(const NameContext& context) : NameSteps(context), at_(context.path_steps()) {}
    ~MakeSteps() = default;
    void begin(std::string_view path) {
        using Parent = PathSteps::ParentAttributes;
        const bool by_group = kTellsGroup && maker_group(context_).depends_on_directory();
        at_.judge_way_alone();
        at_.to_parent(path, by_group ? Parent::wanted : Parent::unneeded);
        want_walk(at_);
    }
    void walked() override;
    void walk_failed(const Failure& why) override;

    void hold(Held& held) const override { held.nodes.push_back(at_.parent().clone()); }

    // Returns why this caller may not make what he wants to make, wherever that is.
    [[nodiscard]] virtual Failure check() const noexcept { return {}; }
    // Called when the name was made.
    virtual void note_made() {}
    // Returns the file that is to have the name, if there is one before.
    [[nodiscard]] virtual const NodeRef* named() const noexcept { return nullptr; }

    Op make_;

private:
    void answered(const Failure& why) override;
    void start(client::Client& client, const client::Caller& caller) override {
        make_.start(client, caller, at_.parent().nodeid());
    }

    PathSteps at_;
    bool looks_ = false; // at what is there already
    Failure refused_{};  // why the name may not be made, if it is not there
};

class MakeDirectorySteps final : public MakeSteps<client::MakeDirectory> {
public:
    MakeDirectorySteps(const NameContext& context, std::string_view path, std::uint32_t mode);
};
class MakeNodeSteps final : public MakeSteps<client::MakeNode> {
public:
    MakeNodeSteps(const NameContext& context, std::string_view path, std::uint32_t mode, std::uint32_t rdev);

private:
    [[nodiscard]] Failure check() const noexcept override;
};
class MakeSymlinkSteps final : public MakeSteps<client::MakeSymlink> {
public:
    MakeSymlinkSteps(const NameContext& context, std::string_view target, std::string_view path);
};
class MakeLinkSteps final : public MakeSteps<client::MakeLink> {
public:
    MakeLinkSteps(const NameContext& context, std::string_view existing, std::string_view path);

private:
    void walked() override;
    void note_made() override;
    [[nodiscard]] const NodeRef* named() const noexcept override { return &existing_.node(); }
    void hold(Held& held) const override {
        MakeSteps::hold(held);
        held.nodes.push_back(existing_.node().clone());
    }

    PathSteps existing_;
    std::string_view new_path_;
    bool found_ = false; // existing_ arrived
};

// Removes a name: unlink, rmdir. The node is looked up first, so that its lookups go back at once when the last name is
// gone, and the server can free the space. Servers count on it, as Linux looks up whatever it removes or renames: one of
// them answers EIO for a name it was never asked about.
template <class Op> class RemoveSteps final : public NameSteps {
public:
    RemoveSteps(const NameContext& context, std::string_view path);

private:
    void walked() override;
    void walk_failed(const Failure& why) override;
    void answered(const Failure& why) override;
    void start(client::Client& client, const client::Caller& caller) override {
        remove_.start(client, caller, at_.parent().nodeid());
    }
    void hold(Held& held) const override { held.nodes.push_back(at_.parent().clone()); }

    PathSteps at_;
    Op remove_;
    bool looked_up_ = false;
};
using RemoveFileSteps = RemoveSteps<client::RemoveFile>;
using RemoveDirectorySteps = RemoveSteps<client::RemoveDirectory>;

// Renames, with RENAME_… flags. A file that is replaced is looked up first, for the reasons of RemoveSteps.
class RenameSteps final : public NameSteps {
public:
    RenameSteps(const NameContext& context, std::string_view from, std::string_view to, std::uint32_t flags);

private:
    enum class Stage : std::uint8_t { source_parent, target_parent, source, target };

    void walked() override;
    void walk_failed(const Failure& why) override;
    void answered(const Failure& why) override;
    void start(client::Client& client, const client::Caller& caller) override;
    void hold(Held& held) const override {
        held.nodes.push_back(source_.parent().clone());
        held.nodes.push_back(target_.parent().clone());
    }
    void reach_parents();
    void reach_source();
    void want_rename();
    // True if the new name is one of the same file already, and may be.
    [[nodiscard]] bool has_both_names() const noexcept;
    [[nodiscard]] Failure check_permissions() const noexcept;
    [[nodiscard]] bool replaces() const noexcept;
    [[nodiscard]] bool looks_at_target() const noexcept;

    PathSteps source_;
    PathSteps target_;
    std::string_view to_;
    std::uint32_t flags_;
    Stage stage_ = Stage::source_parent;
    Failure no_target_ = abi::Errno::enoent; // none once the new name was found
    client::Rename rename_;
    client::RenameWithFlags rename_with_flags_;
};

} // namespace vfsproto::posix
