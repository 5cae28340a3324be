/* C3: images by hand. BSS_TAIL: the last file page ends in bss, cleared by exec (one kernel write fault); BSS_PAGES:
 * whole pages of bss behind it, anonymous; neither: data that fills its page,
 * or no data at all. The .file line keeps the name of a temporary file out of the program, which must be the recorded one. */
	.file "bss_layout.S"
	.globl _start
	.text
_start:
	movl read_only, %eax
#if DATA_BYTES
	movl data, %eax
	incl data
#endif
#if BSS_TAIL
	incl bss
#endif
#if BSS_PAGES
	movl pages + 4096, %eax
	incl pages + 4096
	incl pages + 8192
	cmpl $0, pages + 16384
#endif
	movl $1, %eax
	xorl %ebx, %ebx
	int $0x80
	.section .rodata
read_only:
	.long 1
#if DATA_BYTES
	.data
data:
	.space DATA_BYTES, 1
#endif
#if BSS_TAIL || BSS_PAGES
	.bss
bss:
	.space BSS_TAIL + 4
#endif
#if BSS_PAGES
	.balign 4096
pages:
	.space BSS_PAGES * 4096
#endif
	.section .note.GNU-stack, "", @progbits
