// SPDX-License-Identifier: BSD-2-Clause
#include "direct_calls.hpp"

using namespace vfsproto;
using namespace vfsproto::test;

TEST_CASE("every operation has a handler or a reason to have none") {
    wire::for_each_row(wire::OpTable{}, [&]<class Row>(Row) {
        INFO(Row::name);
        const char* why = nullptr;
        for (const backends::MemfsAbsence& absence : backends::kMemfsAbsent) {
            if (absence.opcode == Row::opcode) why = absence.why;
        }
        CHECK(server::Handles<Memfs, Row> == (why == nullptr));
        server::check_handler<Memfs, Row>();
    });
}
