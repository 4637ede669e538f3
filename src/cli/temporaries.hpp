// SPDX-License-Identifier: BSD-2-Clause
// The temporary files of this host that are not renamed yet, so that they can be removed in a hurry.
#pragma once

#include "target_options.hpp"

#include <functional>
#include <string>

namespace vfsproto::cli {

// All functions may be called by any thread. `directory` stays open until the file was removed or renamed.

// Makes a new file that only its owner may read; -1 and errno on failure, as open(2).
[[nodiscard]] int make_temporary_file(int directory, const std::string& name) noexcept;
// Makes something by a name that nothing has; 0, or an errno.
using MakeLocal = std::function<int(const char* name)>;
// Calls `make` with the name of a file that is to be renamed or removed; what that returns.
[[nodiscard]] int make_temporary(int directory, const std::string& name, const MakeLocal& make);
// Removes the file, if it is there.
void remove_temporary(int directory, const std::string& name) noexcept;
// Gives the file its name; an errno, or 0. Clobber::never: EEXIST where something has that name.
[[nodiscard]] int rename_temporary(int directory, const std::string& name, const std::string& new_name,
                                   Clobber clobber) noexcept;
// Removes all of them. No other is made or renamed after that: the process is about to end.
void remove_all_temporaries() noexcept;

} // namespace vfsproto::cli
