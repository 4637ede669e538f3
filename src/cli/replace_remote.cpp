// SPDX-License-Identifier: BSD-2-Clause
#include "replace_remote.hpp"

#include "cleaning_up.hpp"
#include "local_target.hpp"
#include "paths.hpp"
#include "remote_temporaries.hpp"

namespace vfsproto::cli {

using posix::Failure;

Failure replace_remote(posix::Mount& mount, const std::string& to, const MakeRemote& make) {
    const std::string temporary = join(directory_name(to), temporary_name());
    note_remote_temporary(temporary);
    if (const Failure failure = make(temporary)) {
        settle_unmade_temporary(mount, temporary, failure);
        return failure;
    }
    const Failure failure = mount.rename(temporary, to);
    // Between two names of one file a rename does nothing: then the temporary name is still there.
    const CleaningUp cleaning(mount);
    remove_remote_temporary(cleaning.mount(), temporary);
    return failure;
}

} // namespace vfsproto::cli
