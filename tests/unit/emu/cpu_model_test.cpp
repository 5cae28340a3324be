// CpuModel: the masks on a real processor, subleaves, leaves out of range, signal frames, the host.
#include <cpuid.h>
#include <catch2/catch_test_macros.hpp>

#include "emu/cpu/cpu_model.hpp"
#include "tests/unit/emu/cpu_machine.hpp"

namespace fl::test {
namespace {

constexpr uint32_t kFrequencyLeaf = 0x16;

// An Intel processor with AVX, enabled, and three XSAVE components above SSE, one of which must be asked for.
emu::NativeCpu intel() {
  emu::NativeCpu cpu;
  cpu.brand = "some Intel";
  cpu.cpuid = {
      {0, 0, 0x16, 0x756e6547, 0x6c65746e, 0x49656e69},
      {1, 0, 0x000506e3, 0x00100800, 0xffffffff, 0xffffffff},
      {4, 0, 0x1c004121, 0x01c0003f, 0x3f, 0},
      {4, 1, 0x1c004122, 0x01c0003f, 0x3f, 0},
      {7, 0, 1, 0xffffffff, 0xffffffff, 0xffffffff},
      {0xd, 0, 0x00040207, 0x2b00, 0x2b00, 0},
      {0xd, 2, 0x100, 0x240, 0, 0},
      {0xd, 9, 8, 0xa80, 0, 0},
      {0xd, 18, 0x2000, 0xb00, 0, 0},
      {kFrequencyLeaf, 0, 3400, 4000, 100, 0},
      {0x80000000, 0, 0x80000001, 0, 0, 0},
      {0x80000001, 0, 0, 0, 0xffffffff, 0xffffffff},
  };
  cpu.hwcap = 0xffffffff;
  cpu.hwcap2 = 2;
  cpu.signal_fpstate_bytes = 3632;
  return cpu;
}

constexpr bool bit(uint32_t word, uint32_t position) { return (word >> position & 1) != 0; }

}  // namespace

TEST_CASE("cpu model: what the engine cannot do is taken from a real processor, AVX's raw bits stay") {
  const emu::CpuModel model = emu::cpu_model_of(intel());
  const emu::CpuidResult features = model.answer(1, 0);
  for (const uint32_t cleared : {22u, 27u, 30u}) {  // MOVBE OSXSAVE RDRAND
    CHECK_FALSE(bit(features.ecx, cleared));
  }
  for (const uint32_t kept : {0u, 1u, 9u, 19u, 20u, 23u, 25u, 26u, 28u}) {  // SSE3 ... SSE4.2 POPCNT AES XSAVE AVX
    CHECK(bit(features.ecx, kept));
  }
  CHECK_FALSE(bit(features.edx, 11));  // SEP
  CHECK(bit(features.edx, 26));        // SSE2
  const emu::CpuidResult structured = model.answer(7, 0);
  CHECK_FALSE(bit(structured.ebx, 18));                  // RDSEED
  CHECK(bit(structured.ebx, 5));                         // AVX2
  CHECK(bit(structured.ebx, 9));                         // ERMS: memcpy's choice
  CHECK_FALSE(bit(model.answer(0x80000001, 0).ecx, 5));  // LZCNT
  CHECK_FALSE(bit(model.hwcap, 11));
  CHECK(model.hwcap2 == 2);
  CHECK(model.name == "some Intel");
}

TEST_CASE("cpu model: subleaves are told apart, and leaves that have none take any") {
  const emu::CpuModel model = emu::cpu_model_of(intel());
  CHECK(model.answer(4, 1).eax == 0x1c004122);
  CHECK(model.answer(4, 2) == emu::CpuidResult{});
  CHECK(model.answer(1, 77) == model.answer(1, 0));
  CHECK(model.answer(2, 0) == emu::CpuidResult{});
}

TEST_CASE("cpu model: Intel's processors repeat the last leaf beyond it, AMD's answer zeros") {
  emu::NativeCpu cpu = intel();
  CHECK(emu::cpu_model_of(cpu).answer(0x17, 0).eax == 3400);
  CHECK(emu::cpu_model_of(cpu).answer(0x80000002, 0).eax == 3400);
  cpu.cpuid[0].ebx = 0x68747541;
  CHECK(emu::cpu_model_of(cpu).answer(0x17, 0) == emu::CpuidResult{});
  CHECK(emu::default_cpu().answer(8, 0) == emu::CpuidResult{});
}

TEST_CASE("cpu model: a signal frame has the XSAVE components that nobody needs to ask for") {
  emu::NativeCpu cpu = intel();
  emu::CpuModel model = emu::cpu_model_of(cpu);
  CHECK(model.signal_state.bytes == 0xa88);
  CHECK(model.signal_state.features == 0x207);
  CHECK(model.signal_state.min_stack == 3632);
  cpu.signal_fpstate_bytes = 0;
  CHECK(emu::cpu_model_of(cpu).signal_state.min_stack == guest::min_signal_stack(0xa88));
  cpu.cpuid[1].ecx &= ~(1u << 27);  // the kernel does not use XSAVE
  model = emu::cpu_model_of(cpu);
  CHECK(model.signal_state.bytes == 512);
  CHECK(model.signal_state.min_stack == 1440);
}

TEST_CASE("cpu model: the host's processor is what CPUID says here, masked") {
  const auto host = emu::find_cpu("host");
  REQUIRE(host);
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  __cpuid_count(0, 0, eax, ebx, ecx, edx);
  CHECK(host->answer(0, 0) == emu::CpuidResult{eax, ebx, ecx, edx});
  __cpuid_count(1, 0, eax, ebx, ecx, edx);
  CHECK(host->answer(1, 0).eax == eax);
  CHECK((host->answer(1, 0).ecx & ~ecx) == 0);
  CHECK(bit(host->answer(1, 0).edx, 26));
  CHECK(bit(host->hwcap, 26));
  CHECK(emu::read_host_cpu() == emu::read_host_cpu());
}

TEST_CASE("cpu model: a name that is none is refused") {
  const auto cpu = emu::find_cpu("/nonexistent");
  REQUIRE_FALSE(cpu);
  CHECK(cpu.error().message.find("/nonexistent") != std::string::npos);
}

TEST_CASE("cpu model: CPUID answers from the model of the configuration") {
  emu::CpuConfig config;
  config.model = emu::cpu_model_of(intel());
  CpuMachine m(config);
  m.code(kCode, {0x0f, 0xa2, 0xcd, 0x80});
  m.regs.eax = 4;
  m.regs.ecx = 1;
  CHECK(m.run().kind == guest::Trap::Kind::kSystemCall);
  CHECK(m.regs.eax == 0x1c004122);
  CHECK(m.regs.ebx == 0x01c0003f);
}

}  // namespace fl::test
