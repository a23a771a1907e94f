#pragma once
// cuBLASLt, loaded when the first product needs it: a program that computes on the CPU starts where
// there is none.
#include <cublasLt.h>

#include <string>
#include <vector>

namespace lodestone::kernels {

struct CublasLt {
  decltype(&cublasLtCreate) create = nullptr;
  decltype(&cublasLtDestroy) destroy = nullptr;
  decltype(&cublasLtGetVersion) version = nullptr;
  decltype(&cublasLtGetStatusString) status_string = nullptr;
  decltype(&cublasLtMatmulDescCreate) make_description = nullptr;
  decltype(&cublasLtMatmulDescDestroy) destroy_description = nullptr;
  decltype(&cublasLtMatmulDescSetAttribute) describe = nullptr;
  decltype(&cublasLtMatrixLayoutCreate) make_layout = nullptr;
  decltype(&cublasLtMatrixLayoutDestroy) destroy_layout = nullptr;
  decltype(&cublasLtMatmulPreferenceCreate) make_preference = nullptr;
  decltype(&cublasLtMatmulPreferenceDestroy) destroy_preference = nullptr;
  decltype(&cublasLtMatmulPreferenceSetAttribute) prefer = nullptr;
  decltype(&cublasLtMatmulAlgoGetHeuristic) guess = nullptr;
  decltype(&cublasLtMatmulAlgoCheck) check = nullptr;
  decltype(&cublasLtMatmul) multiply = nullptr;
};

// The functions of the first of these libraries that can be loaded; it stays loaded. Throws kDevice
// with what was tried where none can, or one lacks a function.
CublasLt load_cublaslt(const std::vector<std::string>& libraries);

// The process's, loaded by the first call.
const CublasLt& cublaslt();

}  // namespace lodestone::kernels
