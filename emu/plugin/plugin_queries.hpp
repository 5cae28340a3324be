// The queries of faultline_api; see faultline/plugin.h. They look and change nothing: no fault, no A bit, no frame, no
// mapping of the kernel's, no time.
#pragma once

#include "emu/plugin/include/faultline/plugin.h"

namespace fl::emu {

uint64_t query_now(faultline_plugin* self);
int query_registers(faultline_plugin* self, uint32_t tid, faultline_registers* out);
uint32_t query_virtual(faultline_plugin* self, uint32_t tid, uint32_t addr, void* to, uint32_t bytes);
uint32_t query_physical(faultline_plugin* self, uint32_t physical, void* to, uint32_t bytes);
int query_walk(faultline_plugin* self, uint32_t tid, uint32_t addr, faultline_walk* out);
int query_vma(faultline_plugin* self, uint32_t tid, uint32_t addr, faultline_vma* out);
int query_vma_from(faultline_plugin* self, uint32_t tid, uint32_t addr, faultline_vma* out);
int query_page(faultline_plugin* self, uint32_t pfn, faultline_page* out);
int query_page_at(faultline_plugin* self, uint32_t tid, uint32_t addr, faultline_page* out);
int query_counters(faultline_plugin* self, faultline_counters* out);
int query_task(faultline_plugin* self, uint32_t tid, faultline_task* out);
int query_next_task(faultline_plugin* self, uint32_t after_tid, faultline_task* out);

}  // namespace fl::emu
