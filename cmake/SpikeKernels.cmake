# One kernel source, compiled once per instruction set.
#
# spike_add_kernels(<target> <source>) compiles <source> with SPIKE_ISA defined to the namespace that the variant lives in
# (baseline, avx2, avx512, neon) and adds the objects to <target>. base/cpu.hpp says at run time which variants may be called.
function(spike_add_kernels target source)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND NOT CMAKE_OSX_ARCHITECTURES MATCHES "arm64")
    set(variants baseline avx2 avx512)
    if(MSVC)
      set(flags_avx2 /arch:AVX2)
      set(flags_avx512 /arch:AVX512)
    else()
      set(flags_avx2 -mavx2 -mfma)
      set(flags_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vbmi -mavx512vnni -mavx2 -mfma
          -mprefer-vector-width=512)
    endif()
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$" OR CMAKE_OSX_ARCHITECTURES MATCHES "arm64")
    set(variants baseline neon)
  else()
    set(variants baseline)
  endif()

  get_filename_component(name ${source} NAME_WE)
  foreach(variant IN LISTS variants)
    set(objects ${name}_${variant})
    add_library(${objects} OBJECT ${source})
    target_include_directories(${objects} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/cpp)
    target_compile_definitions(${objects} PRIVATE SPIKE_ISA=${variant})
    target_compile_options(${objects} PRIVATE ${flags_${variant}})
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
  endforeach()
endfunction()
