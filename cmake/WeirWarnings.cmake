# SPDX-License-Identifier: Apache-2.0
# Interface target that every target of ours links: includes from the top, warnings as errors, sanitizers.
add_library(weir_options INTERFACE)
target_include_directories(weir_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/userspace)
target_compile_options(weir_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
  # Lines for traces; all else that a debugger could use is a quarter of the compiler's time (the debug preset has it).
  $<$<OR:$<CONFIG:RelWithDebInfo>,$<BOOL:${WEIR_SANITIZE}>>:-g1>
  # Of files that are compiled as one, what one has for itself hides nothing of another.
  $<$<BOOL:${CMAKE_UNITY_BUILD}>:-Wno-shadow>
  $<$<BOOL:${CMAKE_UNITY_BUILD}>:-Wshadow=local>
  $<$<BOOL:${CMAKE_UNITY_BUILD}>:-Wno-subobject-linkage>
  $<$<BOOL:${WEIR_SANITIZE}>:-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer>)
target_link_options(weir_options INTERFACE
  $<$<BOOL:${WEIR_SANITIZE}>:-fsanitize=address,undefined>)
