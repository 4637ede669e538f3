// SPDX-License-Identifier: BSD-2-Clause
// The version of these headers. The build takes it from here.
#pragma once

#define VFSPROTO_VERSION_MAJOR 0
#define VFSPROTO_VERSION_MINOR 1
#define VFSPROTO_VERSION_PATCH 0

// A number that grows with every version, for #if: 0.1.0 is 1000.
#define VFSPROTO_VERSION_NUMBER                                                                                        \
    (VFSPROTO_VERSION_MAJOR * 1000000 + VFSPROTO_VERSION_MINOR * 1000 + VFSPROTO_VERSION_PATCH)
