// The decoder: operands, their use and size, the cache, the text for traces.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <span>

#include "emu/cpu/decode.hpp"
#include "tests/unit/emu/cpu_machine.hpp"

using namespace fl;
using emu::Decoder;
using emu::Instruction;
using emu::MemorySpan;
using emu::OperandUse;

namespace {

using Bytes = std::vector<uint8_t>;

struct Span {
  uint32_t addr, size;
  OperandUse use;
};
struct Form {
  Bytes bytes;
  std::vector<Span> spans;
};

// eax = 0x10, ecx = 0x21, edx = 0x30, ebx = 0x1000, esp = 0x2000, ebp = 0x3000, esi = 0x4000, edi = 0x5000
guest::Registers registers() {
  guest::Registers regs;
  regs.eax = 0x10;
  regs.ecx = 0x21;
  regs.edx = 0x30;
  regs.ebx = 0x1000;
  regs.esp = 0x2000;
  regs.ebp = 0x3000;
  regs.esi = 0x4000;
  regs.edi = 0x5000;
  regs.gs = 0x33;
  return regs;
}
uint32_t base_of(uint16_t selector) { return selector == 0x33 ? 0x700000 : 0; }

constexpr OperandUse kRead = OperandUse::kRead, kWrite = OperandUse::kWrite, kBoth = OperandUse::kReadWrite;

}  // namespace

TEST_CASE("decode: operands have the address, size and use that the processor gives them") {
  const Form form = GENERATE(values<Form>({
      {{0x8b, 0x44, 0x8b, 0x08}, {{0x1000 + 0x84 + 8, 4, kRead}}},            // mov eax, [ebx+ecx*4+8]
      {{0x88, 0x03}, {{0x1000, 1, kWrite}}},                                  // mov [ebx], al
      {{0x66, 0x89, 0x03}, {{0x1000, 2, kWrite}}},                            // mov [ebx], ax
      {{0x01, 0x03}, {{0x1000, 4, kBoth}}},                                   // add [ebx], eax
      {{0x03, 0x03}, {{0x1000, 4, kRead}}},                                   // add eax, [ebx]
      {{0x87, 0x03}, {{0x1000, 4, kBoth}}},                                   // xchg
      {{0x0f, 0xc7, 0x0b}, {{0x1000, 8, kBoth}}},                             // cmpxchg8b
      {{0x65, 0x8b, 0x03}, {{0x701000, 4, kRead}}},                           // mov eax, gs:[ebx]
      {{0x0f, 0xa3, 0x0b}, {{0x1004, 4, kRead}}},                             // bt [ebx], ecx
      {{0x66, 0x0f, 0xab, 0x0b}, {{0x1004, 2, kBoth}}},                       // bts [ebx], cx
      {{0x0f, 0xba, 0x2b, 0x05}, {{0x1000, 4, kBoth}}},                       // bts [ebx], 5
      {{0xa5}, {{0x5000, 4, kWrite}, {0x4000, 4, kRead}}},                    // movsd
      {{0xf3, 0xa4}, {{0x5000, 1, kWrite}, {0x4000, 1, kRead}}},              // rep movsb
      {{0x66, 0xab}, {{0x5000, 2, kWrite}}},                                  // stosw
      {{0xac}, {{0x4000, 1, kRead}}},                                         // lodsb
      {{0xaf}, {{0x5000, 4, kRead}}},                                         // scasd
      {{0xa7}, {{0x4000, 4, kRead}, {0x5000, 4, kRead}}},                     // cmpsd
      {{0x50}, {{0x1ffc, 4, kWrite}}},                                        // push eax
      {{0x66, 0x50}, {{0x1ffe, 2, kWrite}}},                                  // push ax
      {{0xff, 0x33}, {{0x1000, 4, kRead}, {0x1ffc, 4, kWrite}}},              // push [ebx]
      {{0x58}, {{0x2000, 4, kRead}}},                                         // pop eax
      {{0x8f, 0x44, 0x24, 0x08}, {{0x2000, 4, kRead}, {0x200c, 4, kWrite}}},  // pop [esp+8]
      {{0xe8, 0, 0, 0, 0}, {{0x1ffc, 4, kWrite}}},                            // call
      {{0xff, 0x13}, {{0x1000, 4, kRead}, {0x1ffc, 4, kWrite}}},              // call [ebx]
      {{0xff, 0x23}, {{0x1000, 4, kRead}}},                                   // jmp [ebx]
      {{0xc3}, {{0x2000, 4, kRead}}},                                         // ret
      {{0xc2, 8, 0}, {{0x2000, 4, kRead}}},                                   // ret 8
      {{0xcb}, {{0x2000, 8, kRead}}},                                         // retf
      {{0xcf}, {{0x2000, 12, kRead}}},                                        // iret
      {{0xc9}, {{0x3000, 4, kRead}}},                                         // leave
      {{0xc8, 0x10, 0, 0}, {{0x1ffc, 4, kWrite}}},                            // enter 16, 0
      {{0xc8, 0x10, 0, 3}, {{0x2ff8, 8, kRead}, {0x1ff0, 16, kWrite}}},       // enter 16, 3
      {{0x60}, {{0x1fe0, 32, kWrite}}},                                       // pusha
      {{0x61}, {{0x2000, 32, kRead}}},                                        // popa
      {{0x9c}, {{0x1ffc, 4, kWrite}}},                                        // pushf
      {{0x9d}, {{0x2000, 4, kRead}}},                                         // popf
      {{0xd7}, {{0x1010, 1, kRead}}},                                         // xlat
      {{0x67, 0x8b, 0x07}, {{0x1000, 4, kRead}}},                             // mov eax, [bx]
      {{0x67, 0x8b, 0x40, 0xf0}, {{0x4ff0, 4, kRead}}},                       // mov eax, [bx+si-16]
      {{0xdb, 0x2b}, {{0x1000, 10, kRead}}},                                  // fld tbyte
      {{0xdb, 0x3b}, {{0x1000, 10, kWrite}}},                                 // fstp tbyte
      {{0xdd, 0x33}, {{0x1000, 108, kWrite}}},                                // fnsave
      {{0xd9, 0x33}, {{0x1000, 28, kWrite}}},                                 // fnstenv
      {{0xd9, 0x23}, {{0x1000, 28, kRead}}},                                  // fldenv
      {{0x0f, 0xae, 0x03}, {{0x1000, 512, kWrite}}},                          // fxsave
      {{0x0f, 0xae, 0x0b}, {{0x1000, 512, kRead}}},                           // fxrstor
      {{0x0f, 0x28, 0x03}, {{0x1000, 16, kRead}}},                            // movaps xmm0, [ebx]
      {{0x66, 0x0f, 0x7f, 0x03}, {{0x1000, 16, kWrite}}},                     // movdqa [ebx], xmm0
      {{0x0f, 0x13, 0x03}, {{0x1000, 8, kWrite}}},                            // movlps
      {{0x66, 0x0f, 0xf7, 0xc1}, {{0x5000, 16, kWrite}}},                     // maskmovdqu
      {{0xc5, 0x03}, {{0x1000, 6, kRead}}},                                   // lds
      {{0x8d, 0x03}, {}},                                                     // lea
      {{0x0f, 0x1f, 0x03}, {}},                                               // nop [ebx]
      {{0x0f, 0x18, 0x03}, {}},                                               // prefetchnta
      {{0x90}, {}},
  }));
  Decoder decoder;
  const Instruction& instruction = decoder.decode(form.bytes, VirtAddr(0x8048000));
  CAPTURE(decoder.disassemble(form.bytes, VirtAddr(0x8048000)));
  CHECK(instruction.length == form.bytes.size());
  REQUIRE(instruction.operands == form.spans.size());
  for (size_t at = 0; at < form.spans.size(); ++at) {
    const MemorySpan span = emu::evaluate(instruction.operand[at], registers(), base_of);
    CHECK(span.addr == VirtAddr(form.spans[at].addr));
    CHECK(span.size == form.spans[at].size);
    // The source of lds and its like is a second operand; everything else keeps Intel's order.
    CHECK(span.use == form.spans[at].use);
  }
}

TEST_CASE("decode: only instructions that make the processor read descriptors are marked") {
  const Bytes marked = GENERATE(Bytes{0x8e, 0xd8}, Bytes{0x1f}, Bytes{0x0f, 0xa1}, Bytes{0xc4, 0x03},
                                Bytes{0x0f, 0xb2, 0x03}, Bytes{0xcb}, Bytes{0xcf}, Bytes{0xea, 0, 0, 0, 0, 0x73, 0},
                                Bytes{0x0f, 0x02, 0xc0}, Bytes{0x0f, 0x00, 0xe0}, Bytes{0xff, 0x2b}, Bytes{0xff, 0x1b});
  Decoder decoder;
  CHECK(decoder.decode(marked, VirtAddr(0)).loads_descriptor);
  for (const Bytes& other : {Bytes{0x8b, 0x03}, Bytes{0x58}, Bytes{0x8c, 0xd8}, Bytes{0xc3}, Bytes{0xff, 0x23}}) {
    CHECK_FALSE(decoder.decode(other, VirtAddr(0)).loads_descriptor);
  }
}

TEST_CASE("decode: the cache notices other bytes at the same address") {
  Decoder decoder;
  const VirtAddr eip(0x1000);
  const Bytes load = {0x8b, 0x03, 0x90, 0x90}, store = {0x89, 0x03, 0x90, 0x90};
  CHECK(decoder.decode(load, eip).operand[0].use == kRead);
  CHECK(decoder.decode(store, eip).operand[0].use == kWrite);
  CHECK(decoder.disassemble(store, eip) == "mov dword ptr [ebx], eax");
  // What follows the instruction does not matter, an incomplete one does.
  CHECK(decoder.decode(Bytes{0x89, 0x03, 0xcc}, eip).length == 2);
  CHECK(decoder.decode(Bytes{0xa1, 0x00}, eip).length == 0);
  CHECK(decoder.disassemble(Bytes{0xa1, 0x00}, eip) == "(bad)");
  CHECK(decoder.decode(Bytes{0xa1, 0x00, 0x00, 0x00, 0x00}, eip).length == 5);
  CHECK(decoder.decode(Bytes{}, eip).length == 0);
}

TEST_CASE("decode: instruction bytes are read as far as pages are present, without touching A bits") {
  test::CpuMachine m;
  m.map(test::kData, test::Rights::kReadOnly);
  *m.bytes(test::kData + 0xffe) = 0xa1;
  const auto all = emu::InstructionBytes::read(m.mmu, test::kData + 0x10);
  CHECK(all.bytes().size() == emu::kMaxInstructionBytes);
  const auto cut = emu::InstructionBytes::read(m.mmu, test::kData + 0xffe);
  REQUIRE(cut.bytes().size() == 2);
  CHECK(cut.bytes()[0] == 0xa1);
  CHECK_FALSE(m.pte(test::kData).accessed());
  CHECK(emu::InstructionBytes::read(m.mmu, test::kData + 0x5000).bytes().empty());
  CHECK(emu::InstructionBytes::read(m.mmu, VirtAddr(0xc0000000)).bytes().empty());
}

TEST_CASE("decode: every byte string is decoded or refused, and operands can be evaluated") {
  Decoder decoder;
  uint32_t state = 12345;
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes;
    for (int at = 0; at < 15; ++at) {
      state = state * 1103515245 + 12345;
      bytes.push_back(static_cast<uint8_t>(state >> 16));
    }
    bytes.resize(1 + state % 15);
    const Instruction& instruction = decoder.decode(bytes, VirtAddr(state));
    REQUIRE(instruction.length <= bytes.size());
    for (uint8_t at = 0; at < instruction.operands; ++at) {
      const MemorySpan span = emu::evaluate(instruction.operand[at], registers(), base_of);
      REQUIRE(span.size > 0);
      REQUIRE(span.size <= 512);
    }
  }
}
