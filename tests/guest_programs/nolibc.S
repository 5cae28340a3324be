/* The smallest static program: exit(0) by int $0x80, one initialised data word and one of bss (so that the kernel
 * has a tail to clear). Real Linux: 3 faults = argument page (GUP), clear_user of the data page, text. */
	.globl _start
	.text
_start:
	movl	$1, %eax
	xorl	%ebx, %ebx
	int	$0x80
	hlt
	.data
	.long	1
	.bss
	.long	0
	.section .note.GNU-stack,"",@progbits
