// SPDX-License-Identifier: BSD-2-Clause
// open(2) as steps without I/O: a walk, then OPEN or CREATE, and what to do when the server refuses one.
#pragma once

#include "vfsproto/posix/detail/judged_caller.hpp"
#include "vfsproto/posix/detail/maker_group.hpp"
#include "vfsproto/posix/detail/path_steps.hpp"

#include <cstdint>
#include <string_view>

namespace vfsproto::posix {

// One open, one thread at a time.
class OpenSteps {
public:
    enum class Want : std::uint8_t {
        walk,   // path() wants something
        create, // CREATE of path().name() in path().parent(); if that works, all is done
        open,   // OPEN of path().node(); if that works, all is done
        failed, // see failure()
    };

    // Says how CREATE is sent: as open(2) was called; or always with O_EXCL, and then a file that is there already is
    // looked up and opened (three requests).
    enum class CreateForm : std::uint8_t { as_called, exclusive };

    // `look` and `from` are as PathSteps has them. CREATE is never sent for a file that is there where permissions are judged here: the
    // file is looked up first.
    OpenSteps(NodeCache& cache, CreateForm form, const MakerGroup& maker, Look look = Look::as_kept,
              const PathOrigin& from = {})
        : cache_(cache),
          path_(cache, look, from, judged_caller(cache, maker.who())),
          form_(path_.judged() ? CreateForm::exclusive : form),
          maker_(maker) {}

    // `flags`: Linux O_….
    void begin(std::string_view path, std::uint32_t flags);

    // path() arrived, or failed with `why`.
    void handle_walked(const Failure& why);
    // CREATE or OPEN did not work.
    void handle_refused(const Failure& why);

    [[nodiscard]] Want want() const noexcept { return want_; }
    [[nodiscard]] const Failure& failure() const noexcept { return failure_; }
    [[nodiscard]] PathSteps& path() noexcept { return path_; }
    // Returns the flags to send. The open file keeps them.
    [[nodiscard]] std::uint32_t flags_to_create() const noexcept;
    [[nodiscard]] std::uint32_t flags_to_open() const noexcept;
    [[nodiscard]] std::uint32_t flags_to_keep() const noexcept;
    // Returns the group for the extensions of CREATE.
    [[nodiscard]] std::uint32_t group_to_create() const noexcept { return group_; }

private:
    void look_before_creating();
    [[nodiscard]] Failure check_name() const noexcept;
    void want_create();
    void refuse(abi::Errno why);
    void want_open();
    void handle_uncreated(const Failure& why);
    void fail(const Failure& why) noexcept;

    NodeCache& cache_;
    PathSteps path_;
    Failure failure_{};
    Failure uncreated_{}; // what CREATE said
    Failure exhausted_{}; // what a server without descriptors said before it was given some back
    int overtaken_ = 0;   // times the file came and went under our hands
    std::uint32_t flags_ = 0;
    Want want_ = Want::failed;
    enum class Walking : std::uint8_t { to_file, to_parent, to_last } walking_ = Walking::to_file;
    CreateForm form_;
    MakerGroup maker_;
    std::uint32_t group_ = client::MakerExtensions::kNoGroup;
    unsigned tries_ = 0; // of CREATE or OPEN, at a server without descriptors
};

// Returns the form for this server. A file that is there must also be truncated: a server that was not asked to do that
// itself (ATOMIC_O_TRUNC) is sent the exclusive form.
[[nodiscard]] OpenSteps::CreateForm create_form_of(Channel& channel) noexcept;

} // namespace vfsproto::posix
