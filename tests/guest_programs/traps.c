/* CPU exceptions other than page faults, as signals: divide errors, breakpoints, overflow, bound, undefined and
 * privileged instructions, software interrupts without a gate for users, bad selectors, x87 exceptions. */
#include "support/trap.h"

int main(void) {
  trap_setup();
  TRAP("div by zero", "xorl %%ecx, %%ecx\n\t.byte 0xf7, 0xf1");
  TRAP("idiv overflow", ".byte 0xeb, 0x00\n\tmovl $0x80000000, %%eax\n\tcltd\n\tmovl $-1, %%ecx\n\tidivl %%ecx");
  TRAP("divb overflow", "movw $0x4000, %%ax\n\tmovb $1, %%cl\n\tdivb %%cl");
  TRAP("aam 0", ".byte 0xd4, 0x00");
  TRAP("int3", "int3");
  TRAP("int $3 in two bytes", ".byte 0xcd, 0x03");
  TRAP("into without overflow", "xorl %%eax, %%eax\n\tinto");
  TRAP("into", "movb $0x7f, %%al\n\taddb $1, %%al\n\tinto");
  TRAP("int $4", ".byte 0xcd, 0x04");
  static int bounds[2] = {10, 20};
  TRAP_WITH("bound inside", bounds, 15, "boundl %%edx, (%%eax)");
  TRAP_WITH("bound below", bounds, 9, "boundl %%edx, (%%eax)");
  TRAP_WITH("bound above", bounds, 21, "boundl %%edx, (%%eax)");
  TRAP("ud2", "ud2");
  TRAP("ud1", ".byte 0x0f, 0xb9, 0xc0");
  TRAP("group 5 /7", ".byte 0xff, 0xff");
  TRAP("lock nop", ".byte 0xf0, 0x90");
  TRAP("lea with a register operand", ".byte 0x8d, 0xc0");
  TRAP("mov to cs", ".byte 0x8e, 0xc8");
  TRAP("hlt", "hlt");
  TRAP("cli", "cli");
  TRAP("sti", "sti");
  TRAP("in from an immediate port", "inb $0x60, %%al");
  TRAP("in from dx", "movl $0x3f8, %%edx\n\tinl %%dx, %%eax");
  TRAP("out to an immediate port", "outb %%al, $0x80");
  TRAP("out to dx", "movl $0x80, %%edx\n\toutw %%ax, %%dx");
  TRAP_WITH("ins", bounds, 0x60, "movl %%eax, %%edi\n\tinsb");
  TRAP_WITH("outs", bounds, 0x60, "movl %%eax, %%esi\n\toutsb");
  TRAP("mov from cr0", "movl %%cr0, %%eax");
  TRAP("mov to cr3", "movl %%eax, %%cr3");
  TRAP("mov to dr7", "movl %%eax, %%db7");
  TRAP("clts", "clts");
  TRAP("invd", "invd");
  TRAP("wbinvd", "wbinvd");
  TRAP_WITH("invlpg", bounds, 0, "invlpg (%%eax)");
  TRAP_WITH("lgdt", bounds, 0, "lgdt (%%eax)");
  TRAP_WITH("lidt", bounds, 0, "lidt (%%eax)");
  TRAP("lldt", "lldt %%ax");
  TRAP("ltr", "ltr %%ax");
  TRAP("lmsw", "lmsw %%ax");
  TRAP("rdmsr", "movl $0x1b, %%ecx\n\trdmsr");
  TRAP("wrmsr", "movl $0x1b, %%ecx\n\twrmsr");
  TRAP("int $0", ".byte 0xcd, 0x00");
  TRAP("int $1", ".byte 0xcd, 0x01");
  TRAP("int $2", ".byte 0xcd, 0x02");
  TRAP("int $8", ".byte 0xcd, 0x08");
  TRAP("int $13", ".byte 0xcd, 0x0d");
  TRAP("int $14", ".byte 0xcd, 0x0e");
  TRAP("int $0x20", ".byte 0xcd, 0x20");
  TRAP("int $0x21", ".byte 0xcd, 0x21");
  TRAP("int $0x7f", ".byte 0xcd, 0x7f");
  TRAP("int $0x81", ".byte 0xcd, 0x81");
  TRAP("int $0xff", ".byte 0xcd, 0xff");
  TRAP("int 14 behind a prefix byte", ".byte 0x66, 0xcd, 0x0e");
  TRAP("nops before int 14", "nop\n\tnop\n\t.byte 0xcd, 0x0e");
  TRAP("kernel selector 0x18 to ds", "movl $0x18, %%eax\n\tmovl %%eax, %%ds");
  TRAP("kernel selector 0x18 to fs", "movl $0x18, %%eax\n\tmovl %%eax, %%fs");
  TRAP("selector behind the table", "movl $0xfff8, %%eax\n\tmovl %%eax, %%es");
  TRAP("selector of the absent ldt", "movl $0x7, %%eax\n\tmovl %%eax, %%fs");
  TRAP("null to ss", "xorl %%eax, %%eax\n\tmovl %%eax, %%ss");
  TRAP("null to fs", "xorl %%eax, %%eax\n\tmovl %%eax, %%fs");
  TRAP("pop of a bad selector", "pushl $0xfff8\n\tpopl %%es");
  TRAP("ljmp to a kernel selector", "ljmp $0x10, $0");
  TRAP("lcall to a null selector", "lcall $0, $0");
  TRAP("x87 divide, then fwait",
       "fninit\n\tpushl $0x33b\n\tfldcw (%%esp)\n\tfld1\n\tfldz\n\tfdivrp %%st, %%st(1)\n\tnop\n\tfwait");
  TRAP("x87 masked", "fninit\n\tfld1\n\tfldz\n\tfdivrp %%st, %%st(1)\n\tfwait\n\tfninit");
  fflush(stdout);
  return 0;
}
