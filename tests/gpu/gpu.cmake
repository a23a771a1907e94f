# Tests of CUDA kernels, built where nvcc is found. A kernel is compiled once, into an object that
# holds PTX and machine code, and each test is linked twice:
#   NAME      label emu: with the PTX interpreter in place of the CUDA runtime; runs anywhere
#   NAME_gpu  label gpu: with the real runtime; skipped where there is no device
# Tests that use the interpreter's own headers have only the first.
include(CheckLanguage)
if(NOT CMAKE_CUDA_COMPILER)
  find_program(LODESTONE_NVCC nvcc PATHS /usr/local/cuda/bin)
  if(LODESTONE_NVCC)
    set(CMAKE_CUDA_COMPILER ${LODESTONE_NVCC})
  endif()
endif()
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(STATUS "No nvcc: the CUDA kernels and the PTX interpreter are not built")
  return()
endif()
if(CCACHE AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE})
endif()
if(NOT LODESTONE_CUDA)
  include(tools/cmake/Cuda.cmake)
endif()

file(GLOB emulator_sources CONFIGURE_DEPENDS tests/gpu/emulator/*.cpp tests/gpu/runtime/*.cpp
  tests/gpu/ptx_program.cpp)
add_library(lodestone_emulator STATIC ${emulator_sources})
target_include_directories(lodestone_emulator SYSTEM PUBLIC ${CUDAToolkit_INCLUDE_DIRS})
# Registers hold what the device would: no contraction of products and sums, and lanes of one
# register may be read as another type. Loops over lanes vectorise (`omp simd`).
target_compile_options(lodestone_emulator PRIVATE -ffp-contract=off -fno-strict-aliasing -fopenmp-simd)
set_source_files_properties(tests/gpu/emulator/ops_float.cpp PROPERTIES COMPILE_OPTIONS -frounding-math)
target_link_libraries(lodestone_emulator PUBLIC lodestone_core)

# What the engine has for CUDA, whether or not this build uses it.
add_library(lodestone_cuda_layer STATIC engine/core/cuda.cpp)
target_include_directories(lodestone_cuda_layer SYSTEM PUBLIC ${CUDAToolkit_INCLUDE_DIRS})
target_link_libraries(lodestone_cuda_layer PUBLIC lodestone_core)

function(lodestone_cuda_library name)
  add_library(${name} STATIC ${ARGN})
  set_target_properties(${name} PROPERTIES CUDA_ARCHITECTURES OFF CUDA_RUNTIME_LIBRARY None)
  # Device assertions are tested: NDEBUG is not defined.
  target_compile_options(${name} PRIVATE -gencode=arch=compute_90a,code=[compute_90a,sm_90a]
    --no-compress -lineinfo -O3 -UNDEBUG)
  target_link_libraries(${name} PUBLIC lodestone_cuda_layer)
endfunction()
file(GLOB cuda_sources CONFIGURE_DEPENDS kernels/cuda/*.cu)
file(GLOB test_kernel_sources CONFIGURE_DEPENDS tests/gpu/kernels/*.cu)
lodestone_cuda_library(lodestone_cuda_kernels ${cuda_sources})
lodestone_cuda_library(lodestone_test_kernels ${test_kernel_sources})

function(lodestone_gpu_program name source)
  add_executable(${name} ${source})
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX CUDA_ARCHITECTURES OFF)
  target_compile_options(${name} PRIVATE -O1)
  target_link_libraries(${name} PRIVATE lodestone_test_kernels lodestone_cuda_kernels
    lodestone_cuda_layer ${ARGN} lodestone_kernels GTest::gtest GTest::gmock)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endfunction()

file(GLOB gpu_test_sources CONFIGURE_DEPENDS tests/gpu/*_test.cpp)
foreach(source ${gpu_test_sources})
  get_filename_component(name ${source} NAME_WE)
  lodestone_gpu_program(${name} ${source} lodestone_emulator GTest::gtest_main)
  set_target_properties(${name} PROPERTIES CUDA_RUNTIME_LIBRARY None)
  set_tests_properties(${name} PROPERTIES LABELS emu TIMEOUT 900 ENVIRONMENT OMP_WAIT_POLICY=passive)
  file(STRINGS ${source} interpreter_headers REGEX "#include \"tests/gpu/(emulator/|runtime/|ptx_program)")
  if(NOT interpreter_headers)
    # Once more in a random order of blocks and warps.
    add_test(NAME ${name}_random COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${name}_random PROPERTIES LABELS emu TIMEOUT 900
      ENVIRONMENT "OMP_WAIT_POLICY=passive;LODESTONE_EMU_SEED=7")
    lodestone_gpu_program(${name}_gpu ${source} CUDA::cudart_static)
    target_sources(${name}_gpu PRIVATE tests/gpu/device_main.cpp)
    set_target_properties(${name}_gpu PROPERTIES CUDA_RUNTIME_LIBRARY Static)
    set_tests_properties(${name}_gpu PROPERTIES LABELS gpu TIMEOUT 900 SKIP_RETURN_CODE 77)
  endif()
endforeach()
