// AnonVma: what the areas that may hold the same anonymous pages have in common, so that from a page all entries that
// map it are found. AnonVmaChain: one area's membership in one of them. Linux counterpart: struct anon_vma, struct
// anon_vma_chain, the first half of mm/rmap.c.
//
// An area gets an AnonVma before its first anonymous page (anon_vma_prepare); split and moved areas become members of
// the same ones (anon_vma_clone). An anonymous page names its AnonVma in Page::mapping. Simplified: the members of an
// AnonVma stand on a list, not in an interval tree; nobody locks, so refcount counts children and members only.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "mmu/base/result.hpp"

namespace fl::vm {

struct AnonVma;
struct VmArea;
class KernelCaches;

// In the cache "anon_vma_chain".
struct AnonVmaChain {
  using Hook = boost::intrusive::list_member_hook<>;

  VmArea* area = nullptr;
  AnonVma* anon_vma = nullptr;
  Hook same_area;      // the area's memberships
  Hook same_anon_vma;  // the AnonVma's members

  using OfArea =
      boost::intrusive::list<AnonVmaChain, boost::intrusive::member_hook<AnonVmaChain, Hook, &AnonVmaChain::same_area>>;
  using OfAnonVma =
      boost::intrusive::list<AnonVmaChain,
                             boost::intrusive::member_hook<AnonVmaChain, Hook, &AnonVmaChain::same_anon_vma>>;
};

// In the cache "anon_vma". Lives as long as an area is a member or another AnonVma has it as root or parent.
struct AnonVma {
  AnonVma* root = this;           // of the tree that forks make
  AnonVma* parent = this;         // of the process that this one was forked from
  uint32_t num_children = 0;      // others whose parent this is; it is not its own child here
  uint32_t num_active_areas = 0;  // areas whose anon_vma this is
  uint32_t refcount = 1;          // 1 while it has members, and 1 for each other AnonVma whose root this is
  AnonVmaChain::OfAnonVma chain;
};

// Gives the area an AnonVma if it has none: that of a neighbour it could be one with but for its access rights, so that
// a later mprotect can merge them, else a new one. ENOMEM. Linux: anon_vma_prepare.
Status anon_vma_prepare(VmArea& area);
// Makes `to`, which has none, a member of all AnonVmas of `from`, with the same anon_vma. ENOMEM leaves `to` without
// any. Linux: anon_vma_clone.
Status anon_vma_clone(VmArea& to, const VmArea& from);
// For a fork: `to`, the child's area, becomes a member of all AnonVmas of the parent's area `from` and gets one of its
// own below from's, for the pages that it will write. Nothing if `from` has none. ENOMEM. Linux: anon_vma_fork.
Status anon_vma_fork(VmArea& to, const VmArea& from);
// The area came with pages from a parent by fork. Linux: vma_is_fork_child.
bool is_fork_child(const VmArea& area);
// `from` goes and `to`, which has no anon_vma, takes its memberships. Linux clones and unlinks, for which it needs
// memory.
void anon_vma_move(VmArea& to, VmArea& from);
// Takes the area out of its AnonVmas; those without members are freed. No page of the area may be left. Linux:
// unlink_anon_vmas.
void unlink_anon_vmas(VmArea& area);

}  // namespace fl::vm
