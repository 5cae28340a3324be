// Precompiled with fmt's headers (fl_precompile): says that libfmt has the instantiation for char of the function that
// formats. fmt 9 forgets to, so that every file that formats into a buffer of its own would compile it again, with all
// of the printing of floating-point numbers: half of the time of a clean build. Nothing includes this; without it all
// works, slower to build.
#pragma once

#include <fmt/format.h>

#if FMT_VERSION / 10000 == 9 && !defined(FMT_HEADER_ONLY)
FMT_BEGIN_NAMESPACE
namespace detail {
extern template void vformat_to<char>(buffer<char>&, basic_string_view<char>,
                                      basic_format_args<FMT_BUFFER_CONTEXT(type_identity_t<char>)>, locale_ref);
}  // namespace detail
FMT_END_NAMESPACE
#endif
