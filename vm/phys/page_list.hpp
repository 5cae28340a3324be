// Doubly linked lists of pages by frame number, through Page::lru_next and lru_prev. Linux counterpart: list_head in
// struct page. A page is on one list at a time.
#pragma once

#include <cstdint>

#include "vm/phys/mem_map.hpp"

namespace fl::vm {

struct PageList {
  uint32_t head = kNoPage;
  uint32_t tail = kNoPage;
  bool empty() const { return head == kNoPage; }
};

inline void push_front(const MemMap& map, PageList& list, Pfn pfn) {
  Page& page = map[pfn];
  page.lru_prev = kNoPage;
  page.lru_next = list.head;
  (list.empty() ? list.tail : map[Pfn(list.head)].lru_prev) = pfn.value();
  list.head = pfn.value();
}

inline void push_back(const MemMap& map, PageList& list, Pfn pfn) {
  Page& page = map[pfn];
  page.lru_next = kNoPage;
  page.lru_prev = list.tail;
  (list.empty() ? list.head : map[Pfn(list.tail)].lru_next) = pfn.value();
  list.tail = pfn.value();
}

inline void unlink(const MemMap& map, PageList& list, Pfn pfn) {
  const Page& page = map[pfn];
  (page.lru_prev == kNoPage ? list.head : map[Pfn(page.lru_prev)].lru_next) = page.lru_next;
  (page.lru_next == kNoPage ? list.tail : map[Pfn(page.lru_next)].lru_prev) = page.lru_prev;
}

}  // namespace fl::vm
