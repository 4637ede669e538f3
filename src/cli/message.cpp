// SPDX-License-Identifier: BSD-2-Clause
#include "message.hpp"

#include "escape.hpp"
#include "json.hpp"

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"

namespace vfsproto::cli {
namespace {

std::string text_of(const Message& message) {
    std::string line = "vfsproto: ";
    if (!message.command.empty()) line.append(message.command).append(": ");
    const Subject& subject = message.subject;
    if (!subject.name().empty()) line.append(subject.name());
    if (!subject.target().empty()) line.append(" to ").append(subject.target());
    if (!subject.name().empty()) line.append(": ");
    return printable(line.append(message.text)) + '\n';
}

std::string json_of(const Message& message) {
    Json body;
    if (!message.command.empty()) body.set("command", message.command);
    const Subject& subject = message.subject;
    if (!subject.name().empty()) add_text(body, subject.is_path() ? "path" : "subject", subject.name());
    if (!subject.target().empty()) add_text(body, "target", subject.target());
    const posix::Failure& failure = message.failure;
    if (failure.happened()) body.set("errno", abi::errno_name(failure.as_errno()));
    body.set("message", message.text);
    Json line;
    line.set(message.kind == Message::Kind::error ? "error" : "warning", body);
    return line.dump() + '\n';
}

} // namespace

std::string line_of(const Message& message, Style style) {
    return style == Style::json ? json_of(message) : text_of(message);
}

} // namespace vfsproto::cli
