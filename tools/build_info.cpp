#include "tools/build_info.h"

#include <fmt/format.h>
#include <hdf5.h>
#include <spdlog/version.h>
#include <toml++/toml.h>
#include <xxhash.h>
#include <zlib.h>

#include <CLI/Version.hpp>
#include <nlohmann/json.hpp>
#include <oneapi/dnnl/dnnl.hpp>

#include "engine/core/build_config.h"

namespace lodestone::tools {

namespace {

std::string dotted(unsigned major, unsigned minor, unsigned patch) {
  return fmt::format("{}.{}.{}", major, minor, patch);
}

std::string hdf5_version() {
  unsigned major = 0, minor = 0, patch = 0;
  ::H5get_libversion(&major, &minor, &patch);
  return dotted(major, minor, patch);
}

std::string dnnl_version_text() {
  const dnnl_version_t* version = ::dnnl_version();
  return dotted(static_cast<unsigned>(version->major), static_cast<unsigned>(version->minor),
                static_cast<unsigned>(version->patch));
}

}  // namespace

std::vector<LibraryVersion> library_versions() {
  const unsigned xxhash = ::XXH_versionNumber();
  return {
      {"HDF5", hdf5_version(), "h5ad files, token shards, priors"},
      {"oneDNN", dnnl_version_text(), "matrix products on the CPU"},
      {"zlib", ::zlibVersion(), "gzip in tables and checkpoints"},
      {"xxHash", dotted(xxhash / 10000, xxhash / 100 % 100, xxhash % 100), "hashes of files"},
      {"fmt", dotted(FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100), "text"},
      {"spdlog", dotted(SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH), "log"},
      {"CLI11", CLI11_VERSION, "command line"},
      {"toml++", dotted(TOML_LIB_MAJOR, TOML_LIB_MINOR, TOML_LIB_PATCH), "settings files"},
      {"nlohmann-json",
       dotted(NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
              NLOHMANN_JSON_VERSION_PATCH),
       "JSON"},
  };
}

std::string version_text() {
  return fmt::format("lodestone {} ({}, {}, for {}, {})", kVersion, kBuildType, kCompiler,
                     kTargetCpu, kCudaBuilt ? "with CUDA" : "CPU only");
}

}  // namespace lodestone::tools
