#include <dlfcn.h>
#include <fmt/ranges.h>

#include "engine/core/check.h"
#include "kernels/cuda/cublaslt.h"

namespace lodestone::kernels {

namespace {

class Library {
 public:
  explicit Library(const std::vector<std::string>& names) {
    std::vector<std::string> reasons;
    for (const std::string& name : names) {
      handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (handle_ != nullptr) return;
      reasons.emplace_back(dlerror());
    }
    fail(
        ErrorKind::kDevice,
        "matrix products on CUDA need cuBLASLt of CUDA 13, which could not be loaded ({}); install "
        "it, or name its folder in LD_LIBRARY_PATH",
        fmt::join(reasons, "; "));
  }

  template <class Function>
  void find(Function*& function, const char* name) const {
    function = reinterpret_cast<Function*>(dlsym(handle_, name));
    if (function == nullptr)
      fail(ErrorKind::kDevice, "this cuBLASLt lacks {}: expected that of CUDA 13", name);
  }

 private:
  void* handle_ = nullptr;
};

}  // namespace

CublasLt load_cublaslt(const std::vector<std::string>& libraries) {
  const Library library(libraries);
  CublasLt functions;
  library.find(functions.create, "cublasLtCreate");
  library.find(functions.destroy, "cublasLtDestroy");
  library.find(functions.version, "cublasLtGetVersion");
  library.find(functions.status_string, "cublasLtGetStatusString");
  library.find(functions.make_description, "cublasLtMatmulDescCreate");
  library.find(functions.destroy_description, "cublasLtMatmulDescDestroy");
  library.find(functions.describe, "cublasLtMatmulDescSetAttribute");
  library.find(functions.make_layout, "cublasLtMatrixLayoutCreate");
  library.find(functions.destroy_layout, "cublasLtMatrixLayoutDestroy");
  library.find(functions.make_preference, "cublasLtMatmulPreferenceCreate");
  library.find(functions.destroy_preference, "cublasLtMatmulPreferenceDestroy");
  library.find(functions.prefer, "cublasLtMatmulPreferenceSetAttribute");
  library.find(functions.guess, "cublasLtMatmulAlgoGetHeuristic");
  library.find(functions.check, "cublasLtMatmulAlgoCheck");
  library.find(functions.multiply, "cublasLtMatmul");
  return functions;
}

const CublasLt& cublaslt() {
  static const CublasLt functions =
      load_cublaslt({"libcublasLt.so.13", "/usr/local/cuda/lib64/libcublasLt.so.13"});
  return functions;
}

}  // namespace lodestone::kernels
