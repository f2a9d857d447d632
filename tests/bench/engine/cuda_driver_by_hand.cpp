// What torch asks of a CUDA driver while it traces: one device, one stream, and what cuDNN supports.
// The hooks of libtorch_cuda stay but for these questions, which they would put to a driver.
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <cstring>

namespace {

const c10::Device kDevice(c10::DeviceType::CUDA, 0);
const c10::Stream kStream(c10::Stream::DEFAULT, kDevice);

struct Guard : c10::impl::NoOpDeviceGuardImpl<c10::DeviceType::CUDA> {
  c10::Device exchangeDevice(c10::Device) const override { return kDevice; }
  c10::Device getDevice() const override { return kDevice; }
  c10::Stream getStream(c10::Device) const noexcept override { return kStream; }
  c10::Stream exchangeStream(c10::Stream) const noexcept override { return kStream; }
};

struct Hooks : at::CUDAHooksInterface {
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  bool supportsDilatedConvolutionWithCuDNN() const override { return true; }
  bool supportsDepthwiseConvolutionWithCuDNN() const override { return true; }
  bool supportsBFloat16ConvolutionWithCuDNNv8() const override { return true; }
};

Guard guard;
Hooks hooks;
constexpr size_t kBefore = 2;  // words before the first virtual function
void* table[kBefore + 128];    // more than there are

// A pointer to a virtual function holds 1 + its place in bytes (Itanium C++ ABI).
template <typename Member>
size_t slot_of(Member member) {
  size_t place;
  std::memcpy(&place, &member, sizeof place);
  return (place - 1) / sizeof(void*);
}

}  // namespace

extern "C" void install() {
  using Asked = at::CUDAHooksInterface;
  c10::impl::device_guard_impl_registry[static_cast<size_t>(c10::DeviceType::CUDA)].store(&guard);
  auto& real = reinterpret_cast<void**&>(const_cast<Asked&>(at::detail::getCUDAHooks()));
  void** own = reinterpret_cast<void**&>(hooks);
  std::memcpy(table, real - kBefore, sizeof table);
  for (size_t slot : {slot_of(&Asked::hasPrimaryContext),
                      slot_of(&Asked::supportsDilatedConvolutionWithCuDNN),
                      slot_of(&Asked::supportsDepthwiseConvolutionWithCuDNN),
                      slot_of(&Asked::supportsBFloat16ConvolutionWithCuDNNv8)}) {
    table[kBefore + slot] = own[slot];
  }
  real = table + kBefore;
}
