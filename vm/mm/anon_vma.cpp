// Joining and leaving AnonVmas.
#include "vm/mm/anon_vma.hpp"

#include <iterator>

#include "mmu/base/check.hpp"
#include "vm/kernel_caches.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/mm/vm_area.hpp"

namespace fl::vm {
namespace {

KernelCaches& caches_of(const VmArea& area) { return area.mm->memory().caches(); }

// Linux: anon_vma_chain_link.
void link(AnonVmaChain& chain, VmArea& area, AnonVma& anon_vma) {
  chain.area = &area;
  chain.anon_vma = &anon_vma;
  area.anon_vma_chain.push_front(chain);
  anon_vma.chain.push_back(chain);
}

// Linux: put_anon_vma.
void put_anon_vma(KernelCaches& caches, AnonVma* anon_vma) {
  FL_CHECK(anon_vma->refcount > 0);
  if (--anon_vma->refcount != 0) {
    return;
  }
  FL_CHECK(anon_vma->chain.empty() && anon_vma->num_children == 0 && anon_vma->num_active_areas == 0);
  AnonVma* const root = anon_vma->root;
  caches.anon_vma.destroy(anon_vma);
  if (root != anon_vma) {
    put_anon_vma(caches, root);
  }
}

// Linux: anon_vma_compatible.
bool compatible(const VmArea* below, const VmArea* above) {
  return below != nullptr && above != nullptr && below->end == above->start && below->file == above->file &&
         ((below->flags ^ above->flags) & ~kVmAccessFlags) == 0 && below->policy == above->policy &&
         below->pgoff + below->pages() == above->pgoff;
}

// The neighbour's AnonVma, if it is its only one: one that came by fork is not shared. Linux: reusable_anon_vma.
AnonVma* reusable(const VmArea& neighbour) { return is_fork_child(neighbour) ? nullptr : neighbour.anon_vma; }

// Makes `to` a member of all AnonVmas of `from`. ENOMEM leaves it without any.
Status clone_chain(VmArea& to, const VmArea& from) {
  KernelCaches& caches = caches_of(from);
  // Last to first, since each is put in front.
  for (auto of_from = from.anon_vma_chain.rbegin(); of_from != from.anon_vma_chain.rend(); ++of_from) {
    const auto chain = caches.anon_vma_chain.create();
    if (!chain) {
      unlink_anon_vmas(to);
      return fail(chain.error());
    }
    link(**chain, to, *of_from->anon_vma);
  }
  return {};
}

// An ancestor's AnonVma that no area uses as its own and that has at most one child: a chain of forks does not grow for
// ever. Linux: the search in anon_vma_clone.
AnonVma* reusable_ancestor(const VmArea& area) {
  for (auto chain = area.anon_vma_chain.rbegin(); chain != area.anon_vma_chain.rend(); ++chain) {
    AnonVma* const anon_vma = chain->anon_vma;
    // The root counts itself as a child on Linux, and so is never found.
    if (anon_vma->root != anon_vma && anon_vma->num_children < 2 && anon_vma->num_active_areas == 0) {
      return anon_vma;
    }
  }
  return nullptr;
}

// Linux: find_mergeable_anon_vma.
AnonVma* find_mergeable_anon_vma(const VmArea& area) {
  if (compatible(&area, area.next)) {
    if (AnonVma* const found = reusable(*area.next); found != nullptr) {
      return found;
    }
  }
  return compatible(area.prev, &area) ? reusable(*area.prev) : nullptr;
}

}  // namespace

Status anon_vma_prepare(VmArea& area) {
  if (area.anon_vma != nullptr) {
    return {};
  }
  KernelCaches& caches = caches_of(area);
  FL_TRY_ASSIGN(AnonVmaChain* const chain, caches.anon_vma_chain.create());
  AnonVma* anon_vma = find_mergeable_anon_vma(area);
  if (anon_vma == nullptr) {
    const auto fresh = caches.anon_vma.create();
    if (!fresh) {
      caches.anon_vma_chain.destroy(chain);
      return fail(fresh.error());
    }
    anon_vma = *fresh;
  }
  link(*chain, area, *anon_vma);
  area.anon_vma = anon_vma;
  ++anon_vma->num_active_areas;
  return {};
}

Status anon_vma_clone(VmArea& to, const VmArea& from) {
  FL_CHECK(to.anon_vma == nullptr && to.anon_vma_chain.empty());
  FL_TRY(clone_chain(to, from));
  to.anon_vma = from.anon_vma;
  if (to.anon_vma != nullptr) {
    ++to.anon_vma->num_active_areas;
  }
  return {};
}

bool is_fork_child(const VmArea& area) {
  return !area.anon_vma_chain.empty() && std::next(area.anon_vma_chain.begin()) != area.anon_vma_chain.end();
}

Status anon_vma_fork(VmArea& to, const VmArea& from) {
  FL_CHECK(to.anon_vma == nullptr && to.anon_vma_chain.empty());
  if (from.anon_vma == nullptr) {
    return {};
  }
  FL_TRY(clone_chain(to, from));
  if (AnonVma* const ancestor = reusable_ancestor(to); ancestor != nullptr) {
    to.anon_vma = ancestor;
    ++ancestor->num_active_areas;
    return {};
  }
  KernelCaches& caches = caches_of(from);
  const auto anon_vma = caches.anon_vma.create();
  const auto chain = anon_vma ? caches.anon_vma_chain.create() : Result<AnonVmaChain*>(fail(anon_vma.error()));
  if (!chain) {
    caches.anon_vma.destroy(anon_vma.value_or(nullptr));
    unlink_anon_vmas(to);
    return fail(chain.error());
  }
  AnonVma& own = **anon_vma;
  own.root = from.anon_vma->root;
  own.parent = from.anon_vma;
  // A root lives as long as its tree.
  ++own.root->refcount;
  ++own.parent->num_children;
  ++own.num_active_areas;
  link(**chain, to, own);
  to.anon_vma = &own;
  return {};
}

void anon_vma_move(VmArea& to, VmArea& from) {
  FL_CHECK(to.anon_vma == nullptr && to.anon_vma_chain.empty());
  to.anon_vma = from.anon_vma;
  from.anon_vma = nullptr;
  to.anon_vma_chain.swap(from.anon_vma_chain);
  for (AnonVmaChain& chain : to.anon_vma_chain) {
    chain.area = &to;
  }
}

void unlink_anon_vmas(VmArea& area) {
  KernelCaches& caches = caches_of(area);
  if (area.anon_vma != nullptr) {
    --area.anon_vma->num_active_areas;
    area.anon_vma = nullptr;
  }
  while (!area.anon_vma_chain.empty()) {
    AnonVmaChain& chain = area.anon_vma_chain.front();
    AnonVma* const anon_vma = chain.anon_vma;
    area.anon_vma_chain.pop_front();
    anon_vma->chain.erase(anon_vma->chain.iterator_to(chain));
    caches.anon_vma_chain.destroy(&chain);
    if (!anon_vma->chain.empty()) {
      continue;
    }
    if (anon_vma->parent != anon_vma) {
      --anon_vma->parent->num_children;
    }
    put_anon_vma(caches, anon_vma);
  }
}

}  // namespace fl::vm
