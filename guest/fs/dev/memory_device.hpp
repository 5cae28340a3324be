// The devices null, zero, full, random and urandom. Linux counterparts: drivers/char/mem.c, drivers/char/random.c.
#pragma once

#include <memory>
#include <string_view>

#include "guest/fs/dev/dev_fs.hpp"
#include "guest/fs/open_file.hpp"

namespace fl::guest {

// ENXIO for any other name.
Result<std::shared_ptr<OpenFile>> make_memory_device(vm::MemorySystem& memory, std::string_view name, uint32_t flags,
                                                     std::shared_ptr<LivePath> path, const FileStat& stat,
                                                     const RandomBytes& random);

}  // namespace fl::guest
