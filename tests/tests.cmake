# Every tests/**/*_test.cpp is a program of its own, linked to the floor that its folder names
# (those of tests/gpu: see gpu.cmake).
# Each is one CTest test; labels are the folder's name. OpenMP's threads sleep while they wait, for
# several tests may share the cores.
find_package(GTest REQUIRED)
file(GLOB testing_sources CONFIGURE_DEPENDS tests/testing/*.cpp)
add_library(lodestone_testing STATIC ${testing_sources})
target_link_libraries(lodestone_testing PUBLIC lodestone_engine GTest::gtest GTest::gmock)
# Tests are compiled for a short build; what they test is compiled as it ships.
target_compile_options(lodestone_testing PUBLIC -O1)
find_program(LODESTONE_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)

# Preloaded into the binary by the tests of tests/faults.
file(GLOB shim_sources CONFIGURE_DEPENDS tests/faults/shim/*.cpp)
add_library(fault_shim MODULE ${shim_sources})
target_include_directories(fault_shim PRIVATE ${PROJECT_SOURCE_DIR})
target_compile_options(fault_shim PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)

file(GLOB_RECURSE test_sources CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} tests/*_test.cpp)
list(FILTER test_sources EXCLUDE REGEX "^tests/gpu/")
foreach(source ${test_sources})
  get_filename_component(name ${source} NAME_WE)
  get_filename_component(folder ${source} DIRECTORY)
  get_filename_component(label ${folder} NAME)
  add_executable(${name} ${source})
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_link_libraries(${name} PRIVATE lodestone_testing GTest::gtest_main)
  if(label MATCHES "^(model|data|train)$")
    target_link_libraries(${name} PRIVATE lodestone_${label})
  elseif(label STREQUAL "tools")
    target_link_libraries(${name} PRIVATE lodestone_commands)
    add_dependencies(${name} lodestone)
  elseif(label STREQUAL "faults")
    target_link_libraries(${name} PRIVATE lodestone_commands)
    add_dependencies(${name} lodestone fault_shim)
  endif()
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT 900
    ENVIRONMENT "LODESTONE_BINARY=$<TARGET_FILE:lodestone>;LODESTONE_FAULT_SHIM=$<TARGET_FILE:fault_shim>;LODESTONE_PYTHON=${LODESTONE_PYTHON};OMP_WAIT_POLICY=passive")
endforeach()
# The golden tests again, on the fixture of our own making: other sizes, odd lengths, head size 32.
add_test(NAME golden_odd_test COMMAND golden_test WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
set_tests_properties(golden_odd_test PROPERTIES LABELS model ENVIRONMENT "GOLDEN_DIR=tests/golden/odd;OMP_WAIT_POLICY=passive")
foreach(name training_log bf16_training)
  add_test(NAME ${name}_odd_test COMMAND ${name}_test WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name}_odd_test PROPERTIES LABELS train ENVIRONMENT "GOLDEN_DIR=tests/golden/odd;OMP_WAIT_POLICY=passive")
endforeach()
add_test(NAME layers COMMAND tools/check_layers.sh WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
add_test(NAME kernel_table COMMAND ${LODESTONE_PYTHON} tools/kernel_table.py --check ${PROJECT_BINARY_DIR}
  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
set_tests_properties(kernel_table PROPERTIES LABELS emu SKIP_RETURN_CODE 77)
include(tests/gpu/gpu.cmake)
