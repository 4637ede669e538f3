// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "vfsproto/fuse/client/content_cache.hpp"

#include <memory>
#include <string>
#include <utility>

namespace vfsproto::posix {

// Holds the target of a link, or the records of a listing. Whoever reads them shares them, and goes on when they are dropped.
struct KeptContent final : client::Content {
    KeptContent(client::ContentKind what, std::string of) : text(std::make_shared<const std::string>(std::move(of))) {
        kind = what;
        constexpr std::size_t kAround = 96; // of the two blocks of memory beside the text
        bytes = sizeof *this + kAround + text->capacity();
    }

    std::shared_ptr<const std::string> text;
};

} // namespace vfsproto::posix
