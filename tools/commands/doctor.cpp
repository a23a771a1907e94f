// What works on this machine, what is missing, and how to get it.
#include <fmt/ranges.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "engine/core/build_config.h"
#include "engine/core/threads.h"
#include "tools/build_info.h"
#include "tools/commands/commands.h"
#include "tools/machine.h"
#include "tools/table.h"

namespace lodestone::tools {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

struct DoctorSettings {
  std::string folder = ".";
  template <class Visitor>
  void fields(Visitor& visit) {
    visit("folder", folder, "folder whose disk is looked at");
  }
};

enum class State : std::uint8_t { kOk, kMissing, kNote };

struct Finding {
  std::string subject, found;
  State state = State::kOk;
  std::string advice = {};  // how to get what is missing, or why it matters
};

std::string_view name_of(State state) {
  switch (state) {
    case State::kOk:
      return "ok";
    case State::kMissing:
      return "missing";
    case State::kNote:
      return "note";
  }
  return "?";
}

std::optional<std::uint64_t> number_in(const char* file) {
  std::uint64_t number = 0;
  if (std::ifstream stream(file); stream >> number) return number;
  return std::nullopt;
}

// Kibibytes of /proc/meminfo in bytes.
std::uint64_t memory_bytes(std::string_view key) {
  const auto text = proc_value("/proc/meminfo", key);
  return text ? std::strtoull(text->c_str(), nullptr, 10) * 1024 : 0;
}

std::vector<std::string> cpu_features() {
  std::vector<std::string> found;
  std::istringstream flags(proc_value("/proc/cpuinfo", "flags").value_or(""));
  for (std::string flag; flags >> flag;)
    for (const char* wanted : {"avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16"})
      if (flag == wanted) found.push_back(flag);
  return found;
}

std::vector<Finding> cpu_findings() {
  const auto features = cpu_features();
  const auto has = [&](const char* name) {
    return std::find(features.begin(), features.end(), name) != features.end();
  };
  std::vector<Finding> findings;
  findings.push_back({"CPU", processor_name()});
  findings.push_back({"cores", fmt::format("{}; {} threads used",
                                           std::thread::hardware_concurrency(), thread_count())});
  findings.push_back({"CPU features", fmt::format("{}", fmt::join(features, " "))});
  if (!has("avx2"))
    findings.back() = {"CPU features", "no AVX2", State::kNote,
                       "products and loops run several times slower than on a newer CPU"};
  if (!has("avx512_bf16") && !has("amx_bf16"))
    findings.push_back({"bf16 products", "not in this CPU", State::kNote,
                        "bf16 saves memory here but no time; train in f32"});
  return findings;
}

std::vector<Finding> room_findings(const std::string& folder) {
  std::vector<Finding> findings;
  const std::uint64_t total = memory_bytes("MemTotal"), available = memory_bytes("MemAvailable");
  findings.push_back(
      {"memory", fmt::format("{} free of {}", bytes_text(available), bytes_text(total))});
  // A container's limit (cgroup v2, then v1) may be below the machine's memory.
  for (const char* file :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"})
    if (const auto limit = number_in(file); limit && *limit < total)
      findings.push_back({"memory limit", bytes_text(*limit), State::kNote,
                          "of the container; a process above it is killed"});
  struct statvfs disk {};
  if (::statvfs(folder.c_str(), &disk) == 0) {
    const std::uint64_t free = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    const bool low = free < (std::uint64_t{1} << 30);
    findings.push_back({"disk", fmt::format("{} free in {}", bytes_text(free), folder),
                        low ? State::kNote : State::kOk, low ? "less than 1 GiB" : ""});
  } else {
    findings.push_back({"disk", "no folder " + folder, State::kMissing, "give --folder a folder"});
  }
  return findings;
}

// The first of these files that exists, found in the loader's usual folders.
std::optional<fs::path> find_library(std::initializer_list<const char*> names) {
  std::vector<fs::path> folders = {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
                                   "/usr/lib64", "/usr/local/lib", "/usr/local/cuda/lib64"};
  if (const char* extra = std::getenv("LD_LIBRARY_PATH")) {
    std::istringstream text(extra);
    for (std::string folder; std::getline(text, folder, ':');) folders.emplace_back(folder);
  }
  for (const fs::path& folder : folders)
    for (const char* name : names)
      if (std::error_code error; fs::exists(folder / name, error)) return folder / name;
  return std::nullopt;
}

Finding library_finding(const std::string& subject, std::initializer_list<const char*> names,
                        const std::string& advice) {
  if (const auto path = find_library(names)) return {subject, path->string(), State::kOk};
  return {subject, "not found", State::kMissing, advice};
}

std::vector<Finding> gpu_findings() {
  std::vector<Finding> findings;
  const auto driver = proc_value("/proc/driver/nvidia/version", "NVRM version");
  findings.push_back(driver ? Finding{"GPU driver", *driver}
                            : Finding{"GPU driver", "none", State::kMissing,
                                      "only needed for GPUs: install NVIDIA's driver"});
  int gpus = 0;
  for (int i = 0; i < 256; ++i) gpus += fs::exists(fmt::format("/dev/nvidia{}", i));
  findings.push_back({"GPUs", std::to_string(gpus), gpus > 0 ? State::kOk : State::kMissing,
                      gpus > 0 ? "" : "everything runs on the CPU"});
  findings.push_back(kCudaBuilt
                         ? Finding{"CUDA in this build", "yes"}
                         : Finding{"CUDA in this build", "no", State::kMissing,
                                   "only needed for GPUs: install CUDA 13 (nvcc) and build again"});
  const std::string problem = cuda_problem();
  findings.push_back({"CUDA devices", std::to_string(cuda_device_count()),
                      problem.empty() ? State::kOk : State::kMissing, problem});
  findings.push_back(library_finding("NCCL", {"libnccl.so.2", "libnccl.so"},
                                     "only needed for several GPUs: NVIDIA's package libnccl2"));
  findings.push_back(library_finding("MPI", {"libmpi.so.40", "libmpi.so", "libmpi.so.12"},
                                     "only needed for several machines: package libopenmpi-dev"));
  return findings;
}

void add_section(Table& table, ordered_json& json, const std::string& section,
                 const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    table.add(
        {finding.subject, std::string(name_of(finding.state)), finding.found, finding.advice});
    json[section].push_back({{"subject", finding.subject},
                             {"state", name_of(finding.state)},
                             {"found", finding.found},
                             {"advice", finding.advice}});
  }
}

void doctor(const DoctorSettings& settings, Run& run) {
  Table table({"", "state", "found", "advice"});
  ordered_json json;
  std::vector<Finding> build = {{"build", version_text()}};
  if (std::string_view(kBuildType) != "Release")
    build.front() = {"build", version_text(), State::kNote, "slow: build with the release preset"};
  for (const LibraryVersion& library : library_versions())
    build.push_back({library.name, library.version, State::kOk, library.purpose});
  add_section(table, json, "build", build);
  add_section(table, json, "cpu", cpu_findings());
  add_section(table, json, "room", room_findings(settings.folder));
  add_section(table, json, "gpu", gpu_findings());
  run.result(json, table.text());
}

}  // namespace

void add_doctor(CommandLine& line) {
  line.add<DoctorSettings>(
      {.name = "doctor",
       .summary = "Says what works on this machine, what is missing and how to get it",
       .description =
           "Looks at the build, its libraries, CPU, memory, disk, GPU, driver, NCCL and MPI.\n"
           "Nothing is changed. Add --json to send the answer with a question.\n\n"
           "  lodestone doctor"},
      doctor);
}

}  // namespace lodestone::tools
