// The errno values of i386 Linux that only sockets answer (asm-generic/errno.h).
#pragma once

#include "mmu/base/errno.hpp"

namespace fl::guest {

struct NetErrno {
  static constexpr Errno kENOTSOCK = static_cast<Errno>(88);
  static constexpr Errno kEDESTADDRREQ = static_cast<Errno>(89);
  static constexpr Errno kEMSGSIZE = static_cast<Errno>(90);
  static constexpr Errno kEPROTOTYPE = static_cast<Errno>(91);
  static constexpr Errno kENOPROTOOPT = static_cast<Errno>(92);
  static constexpr Errno kEPROTONOSUPPORT = static_cast<Errno>(93);
  static constexpr Errno kESOCKTNOSUPPORT = static_cast<Errno>(94);
  static constexpr Errno kEADDRINUSE = static_cast<Errno>(98);
  static constexpr Errno kECONNRESET = static_cast<Errno>(104);
  static constexpr Errno kENOBUFS = static_cast<Errno>(105);
  static constexpr Errno kEISCONN = static_cast<Errno>(106);
  static constexpr Errno kENOTCONN = static_cast<Errno>(107);
  static constexpr Errno kETOOMANYREFS = static_cast<Errno>(109);
  static constexpr Errno kECONNREFUSED = static_cast<Errno>(111);
};

}  // namespace fl::guest
