# SPDX-License-Identifier: Apache-2.0
# bpf_program(NAME PART...): compiles each PART.bpf.c with clang's BPF target, links them and writes NAME.skel.h.
# Header dependencies are tracked by a depfile. The result is the interface target bpf_NAME.
find_program(WEIR_BPF_CLANG NAMES clang clang-14 clang-19 REQUIRED)
find_program(WEIR_BPFTOOL NAMES bpftool HINTS /usr/sbin /sbin REQUIRED)
# Architecture headers (asm/types.h) of Debian's multiarch layout: clang's BPF target doesn't look there.
execute_process(COMMAND ${CMAKE_C_COMPILER} -print-multiarch OUTPUT_VARIABLE WEIR_MULTIARCH
                OUTPUT_STRIP_TRAILING_WHITESPACE)

function(bpf_program name)
  set(objects "")
  foreach(part ${ARGN})
    set(source ${CMAKE_CURRENT_SOURCE_DIR}/${part}.bpf.c)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.${part}.o)
    add_custom_command(
      OUTPUT ${object}
      COMMAND ${WEIR_BPF_CLANG} -target bpf -mcpu=v3 -O2 -g -Wall -Werror
              -I${PROJECT_SOURCE_DIR} -I/usr/include/${WEIR_MULTIARCH}
              -MD -MF ${object}.d -MT ${object} -c ${source} -o ${object}
      DEPENDS ${source}
      DEPFILE ${object}.d
      COMMENT "BPF ${name}: ${part}" VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  set(linked ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  set(skeleton ${CMAKE_CURRENT_BINARY_DIR}/${name}.skel.h)
  add_custom_command(
    OUTPUT ${skeleton}
    BYPRODUCTS ${linked}
    COMMAND ${WEIR_BPFTOOL} gen object ${linked} ${objects}
    # clang-tidy's analyzer takes libbpf for a library that frees nothing, and the skeleton for a leak.
    COMMAND echo "// NOLINTBEGIN" > ${skeleton}
    COMMAND ${WEIR_BPFTOOL} gen skeleton ${linked} name weir_${name} >> ${skeleton}
    COMMAND echo "// NOLINTEND" >> ${skeleton}
    DEPENDS ${objects}
    COMMENT "skeleton ${name}" VERBATIM)
  add_custom_target(bpf_${name}_skeleton DEPENDS ${skeleton})
  add_library(bpf_${name} INTERFACE)
  target_include_directories(bpf_${name} SYSTEM INTERFACE ${CMAKE_CURRENT_BINARY_DIR})
  add_dependencies(bpf_${name} bpf_${name}_skeleton)
endfunction()
