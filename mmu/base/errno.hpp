// The i386 Linux errno values (asm-generic/errno-base.h, asm-generic/errno.h).
//
// The guest's values, never the host's: they are given here once, so that the ABI does not depend on the host's libc.
#pragma once

#include <cstdint>

namespace fl {

enum class Errno : int32_t {
  kEPERM = 1,
  kENOENT = 2,
  kESRCH = 3,
  kEINTR = 4,
  kEIO = 5,
  kENXIO = 6,
  kE2BIG = 7,
  kENOEXEC = 8,
  kEBADF = 9,
  kECHILD = 10,
  kEAGAIN = 11,
  kENOMEM = 12,
  kEACCES = 13,
  kEFAULT = 14,
  kEBUSY = 16,
  kEEXIST = 17,
  kEXDEV = 18,
  kENODEV = 19,
  kENOTDIR = 20,
  kEISDIR = 21,
  kEINVAL = 22,
  kENFILE = 23,
  kEMFILE = 24,
  kENOTTY = 25,
  kETXTBSY = 26,
  kEFBIG = 27,
  kENOSPC = 28,
  kESPIPE = 29,
  kEROFS = 30,
  kEMLINK = 31,
  kEPIPE = 32,
  kEDOM = 33,
  kERANGE = 34,
  kEDEADLK = 35,
  kENAMETOOLONG = 36,
  kENOLCK = 37,
  kENOSYS = 38,
  kENOTEMPTY = 39,
  kELOOP = 40,
  kENOMSG = 42,
  kEIDRM = 43,
  kENODATA = 61,
  kEOVERFLOW = 75,
  kELIBBAD = 80,
  kEOPNOTSUPP = 95,
  kEAFNOSUPPORT = 97,
  kETIMEDOUT = 110,
  kECONNREFUSED = 111,
};

// Any errno that the host's system call gave: Linux uses the same values on x86-64 and i386.
constexpr Errno errno_from_host(int host_errno) { return static_cast<Errno>(host_errno); }

// "EINVAL" for Errno::kEINVAL; "E?" for a value without a name.
const char* errno_name(Errno error);

}  // namespace fl
