// Process groups that nobody watches any more: without a member whose parent is in another group of the same session,
// no shell can continue those that are stopped. Linux counterparts: will_become_orphaned_pgrp, has_stopped_jobs,
// kill_orphaned_pgrp (kernel/exit.c).
#pragma once

#include <cstdint>

#include "guest/task/thread_group.hpp"

namespace fl::guest {

// Whether the process group is orphaned, were `leaving` (null: nobody) not in it. The world outside watches nobody,
// like init.
bool is_orphaned_group(const Kernel& kernel, uint32_t pgid, const ThreadGroup* leaving = nullptr);

// `member` loses `parent` (null: the world outside), or is itself `leaving`: if that orphans its process group and a
// member is stopped, all of them get SIGHUP and SIGCONT.
void hang_up_if_orphaned(Kernel& kernel, const ThreadGroup& member, const ThreadGroup* parent,
                         const ThreadGroup* leaving);

}  // namespace fl::guest
