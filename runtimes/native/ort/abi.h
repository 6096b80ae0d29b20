// The part of ONNX Runtime's C ABI that the operator library and the runner use.
//
// ONNX Runtime's function table only grows: a function keeps its place for ever. `OrtApi` below names the places that
// are used and skips the rest; the static assertions pin each place to its index. All of them exist since
// onnxruntime 1.17 (`kApiVersion`), the version that is asked for.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

struct OrtAllocator;
struct OrtCustomOpDomain;
struct OrtEnv;
struct OrtKernelContext;
struct OrtKernelInfo;
struct OrtMemoryInfo;
struct OrtRunOptions;
struct OrtSession;
struct OrtSessionOptions;
struct OrtShapeInferContext;
struct OrtStatus;
struct OrtTensorTypeAndShapeInfo;
struct OrtValue;

struct OrtApi;
struct OrtCustomOp;

struct OrtApiBase {
  const OrtApi* (*GetApi)(uint32_t version);
  const char* (*GetVersionString)();
};

struct OrtApi {
  OrtStatus* (*CreateStatus)(int code, const char* message);
  void* skipped_1;
  const char* (*GetErrorMessage)(const OrtStatus* status);
  OrtStatus* (*CreateEnv)(int log_level, const char* name, OrtEnv** out);
  void* skipped_4[3];
  OrtStatus* (*CreateSession)(const OrtEnv* env, const char* path, const OrtSessionOptions* options, OrtSession** out);
  void* skipped_8;
  OrtStatus* (*Run)(OrtSession* session, const OrtRunOptions* options, const char* const* input_names,
                    const OrtValue* const* inputs, size_t input_count, const char* const* output_names,
                    size_t output_count, OrtValue** outputs);
  OrtStatus* (*CreateSessionOptions)(OrtSessionOptions** out);
  void* skipped_11[13];
  OrtStatus* (*SetIntraOpNumThreads)(OrtSessionOptions* options, int threads);
  void* skipped_25;
  OrtStatus* (*CreateCustomOpDomain)(const char* domain, OrtCustomOpDomain** out);
  OrtStatus* (*CustomOpDomain_Add)(OrtCustomOpDomain* domain, const OrtCustomOp* op);
  OrtStatus* (*AddCustomOpDomain)(OrtSessionOptions* options, OrtCustomOpDomain* domain);
  void* skipped_29;
  OrtStatus* (*SessionGetInputCount)(const OrtSession* session, size_t* out);
  void* skipped_31[5];
  OrtStatus* (*SessionGetInputName)(const OrtSession* session, size_t index, OrtAllocator* allocator, char** out);
  OrtStatus* (*SessionGetOutputName)(const OrtSession* session, size_t index, OrtAllocator* allocator, char** out);
  void* skipped_38[11];
  OrtStatus* (*CreateTensorWithDataAsOrtValue)(const OrtMemoryInfo* info, void* data, size_t bytes,
                                               const int64_t* shape, size_t rank, int type, OrtValue** out);
  void* skipped_50;
  OrtStatus* (*GetTensorMutableData)(OrtValue* value, void** out);
  void* skipped_52[8];
  OrtStatus* (*GetTensorElementType)(const OrtTensorTypeAndShapeInfo* info, int* out);
  OrtStatus* (*GetDimensionsCount)(const OrtTensorTypeAndShapeInfo* info, size_t* out);
  OrtStatus* (*GetDimensions)(const OrtTensorTypeAndShapeInfo* info, int64_t* values, size_t count);
  void* skipped_63[2];
  OrtStatus* (*GetTensorTypeAndShape)(const OrtValue* value, OrtTensorTypeAndShapeInfo** out);
  void* skipped_66[3];
  OrtStatus* (*CreateCpuMemoryInfo)(int allocator_type, int memory_type, OrtMemoryInfo** out);
  void* skipped_70[5];
  OrtStatus* (*AllocatorAlloc)(OrtAllocator* allocator, size_t bytes, void** out);
  OrtStatus* (*AllocatorFree)(OrtAllocator* allocator, void* memory);
  void* skipped_77;
  OrtStatus* (*GetAllocatorWithDefaultOptions)(OrtAllocator** out);
  void* skipped_79[6];
  OrtStatus* (*KernelInfoGetAttribute_float)(const OrtKernelInfo* info, const char* name, float* out);
  OrtStatus* (*KernelInfoGetAttribute_int64)(const OrtKernelInfo* info, const char* name, int64_t* out);
  OrtStatus* (*KernelInfoGetAttribute_string)(const OrtKernelInfo* info, const char* name, char* out, size_t* size);
  void* skipped_88[2];
  OrtStatus* (*KernelContext_GetInput)(const OrtKernelContext* context, size_t index, const OrtValue** out);
  OrtStatus* (*KernelContext_GetOutput)(OrtKernelContext* context, size_t index, const int64_t* shape, size_t rank,
                                        OrtValue** out);
  void* skipped_92;
  void (*ReleaseStatus)(OrtStatus* status);
  void (*ReleaseMemoryInfo)(OrtMemoryInfo* info);
  void* skipped_95;
  void (*ReleaseValue)(OrtValue* value);
  void* skipped_97[2];
  void (*ReleaseTensorTypeAndShapeInfo)(OrtTensorTypeAndShapeInfo* info);
  void* skipped_100;
  void (*ReleaseCustomOpDomain)(OrtCustomOpDomain* domain);
  void* skipped_102[30];
  void (*ReleaseAllocator)(OrtAllocator* allocator);
  void* skipped_133[30];
  OrtStatus* (*KernelInfoGetAttributeArray_int64)(const OrtKernelInfo* info, const char* name, int64_t* out,
                                                  size_t* size);
  void* skipped_164[66];
  OrtStatus* (*KernelInfo_GetInputCount)(const OrtKernelInfo* info, size_t* out);
  void* skipped_231;
  OrtStatus* (*KernelInfo_GetInputName)(const OrtKernelInfo* info, size_t index, char* out, size_t* size);
  void* skipped_233[11];
  OrtStatus* (*KernelInfo_GetNodeName)(const OrtKernelInfo* info, char* out, size_t* size);
  void* skipped_245[4];
  OrtStatus* (*KernelInfoGetConstantInput_tensor)(const OrtKernelInfo* info, size_t index, int* is_constant,
                                                  const OrtValue** out);
  void* skipped_250[3];
  OrtStatus* (*KernelContext_GetAllocator)(const OrtKernelContext* context, const OrtMemoryInfo* info,
                                           OrtAllocator** out);
  void* skipped_254[20];
  OrtStatus* (*KernelContext_ParallelFor)(const OrtKernelContext* context, void (*task)(void* data, size_t index),
                                          size_t tasks, size_t batches, void* data);
};

struct OrtCustomOp {
  uint32_t version;
  void* (*CreateKernel)(const OrtCustomOp* op, const OrtApi* api, const OrtKernelInfo* info);
  const char* (*GetName)(const OrtCustomOp* op);
  const char* (*GetExecutionProviderType)(const OrtCustomOp* op);
  int (*GetInputType)(const OrtCustomOp* op, size_t index);
  size_t (*GetInputTypeCount)(const OrtCustomOp* op);
  int (*GetOutputType)(const OrtCustomOp* op, size_t index);
  size_t (*GetOutputTypeCount)(const OrtCustomOp* op);
  void (*KernelCompute)(void* kernel, OrtKernelContext* context);
  void (*KernelDestroy)(void* kernel);
  int (*GetInputCharacteristic)(const OrtCustomOp* op, size_t index);
  int (*GetOutputCharacteristic)(const OrtCustomOp* op, size_t index);
  int (*GetInputMemoryType)(const OrtCustomOp* op, size_t index);
  int (*GetVariadicInputMinArity)(const OrtCustomOp* op);
  int (*GetVariadicInputHomogeneity)(const OrtCustomOp* op);
  int (*GetVariadicOutputMinArity)(const OrtCustomOp* op);
  int (*GetVariadicOutputHomogeneity)(const OrtCustomOp* op);
  OrtStatus* (*CreateKernelV2)(const OrtCustomOp* op, const OrtApi* api, const OrtKernelInfo* info, void** kernel);
  OrtStatus* (*KernelComputeV2)(void* kernel, OrtKernelContext* context);
  OrtStatus* (*InferOutputShapeFn)(const OrtCustomOp* op, OrtShapeInferContext* context);
  int (*GetStartVersion)(const OrtCustomOp* op);
  int (*GetEndVersion)(const OrtCustomOp* op);
};

}  // extern "C"

namespace kaprune::ort {

constexpr uint32_t kApiVersion = 17;

// OrtErrorCode
constexpr int kFail = 1;
constexpr int kInvalidArgument = 2;

// OrtCustomOpInputOutputCharacteristic
constexpr int kRequired = 0;
constexpr int kOptional = 1;

// OrtAllocatorType and OrtMemType
constexpr int kDeviceAllocator = 0;
constexpr int kArenaAllocator = 1;
constexpr int kDefaultMemory = 0;

// ONNXTensorElementDataType
enum class ElementType : int { kAny = 0, kFloat = 1, kInt8 = 3, kUint16 = 4, kInt32 = 6, kInt64 = 7, kUint32 = 12 };

#define KAPRUNE_AT(function, index) \
  static_assert(offsetof(OrtApi, function) == (index) * sizeof(void*), #function " has moved")
KAPRUNE_AT(GetErrorMessage, 2);
KAPRUNE_AT(CreateEnv, 3);
KAPRUNE_AT(CreateSession, 7);
KAPRUNE_AT(Run, 9);
KAPRUNE_AT(CreateSessionOptions, 10);
KAPRUNE_AT(SetIntraOpNumThreads, 24);
KAPRUNE_AT(CreateCustomOpDomain, 26);
KAPRUNE_AT(SessionGetInputCount, 30);
KAPRUNE_AT(SessionGetInputName, 36);
KAPRUNE_AT(SessionGetOutputName, 37);
KAPRUNE_AT(CreateTensorWithDataAsOrtValue, 49);
KAPRUNE_AT(GetTensorMutableData, 51);
KAPRUNE_AT(GetTensorElementType, 60);
KAPRUNE_AT(GetTensorTypeAndShape, 65);
KAPRUNE_AT(CreateCpuMemoryInfo, 69);
KAPRUNE_AT(AllocatorAlloc, 75);
KAPRUNE_AT(GetAllocatorWithDefaultOptions, 78);
KAPRUNE_AT(KernelInfoGetAttribute_float, 85);
KAPRUNE_AT(KernelContext_GetInput, 90);
KAPRUNE_AT(ReleaseStatus, 93);
KAPRUNE_AT(ReleaseValue, 96);
KAPRUNE_AT(ReleaseTensorTypeAndShapeInfo, 99);
KAPRUNE_AT(ReleaseCustomOpDomain, 101);
KAPRUNE_AT(ReleaseAllocator, 132);
KAPRUNE_AT(KernelInfoGetAttributeArray_int64, 163);
KAPRUNE_AT(KernelInfo_GetInputCount, 230);
KAPRUNE_AT(KernelInfo_GetInputName, 232);
KAPRUNE_AT(KernelInfo_GetNodeName, 244);
KAPRUNE_AT(KernelInfoGetConstantInput_tensor, 249);
KAPRUNE_AT(KernelContext_GetAllocator, 253);
KAPRUNE_AT(KernelContext_ParallelFor, 274);
#undef KAPRUNE_AT

}  // namespace kaprune::ort
