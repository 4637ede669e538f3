// SPDX-License-Identifier: BSD-2-Clause
// The one place that knows which Catch2 is installed (v2 in Debian 12, v3 in Debian 13).
#pragma once
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx; // NOLINT
#else
#include <catch2/catch.hpp>
#endif
