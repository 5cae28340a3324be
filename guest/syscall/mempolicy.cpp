// set_mempolicy, get_mempolicy, mbind: from which nodes memory comes. Linux counterpart: mm/mempolicy.c.
//
// A machine with one node is a kernel without NUMA, as i386 kernels usually are: the calls are not there. Simplified:
// no MPOL_PREFERRED_MANY, no mode flags; MPOL_MF_MOVE moves nothing, which Linux too allows where pages cannot be
// moved; with MPOL_MF_STRICT pages on other nodes are EIO. A shared mapping's policy belongs to the area, not to the
// file.
#include <algorithm>
#include <array>
#include <bit>

#include "guest/kernel.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/task.hpp"
#include "vm/fault/handle_fault.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/phys/mempolicy.hpp"

namespace fl::guest {
namespace {

using vm::MemPolicy;
using vm::NodeMask;
using vm::PolicyMode;

bool has_numa(Kernel& kernel) { return kernel.memory().pages().nodes().size() > 1; }
NodeMask present_nodes(Kernel& kernel) { return (1u << kernel.memory().pages().nodes().size()) - 1; }

// Linux: sanitize_mpol_flags. Mode flags (static and relative nodes, balancing) are not modelled.
Result<PolicyMode> read_mode(uint32_t value) {
  return value <= static_cast<uint32_t>(PolicyMode::kLocal) ? Result<PolicyMode>(static_cast<PolicyMode>(value))
                                                            : fail(Errno::kEINVAL);
}

constexpr uint32_t kBitsPerWord = 32;

// A set of nodes from user memory; `max_node` is one more than its number of bits. EINVAL: a node that cannot be.
// Linux: get_nodes.
Result<NodeMask> read_nodes(Task& task, VirtAddr mask, uint32_t max_node) {
  const uint32_t bits = max_node - 1;
  if (bits == 0 || mask.value() == 0) {
    return NodeMask{0};
  }
  if (bits > kPageSize * 8) {
    return fail(Errno::kEINVAL);
  }
  vm::UserAccess user = task.user();
  NodeMask nodes = 0;
  for (uint32_t first = 0; first < bits; first += kBitsPerWord) {
    FL_TRY_ASSIGN(uint32_t word, user.get<uint32_t>(mask + first / 8));
    if (bits - first < kBitsPerWord) {
      word &= (1u << (bits - first)) - 1;
    }
    if (first == 0) {
      nodes = word & vm::kAllNodes;
      word &= ~vm::kAllNodes;
    }
    if (word != 0) {
      return fail(Errno::kEINVAL);
    }
  }
  return nodes;
}

// Linux: copy_nodes_to_user, whose words are of 64 bits for a caller of any kind.
Status write_nodes(Task& task, VirtAddr mask, uint32_t max_node, NodeMask nodes) {
  uint32_t bytes = (max_node - 1 + 63) / 64 * 8;
  vm::UserAccess user = task.user();
  if (bytes > kPageSize) {
    return fail(Errno::kEINVAL);
  }
  if (bytes > sizeof(nodes)) {
    const std::array<std::byte, kPageSize> zeros{};
    FL_TRY(user.write(mask + sizeof(nodes), std::span(zeros).first(bytes - sizeof(nodes))));
    bytes = sizeof(nodes);
  }
  return user.write(mask, std::as_bytes(std::span(&nodes, 1)).first(bytes));
}

// The node of the page at an address, which is made present first. Linux: lookup_node.
Result<uint32_t> node_at(Kernel& kernel, Task& task, VirtAddr addr) {
  const auto pfn = vm::get_user_page(*task.mm, addr, mmu::Access::kRead, task.faults);
  return pfn ? Result<uint32_t>(kernel.memory().page(*pfn).node()) : fail(Errno::kEFAULT);
}

}  // namespace

Result<uint32_t> sys_set_mempolicy(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (!has_numa(kernel)) {
    return sys_ni_syscall(kernel, task, args);
  }
  FL_TRY_ASSIGN(const PolicyMode mode, read_mode(args[0]));
  FL_TRY_ASSIGN(const NodeMask nodes, read_nodes(task, args.ptr(1), args[2]));
  FL_TRY_ASSIGN(task.policy, MemPolicy::create(mode, nodes, present_nodes(kernel)));
  kernel.memory().set_task_policy(task.policy);
  return 0;
}

Result<uint32_t> sys_get_mempolicy(Kernel& kernel, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kNode = 1, kAddr = 2, kMemsAllowed = 4;
  if (!has_numa(kernel)) {
    return sys_ni_syscall(kernel, task, args);
  }
  const VirtAddr mode_out = args.ptr(0), nodes_out = args.ptr(1), addr = args.ptr(3);
  const uint32_t max_node = args[2], flags = args[4];
  if (nodes_out.value() != 0 && max_node < kernel.memory().pages().nodes().size()) {
    return fail(Errno::kEINVAL);
  }
  if ((flags & ~(kNode | kAddr | kMemsAllowed)) != 0) {
    return fail(Errno::kEINVAL);
  }
  uint32_t mode = 0;
  NodeMask nodes = 0;
  if ((flags & kMemsAllowed) != 0) {
    if ((flags & (kNode | kAddr)) != 0) {
      return fail(Errno::kEINVAL);
    }
    nodes = present_nodes(kernel);
  } else {
    MemPolicy policy = task.policy;
    if ((flags & kAddr) != 0) {
      const vm::VmArea* const area = task.mm->areas().lookup(addr);
      if (area == nullptr) {
        return fail(Errno::kEFAULT);
      }
      policy = area->policy;
    } else if (addr.value() != 0) {
      return fail(Errno::kEINVAL);
    }
    if ((flags & kNode) == 0) {
      mode = static_cast<uint32_t>(policy.mode);
    } else if ((flags & kAddr) != 0) {
      FL_TRY_ASSIGN(mode, node_at(kernel, task, addr));
    } else if (policy.mode == PolicyMode::kInterleave) {
      mode = vm::interleave_node(policy, 0);
    } else {
      return fail(Errno::kEINVAL);
    }
    nodes = policy.nodes;
  }
  if (mode_out.value() != 0) {
    FL_TRY(task.user().put(mode_out, mode));
  }
  if (nodes_out.value() != 0) {
    FL_TRY(write_nodes(task, nodes_out, max_node, nodes));
  }
  return 0;
}

Result<uint32_t> sys_mbind(Kernel& kernel, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kStrict = 1, kMove = 2, kMoveAll = 4;
  if (!has_numa(kernel)) {
    return sys_ni_syscall(kernel, task, args);
  }
  const uint32_t flags = args[5];
  FL_TRY_ASSIGN(const PolicyMode mode, read_mode(args[2]));
  FL_TRY_ASSIGN(const NodeMask nodes, read_nodes(task, args.ptr(3), args[4]));
  if ((flags & ~(kStrict | kMove | kMoveAll)) != 0) {
    return fail(Errno::kEINVAL);
  }
  if ((flags & kMoveAll) != 0 && task.cred.euid != 0) {
    return fail(Errno::kEPERM);
  }
  const VirtAddr start = args.ptr(0);
  const uint64_t length = page_align_up(args[1]);
  if (!start.page_aligned() || start.value() + length > UINT32_MAX) {
    return fail(Errno::kEINVAL);
  }
  if (length == 0) {
    return 0;
  }
  FL_TRY_ASSIGN(const MemPolicy policy, MemPolicy::create(mode, nodes, present_nodes(kernel)));
  const bool strict = (flags & kStrict) != 0 && mode != PolicyMode::kDefault;
  FL_TRY(task.mm->mbind(start, start + static_cast<uint32_t>(length), policy,
                        strict ? vm::MisplacedPages::kRefuse : vm::MisplacedPages::kLeave));
  return 0;
}

}  // namespace fl::guest
