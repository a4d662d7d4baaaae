/* Stands in for NVIDIA's libcuda.so.1 on a machine without a GPU, so that ovui's omni.ui can be loaded there.
 * Each function says "no such device"; omni.ui then draws through Vulkan on the CPU. */
#define CUDA_ERROR_NO_DEVICE 100
#define NO_DEVICE(name) \
    int name(void) { return CUDA_ERROR_NO_DEVICE; }

NO_DEVICE(cuInit)
NO_DEVICE(cuCtxCreate_v2)
NO_DEVICE(cuCtxDestroy_v2)
NO_DEVICE(cuDestroyExternalMemory)
NO_DEVICE(cuDeviceGet)
NO_DEVICE(cuExternalMemoryGetMappedBuffer)
NO_DEVICE(cuImportExternalMemory)
NO_DEVICE(cuMemcpyDtoH_v2)
