// What the recorder needs to know of the program's file: whether it is an i386 program, where it lies, and that its
// pages are cached one by one.
#pragma once

#include <string>

#include "emu/base/host_error.hpp"

namespace fl::emu {

// An ELF file for EM_386.
bool is_i386_program(const std::string& path);

// Whether this host's kernel starts i386 programs: tries with one of a few bytes.
bool host_runs_i386();

// "ext4", "tmpfs", ..., else the magic number; empty if unknown. Linux: statfs(2).
std::string filesystem_of(const std::string& path);

// Brings the file into the page cache as pages of 4 KiB.
//
// Newer kernels map a large folio as a whole around a fault, so that a file that was read ahead or written in large
// pieces takes fewer faults; the reference numbers belong to single pages. What others have mapped stays as it is, and
// file systems that live in memory ignore it.
void cache_page_by_page(const std::string& path);

}  // namespace fl::emu
