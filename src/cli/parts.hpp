// SPDX-License-Identifier: BSD-2-Clause
#pragma once

namespace vfsproto::cli {

class Json;
class Output;

// Prints an object of objects for people: the name of each, and below it a line for each of its values.
void print_parts(Output& out, const Json& parts);

} // namespace vfsproto::cli
