// The finished vDSO images as read-only data of the host program (vdso_image.cpp gives them out). Each is exactly two
// pages: what the linker wrote, then zeros. Linux counterpart: the vdso-image-32.c that vdso2c generates.
	.macro image name, file
	.section .rodata.\name, "a", @progbits
	.balign 4096
	.globl \name
	.hidden \name
	.type \name, @object
\name:
	.incbin "\file"
	.org \name + 8192, 0
	.size \name, 8192
	.endm

	image fl_vdso_image_6_1, "vdso-6.1.so"
	image fl_vdso_image_6_18, "vdso-6.18.so"

	.section .note.GNU-stack, "", @progbits
