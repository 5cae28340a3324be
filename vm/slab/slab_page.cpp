// Lists of slabs, linked by frame number.
#include "vm/slab/slab_page.hpp"

namespace fl::vm {

void slab_list_push_front(MemMap& mem_map, SlabList& list, Pfn slab) {
  Page& page = mem_map[slab];
  page.lru_prev = kNoPage;
  page.lru_next = list.head;
  (list.head != kNoPage ? mem_map[Pfn(list.head)].lru_prev : list.tail) = slab.value();
  list.head = slab.value();
  ++list.count;
}

void slab_list_push_back(MemMap& mem_map, SlabList& list, Pfn slab) {
  Page& page = mem_map[slab];
  page.lru_next = kNoPage;
  page.lru_prev = list.tail;
  (list.tail != kNoPage ? mem_map[Pfn(list.tail)].lru_next : list.head) = slab.value();
  list.tail = slab.value();
  ++list.count;
}

void slab_list_remove(MemMap& mem_map, SlabList& list, Pfn slab) {
  const Page& page = mem_map[slab];
  (page.lru_prev != kNoPage ? mem_map[Pfn(page.lru_prev)].lru_next : list.head) = page.lru_next;
  (page.lru_next != kNoPage ? mem_map[Pfn(page.lru_next)].lru_prev : list.tail) = page.lru_prev;
  --list.count;
}

}  // namespace fl::vm
