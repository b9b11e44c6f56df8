// Stands in for NVIDIA's management library on machines without its driver: the functions that the metrics call, with the
// signatures of nvml.h and made-up numbers.
#include <cstring>
#include <unistd.h>

extern "C" {
typedef void* nvmlDevice_t;
struct nvmlUtilization_t { unsigned int gpu, memory; };
struct nvmlMemory_t { unsigned long long total, free, used; };
struct nvmlProcessInfo_t { unsigned int pid; unsigned long long usedGpuMemory; unsigned int gpuInstanceId, computeInstanceId; };

static unsigned long long energy = 1000000;

int nvmlInit_v2() { return 0; }
int nvmlDeviceGetCount_v2(unsigned int* count) { *count = 1; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t* device) { *device = (nvmlDevice_t)0x10; return index == 0 ? 0 : 2; }
int nvmlDeviceGetHandleByPciBusId_v2(const char*, nvmlDevice_t* device) { *device = (nvmlDevice_t)0x10; return 0; }
int nvmlDeviceGetIndex(nvmlDevice_t, unsigned int* index) { *index = 0; return 0; }
int nvmlDeviceGetName(nvmlDevice_t, char* name, unsigned int length) { strncpy(name, "Stand-in H100", length); return 0; }
int nvmlDeviceGetUtilizationRates(nvmlDevice_t, nvmlUtilization_t* rates) { rates->gpu = 97; rates->memory = 41; return 0; }
int nvmlDeviceGetPowerUsage(nvmlDevice_t, unsigned int* milliwatts) { *milliwatts = 612345; return 0; }
int nvmlDeviceGetTemperature(nvmlDevice_t, int, unsigned int* celsius) { *celsius = 57; return 0; }
int nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t, unsigned long long* millijoules) { *millijoules = energy += 600000; return 0; }
int nvmlDeviceGetClockInfo(nvmlDevice_t, int, unsigned int* megahertz) { *megahertz = 1980; return 0; }
int nvmlDeviceGetMemoryInfo(nvmlDevice_t, nvmlMemory_t* memory) { memory->total = 80ull << 30; memory->used = 20ull << 30; memory->free = 60ull << 30; return 0; }
int nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t, unsigned int* count, nvmlProcessInfo_t* processes) {
  if (*count < 1) { *count = 1; return 7; }
  *count = 1;
  processes[0] = { (unsigned int)getpid(), 19ull << 30, 0xFFFFFFFF, 0xFFFFFFFF };
  return 0;
}
}
