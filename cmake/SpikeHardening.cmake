# What makes a memory error end the process instead of serving an attacker: guarded stacks, checked copies, and a table of
# functions that is read-only once the module is loaded. tests/test_hardening.py reads it from the built module.
#
# Position-independent code and a stack that is not executable are the linkers' defaults; the second is asked for all the same.
if(MSVC)
  add_compile_options(/guard:cf)
  add_link_options(/guard:cf)
else()
  add_compile_options(-fstack-protector-strong)
  if(NOT SPIKE_SANITIZE)
    # glibc checks copies in optimised code only, and a sanitizer checks them better.
    add_compile_options($<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
  endif()
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    add_compile_options(-fstack-clash-protection)
    add_link_options(LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack)
  endif()
endif()
