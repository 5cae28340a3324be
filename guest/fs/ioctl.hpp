// ioctl requests of i386 that some file answers (asm-generic/ioctls.h, linux/fs.h); x86-64 has the same.
#pragma once

#include <cstdint>

namespace fl::guest {

struct Ioctl {
  enum Request : uint32_t {
    kTcgets = 0x5401,
    kTcsets = 0x5402,
    kTcsetsw = 0x5403,
    kTcsetsf = 0x5404,
    kTiocgpgrp = 0x540f,
    kTiocgwinsz = 0x5413,
    kFionread = 0x541b,
    kFionbio = 0x5421,
    kFionclex = 0x5450,
    kFioclex = 0x5451,
    kFioasync = 0x5452,
  };
};

}  // namespace fl::guest
