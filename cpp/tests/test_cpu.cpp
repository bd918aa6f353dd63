#include <doctest/doctest.h>

#include "base/cpu.hpp"

TEST_CASE("the active instruction set is one that this processor supports") {
    CHECK(spike::supports(spike::active_isa()));
    CHECK(spike::supports(spike::Isa::baseline));
}
