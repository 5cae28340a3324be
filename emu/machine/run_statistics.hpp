// What a machine counted, in the form of --stats.
#pragma once

#include "emu/report/statistics.hpp"

namespace fl::emu {

class Machine;

// `processes` has heard of all exits, and of those that are alive.
RunStatistics collect_statistics(Machine& machine, const ProcessCollector& processes);

}  // namespace fl::emu
