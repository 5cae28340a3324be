/* A loop of one instruction without memory or system calls: only an outside signal or a timeout ends it. */
	.globl _start
	.text
_start:
	jmp	_start
	.section .note.GNU-stack,"",@progbits
