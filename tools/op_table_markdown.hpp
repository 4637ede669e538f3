// SPDX-License-Identifier: BSD-2-Clause
// docs/operations.md, made from the op table. Hosted: for the tool that prints it and the test that compares.
#pragma once

#include "vfsproto/fuse/wire/op_table.hpp"

#include <string>

namespace vfsproto::tools {

inline std::string request_text(const wire::OpInfo& op) {
    std::string text = op.in_size != 0 ? std::to_string(op.in_size) : "";
    const auto add = [&](const char* what) { text += text.empty() ? what : std::string(" + ") + what; };
    switch (op.in_tail) {
    case wire::InTail::none: break;
    case wire::InTail::name: add("name"); break;
    case wire::InTail::name_pair: add("name + name"); break;
    case wire::InTail::name_data: add("name + data"); break;
    case wire::InTail::data: add("data"); break;
    case wire::InTail::array: add("records of "), text += std::to_string(op.tail_field.unit); break;
    }
    if (op.traits.extensions == wire::Extensions::allowed) add("extensions");
    return text.empty() ? "-" : text;
}

inline std::string reply_text(const wire::OpInfo& op) {
    if (op.traits.reply == wire::ReplyOwed::never) return "none";
    if (op.traits.reply == wire::ReplyOwed::on_error) return "on error only";
    const std::string fixed = op.out_size != 0 ? std::to_string(op.out_size) : "";
    const std::string before = fixed.empty() ? "" : fixed + " + ";
    switch (op.out_tail) {
    case wire::OutTail::none: return fixed.empty() ? "-" : fixed;
    case wire::OutTail::data: return before + "data";
    case wire::OutTail::dirents: return before + "dirents";
    case wire::OutTail::direntpluses: return before + "direntpluses";
    case wire::OutTail::size_or_data: return fixed + " or data";
    }
    return "-";
}

inline std::string note_text(const wire::OpInfo& op) {
    switch (op.traits.compat) {
    case wire::Compat::none: return "";
    case wire::Compat::short_request:
        return "request struct " + std::to_string(wire::kSetxattrInCompatSize) + " without SETXATTR_EXT";
    case wire::Compat::short_reply:
        return "request struct " + std::to_string(wire::kInitInCompatSize) + " before 7.36, reply struct " +
               std::to_string(wire::kInitOutCompat22Size) + " before 7.23";
    }
    return "";
}

inline std::string op_table_markdown() {
    std::string text =
        "# FUSE operations\n\n"
        "Printed by `tools/print_op_table.cpp` from `fuse/wire/op_table.hpp`; a test compares the two. Sizes "
        "are bytes behind the\nheaders (40 of a request, 16 of a reply); names end with a NUL.\n\n"
        "| # | operation | since | request | reply | queue | may block | notes |\n"
        "|---|---|---|---|---|---|---|---|\n";
    for (const wire::OpInfo& op : wire::kOpInfo) {
        text += "| " + std::to_string(static_cast<unsigned>(op.opcode)) + " | " + op.name + " | 7." +
                std::to_string(op.since) + " | " + request_text(op) + " | " + reply_text(op) + " | " +
                (op.traits.queue == wire::QueueKind::hiprio ? "hiprio" : "request") + " | " +
                (op.traits.blocking != wire::Blocking::never ? "yes" : "no") + " | " + note_text(op) + " |\n";
    }
    return text;
}

} // namespace vfsproto::tools
