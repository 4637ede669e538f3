// SPDX-License-Identifier: BSD-2-Clause
// The fields of FUSE structs are read by name; that each byte lies in one of them is checked when the table is compiled.
#include "support/catch.hpp"
#include "vfsproto/fuse/wire/struct_fields.hpp"

#include <cstring>
#include <string>
#include <string_view>

using namespace vfsproto;
using namespace vfsproto::wire;

namespace {

// Returns the value of the field of that name.
template <class S> std::uint64_t value(std::span<const Field> fields, std::string_view name, const S& from) {
    for (const Field& field : fields) {
        if (field.name == name) return field_value(field, reinterpret_cast<const std::byte*>(&from));
    }
    FAIL("no field " << name);
    return 0;
}

} // namespace

TEST_CASE("fields of an operation are read by their names, inner structs included", "[wire]") {
    CreateOut out{};
    out.entry.nodeid = 7;
    out.entry.attr.mode = 0100644;
    out.open.fh = 0x1122'3344'5566'7788;
    out.open.backing_id = -1;
    const std::span<const Field> fields = fields_of(op_info(Opcode::create)).out;
    CHECK(value(fields, "nodeid", out) == 7);
    CHECK(value(fields, "mode", out) == 0100644);
    CHECK(value(fields, "fh", out) == 0x1122'3344'5566'7788);
    CHECK(static_cast<std::int64_t>(value(fields, "backing_id", out)) == -1);
    InitOut init{};
    init.max_pages = 0xfffe;
    CHECK(value(fields_of(op_info(Opcode::init)).out, "max_pages", init) == 0xfffe);
}

TEST_CASE("every operation has fields where it has a struct, with names of their own", "[wire]") {
    for (const OpInfo& op : kOpInfo) {
        INFO(op.name);
        CHECK(fields_of(op).in.empty() == (op.in_size == 0));
        CHECK(fields_of(op).out.empty() == (op.out_size == 0));
        for (const auto& fields : {fields_of(op).in, fields_of(op).out}) {
            for (const Field& field : fields) {
                const bool can_be_read = field.size == 2 || field.size == 4 || field.size == 8;
                CHECK((can_be_read || field.form == FieldForm::unused));
                for (const Field& other : fields) {
                    const bool is_same = std::string_view(field.name) == other.name;
                    if (&field != &other && field.form != FieldForm::unused) CHECK_FALSE(is_same);
                }
            }
        }
    }
}
