// Input files for the busybox tests, generated into the build folder: the same bytes on every machine, written once.
#pragma once

#include <filesystem>

namespace fl::test {

// A folder with
//   big.bin 10 MB, bytes that compress badly       big.txt 10 MB of words       text.txt 1 MB of words, 8 a line
//   other.txt text.txt with some lines changed     nums.txt 50,000 numbers      table.csv 20,000 rows of 5 fields
//   sorted.txt, sorted2.txt sorted words           small.txt, tabs.txt          text.txt.gz, .bz2 by the native busybox
//   tree/ a folder of 60 files, with fixed times and modes
// Empty path if busybox is not there to make the compressed ones.
std::filesystem::path busybox_input();

}  // namespace fl::test
