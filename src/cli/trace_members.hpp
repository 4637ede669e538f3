// SPDX-License-Identifier: BSD-2-Clause
// The members of JSON objects in a trace, appended to a text without a tree in between: traces are long. Numbers are numbers
// but for modes and umasks, which are octal text: the whole mode, with the type of the file, as it goes over the wire. Bytes
// of a name that are no UTF-8 are shown as replacement characters, and "KEY_base64" beside it has them all.
#pragma once

#include "traced_request.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace vfsproto::cli {

class TraceMembers {
public:
    // Opens an object at the end of `out`.
    explicit TraceMembers(std::string& out) : out_(out) { out_ += '{'; }
    TraceMembers(const TraceMembers&) = delete;
    TraceMembers& operator=(const TraceMembers&) = delete;

    void add(std::string_view key, std::uint64_t number);
    void add_signed(std::string_view key, std::int64_t number);
    void add_null(std::string_view key);
    void add_true(std::string_view key);
    // Adds a number with three digits behind the point: `thousandths` / 1000.
    void add_thousandths(std::string_view key, std::int64_t thousandths);
    // Adds text. What is no UTF-8 is replaced.
    void add_text(std::string_view key, std::string_view text);
    // Adds any bytes.
    void add_name(std::string_view key, std::string_view bytes);

    // Opens an object as a member, and closes the innermost one that is open.
    void open(std::string_view key);
    void close();

    // Adds who asked, where the request stands, and "request" with its fields and names.
    void add_request(const TracedRequest& request);
    // Adds "error", "errno" and "failure" where there are any, "received", and "answer" with its fields.
    void add_answer(const TracedRequest& request, const TracedAnswer& answer);

private:
    void key(std::string_view key);
    void add_fields(std::span<const wire::Field> fields, std::span<const std::byte> from);
    void add_forgotten(const TracedRequest& request);

    std::string& out_;
    bool is_first_ = true; // in the innermost object
};

} // namespace vfsproto::cli
