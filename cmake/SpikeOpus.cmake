# libopus (RFC 6716), the one library that the core links: the imported target `opus`.
#
# SPIKE_STATIC_OPUS takes the static library, so that what is built needs no other file. The wheels of Linux and macOS link the
# shared one and have auditwheel and delocate bundle it.
option(SPIKE_STATIC_OPUS "Link libopus statically" OFF)

if(SPIKE_STATIC_OPUS)
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a .lib)
endif()
find_path(OPUS_INCLUDE_DIR opus.h PATH_SUFFIXES opus)
find_library(OPUS_LIBRARY NAMES opus)
mark_as_advanced(OPUS_INCLUDE_DIR OPUS_LIBRARY)
if(NOT OPUS_INCLUDE_DIR OR NOT OPUS_LIBRARY)
  message(FATAL_ERROR "libopus was not found. Install it: Debian and Ubuntu: apt install libopus-dev; Fedora: dnf install opus-devel; "
    "macOS: brew install opus; Windows: vcpkg install opus:x64-windows-static-md. "
    "If it is in a place of its own, name that in CMAKE_PREFIX_PATH.")
endif()

add_library(opus UNKNOWN IMPORTED)
set_target_properties(opus PROPERTIES IMPORTED_LOCATION "${OPUS_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${OPUS_INCLUDE_DIR}")
if(UNIX)
  target_link_libraries(opus INTERFACE m)  # what the static library needs
endif()
