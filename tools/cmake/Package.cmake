# The relocatable package: `cmake --install FOLDER --strip --prefix WHERE`, or cpack (tools/package.sh),
# puts the programs, every shared library that they need but the C library's and the driver's, and
# what tools/gpu_check.sh reads into one folder.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # else every test would be built first
set(packaged lodestone)
set(package_kind cpu)
if(LODESTONE_CUDA)
  list(APPEND packaged gpu_tests)
  set(package_kind cuda)
endif()
foreach(program ${packaged})
  # DT_RPATH: unlike its successor it holds for what the bundled libraries need themselves, and goes
  # before LD_LIBRARY_PATH.
  target_link_options(${program} PRIVATE LINKER:--disable-new-dtags)
  set_target_properties(${program} PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
endforeach()
install(TARGETS ${packaged} RUNTIME_DEPENDENCY_SET bundled)
install(RUNTIME_DEPENDENCY_SET bundled DESTINATION lib
  PRE_EXCLUDE_REGEXES "^(ld-linux.*|libc|libm|libresolv|libpthread|libdl|librt)\\.so\\.[0-9]+$" "^libcuda\\.so")
install(FILES LICENSE DESTINATION .)
install(FILES tools/package_readme.md DESTINATION . RENAME README.md)
install(PROGRAMS tools/gpu_check.sh DESTINATION tools)
install(FILES tools/quickstart.toml DESTINATION tools)
install(PROGRAMS bench/compare_torch.py DESTINATION bench)
install(FILES bench/torch_worker.py bench/torch_packed.py DESTINATION bench)
install(FILES tests/golden/genecompass_reference.py DESTINATION tests/golden)
install(DIRECTORY tests/golden/odd DESTINATION tests/golden)
install(FILES tests/gpu/conformance_recording.txt DESTINATION tests/gpu OPTIONAL)

set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_FILE_NAME lodestone-${PROJECT_VERSION}-${package_kind})
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
include(CPack)

# The installed programs in a root of their own: see the script.
if(NOT LODESTONE_SANITIZE)
  add_test(NAME package_test COMMAND tools/check_package.sh ${PROJECT_BINARY_DIR} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(package_test PROPERTIES LABELS package TIMEOUT 300 SKIP_RETURN_CODE 77)
endif()
