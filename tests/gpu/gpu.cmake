# Tests of CUDA kernels, built where nvcc is found. A kernel is compiled once, into an object that
# holds PTX and machine code, and each test is linked twice:
#   NAME       label emu: with the PTX interpreter in place of the CUDA runtime; runs anywhere
#   gpu_tests  label gpu: all of them in one program with the real runtime, NAME_gpu to CTest; skipped
#              where there is no device
# Tests that use the interpreter's own headers are not in gpu_tests.
if(NOT LODESTONE_CUDA)
  return()
endif()

file(GLOB emulator_sources CONFIGURE_DEPENDS tests/gpu/emulator/*.cpp tests/gpu/runtime/*.cpp
  tests/gpu/ptx_program.cpp)
add_library(lodestone_emulator STATIC ${emulator_sources})
target_include_directories(lodestone_emulator SYSTEM PUBLIC ${CUDAToolkit_INCLUDE_DIRS})
# Registers hold what the device would: no contraction of products and sums, and lanes of one
# register may be read as another type. Loops over lanes vectorise (`omp simd`).
target_compile_options(lodestone_emulator PRIVATE -ffp-contract=off -fno-strict-aliasing -fopenmp-simd)
set_source_files_properties(tests/gpu/emulator/ops_float.cpp PROPERTIES COMPILE_OPTIONS -frounding-math)
# The matrix products of a closed library are computed by the CPU's.
target_link_libraries(lodestone_emulator PUBLIC lodestone_kernels)

# The tests' own kernels use what only sm_90a has.
file(GLOB test_kernel_sources CONFIGURE_DEPENDS tests/gpu/kernels/*.cu tests/gpu/conformance/*.cu
  tests/gpu/conformance/*.cpp)
lodestone_cuda_library(lodestone_test_kernels 90a ${test_kernel_sources})

# A program is linked to the highest floor that its source includes.
function(lodestone_gpu_program name source)
  add_executable(${name} ${source})
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_compile_options(${name} PRIVATE -O1)
  target_link_libraries(${name} PRIVATE lodestone_test_kernels ${ARGN} GTest::gtest GTest::gmock)
  foreach(floor bench train data model engine kernels)
    file(STRINGS ${source} includes REGEX "#include \"${floor}/")
    list(FILTER includes EXCLUDE REGEX "engine/core/")
    if(includes OR floor STREQUAL "kernels")
      target_link_libraries(${name} PRIVATE lodestone_${floor})
      break()
    endif()
  endforeach()
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endfunction()

add_executable(gpu_tests tests/gpu/device_main.cpp)
set_target_properties(gpu_tests PROPERTIES LINKER_LANGUAGE CXX)
target_link_libraries(gpu_tests PRIVATE lodestone_test_kernels lodestone_testing lodestone_bench)
# A source's suites are told apart by name: each has a process of its own, for an error of the device
# stays with the process.
function(lodestone_on_gpu name source)
  target_sources(gpu_tests PRIVATE ${source})
  file(STRINGS ${source} suites REGEX "^(TEST|TEST_F|TEST_P|TYPED_TEST)\\(")
  list(TRANSFORM suites REPLACE "^[A-Z_]+\\(([A-Za-z0-9]+).*" "\\1")
  list(REMOVE_DUPLICATES suites)
  list(TRANSFORM suites REPLACE "(.+)" "\\1.*:\\1/*:*/\\1.*")
  list(JOIN suites ":" filter)
  add_test(NAME ${name}_gpu COMMAND gpu_tests --gtest_filter=${filter} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name}_gpu PROPERTIES LABELS gpu TIMEOUT 900 SKIP_RETURN_CODE 77
    ENVIRONMENT LODESTONE_TEST_DEVICE=cuda)
endfunction()

file(GLOB gpu_test_sources CONFIGURE_DEPENDS tests/gpu/*_test.cpp)
foreach(source ${gpu_test_sources})
  get_filename_component(name ${source} NAME_WE)
  lodestone_gpu_program(${name} ${source} GTest::gtest_main)
  set_target_properties(${name} PROPERTIES LODESTONE_EMULATED ON)
  set_tests_properties(${name} PROPERTIES LABELS emu TIMEOUT 900 ENVIRONMENT OMP_WAIT_POLICY=passive)
  file(STRINGS ${source} interpreter_headers REGEX "#include \"tests/gpu/(emulator/|runtime/|ptx_program)")
  if(NOT interpreter_headers)
    # Once more in a random order of blocks and warps.
    add_test(NAME ${name}_random COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${name}_random PROPERTIES LABELS emu TIMEOUT 900
      ENVIRONMENT "OMP_WAIT_POLICY=passive;LODESTONE_EMU_SEED=7")
    lodestone_on_gpu(${name} ${source})
  endif()
endforeach()

# Speed is measured with nothing beside it.
set_tests_properties(emulator_speed_test PROPERTIES RUN_SERIAL ON)

# Tests of what calls NVIDIA's libraries, with the real runtime; they run without a device too.
file(GLOB nvidia_test_sources CONFIGURE_DEPENDS tests/gpu/nvidia/*_test.cpp)
foreach(source ${nvidia_test_sources})
  get_filename_component(name ${source} NAME_WE)
  lodestone_gpu_program(${name} ${source} GTest::gtest_main)
  set_tests_properties(${name} PROPERTIES LABELS cuda TIMEOUT 900)
endforeach()

# The calls to cuBLASLt themselves, on a stand-in for it, under the interpreter.
add_executable(cublaslt_calls_test tests/gpu/cublaslt/cublaslt_calls_test.cpp tests/gpu/cublaslt/stand_in.cpp
  tests/gpu/matrix_product_cuda_test.cpp tests/gpu/linear_cuda_test.cpp
  kernels/cuda/matrix_product_cublaslt.cpp kernels/cuda/choices_cublaslt.cpp)
set_target_properties(cublaslt_calls_test PROPERTIES LINKER_LANGUAGE CXX LODESTONE_EMULATED ON)
target_link_libraries(cublaslt_calls_test PRIVATE lodestone_kernels GTest::gtest_main GTest::gmock)
add_test(NAME cublaslt_calls_test COMMAND cublaslt_calls_test WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
set_tests_properties(cublaslt_calls_test PROPERTIES LABELS emu TIMEOUT 900 ENVIRONMENT OMP_WAIT_POLICY=passive)

# Tests of the engine that serve every device, once more on CUDA: the cases of every op, the golden
# numbers. A cell of 2,049 rows takes the interpreter minutes; attention_long_cuda_test has one.
file(GLOB device_test_sources CONFIGURE_DEPENDS tests/ops/*_test.cpp tests/model/*_test.cpp tests/train/*_test.cpp)
foreach(source ${device_test_sources})
  file(STRINGS ${source} on_devices REGEX "check_ops?\\(|test_device\\(\\)")
  if(on_devices)
    get_filename_component(name ${source} NAME_WE)
    string(REPLACE _test _on_cuda_test name ${name})
    add_executable(${name} ${source})
    set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX LODESTONE_EMULATED ON)
    target_link_libraries(${name} PRIVATE lodestone_testing GTest::gtest_main)
    if(source MATCHES "/tests/(model|train)/")
      target_link_libraries(${name} PRIVATE lodestone_${CMAKE_MATCH_1})
    endif()
    add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES LABELS emu TIMEOUT 900
      ENVIRONMENT "LODESTONE_TEST_DEVICE=cuda;OMP_WAIT_POLICY=passive;GTEST_FILTER=-*OnALongCell")
    lodestone_on_gpu(${name} ${source})
  endif()
endforeach()

# The whole binary on the interpreter: every command with --device cuda, without a GPU.
add_executable(lodestone_emu tools/main.cpp)
set_target_properties(lodestone_emu PROPERTIES LINKER_LANGUAGE CXX LODESTONE_EMULATED ON)
target_link_libraries(lodestone_emu PRIVATE lodestone_commands)
add_executable(cuda_commands_test tests/gpu/commands/cuda_commands_test.cpp)
set_target_properties(cuda_commands_test PROPERTIES LINKER_LANGUAGE CXX)
target_link_libraries(cuda_commands_test PRIVATE lodestone_testing GTest::gtest_main)
add_dependencies(cuda_commands_test lodestone_emu)
add_test(NAME cuda_commands_test COMMAND cuda_commands_test WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
set_tests_properties(cuda_commands_test PROPERTIES LABELS emu TIMEOUT 900
  ENVIRONMENT "LODESTONE_BINARY=$<TARGET_FILE:lodestone_emu>;OMP_WAIT_POLICY=passive")

# tools/fuzz_ptx.sh builds and runs it.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  file(GLOB interpreter_sources CONFIGURE_DEPENDS tests/gpu/emulator/*.cpp)
  add_executable(fuzz_ptx EXCLUDE_FROM_ALL tests/gpu/fuzz_ptx.cpp ${interpreter_sources}
    engine/core/error.cpp engine/core/log.cpp)
  target_include_directories(fuzz_ptx SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
  target_compile_options(fuzz_ptx PRIVATE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
    -fno-strict-aliasing)
  target_link_options(fuzz_ptx PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_libraries(fuzz_ptx PRIVATE lodestone_options spdlog::spdlog)
endif()
