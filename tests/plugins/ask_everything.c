/* ask_everything: at every event, and whenever it may decide, it asks everything that can be asked, and checks that the
 * answers fit together. It decides as Linux would, so that the run is the one without it.
 *
 * out=FILE   "asked N, wrong M" and a line for each of the first wrong answers
 * slow=1     also at every block and access
 */
#include <faultline/plugin.h>

#include <stdio.h>
#include <string.h>

static const struct faultline_api* api;
static struct faultline_plugin* self;
static FILE* out;
static uint64_t asked, wrong, last_time, slow;
static uint32_t in_event = FAULTLINE_EVENT_KINDS;

static void expect(int holds, const char* what, uint32_t value) {
  ++asked;
  if (!holds && ++wrong <= 20) {
    const char* const name = api->event_name(in_event);
    fprintf(out, "%s: %s: %#x\n", name != NULL ? name : "policy", what, value);
  }
}

/* What is known of an address has to agree: walk, area, page, contents. */
static void ask_address(uint32_t tid, uint32_t addr) {
  struct faultline_walk walk = {.size = sizeof walk};
  struct faultline_vma vma = {.size = sizeof vma}, next = {.size = sizeof next};
  struct faultline_page page = {.size = sizeof page};
  unsigned char by_virtual[16], by_physical[16];
  if (api->walk(self, tid, addr, &walk) != 0) {
    return;
  }
  const int has_page = api->page_at(self, tid, addr, &page) == 0;
  expect(!walk.present || has_page || addr >= 0xc0000000u, "a present address without a page", addr);
  const int has_vma = api->vma(self, tid, addr, &vma) == 0;
  expect(!has_vma || (vma.start <= addr && addr < vma.end), "an area that does not hold the address", addr);
  expect(!walk.user_read || has_vma, "a readable address outside all areas", addr);
  if (api->vma_from(self, tid, addr, &next) == 0) {
    expect(next.end > addr && (!has_vma || next.start == vma.start), "another area", addr);
    expect(next.name_length == 0 || memchr(next.name, 0, next.name_length) == NULL, "a bad name", addr);
  }
  const uint32_t bytes = 16 - (addr & 15);
  const uint32_t got = api->read_virtual(self, tid, addr, by_virtual, bytes);
  expect(got == (walk.present && addr < 0xc0000000u ? bytes : 0), "bytes read", got);
  if (got != 0) {
    expect(api->read_physical(self, walk.physical, by_physical, got) == got, "physical bytes", walk.physical);
    expect(memcmp(by_virtual, by_physical, got) == 0, "other contents", addr);
    expect(page.pfn == walk.physical >> 12, "another page", addr);
    expect(page.refcount > 0 || (page.flags & FAULTLINE_PAGE_RESERVED), "a free page that is mapped", page.pfn);
    expect((page.flags & FAULTLINE_PAGE_FREE) == 0, "a free page that is mapped", page.pfn);
  }
}

static void ask(uint32_t addr) {
  struct faultline_registers registers = {.size = sizeof registers};
  struct faultline_counters counters = {.size = sizeof counters};
  struct faultline_task task = {.size = sizeof task}, one = {.size = sizeof one};
  const uint64_t now = api->now_ns(self);
  expect(now >= last_time, "time goes back", (uint32_t)now);
  last_time = now;
  expect(api->counters(self, &counters) == 0 && counters.used_frames + counters.free_frames <= counters.ram_frames,
         "counters", (uint32_t)counters.used_frames);
  uint32_t current = 0, tasks = 0;
  for (uint32_t tid = 0; api->next_task(self, tid, &task) == 0; tid = task.tid) {
    expect(task.tid > tid && api->task(self, task.tid, &one) == 0 && one.pid == task.pid, "a task", task.tid);
    expect(task.mm == 0 || task.rss <= task.total_vm, "more pages than areas", task.tid);
    current += task.current;
    ask_address(task.tid, addr);
    expect(api->registers(self, task.tid, &registers) == 0, "registers", task.tid);
    ask_address(task.tid, registers.eip);
    ask_address(task.tid, registers.esp);
    ++tasks;
  }
  expect(current <= 1, "current tasks", current);
  if (tasks == 1 && task.mm != 0) {
    uint32_t pages = 0;
    struct faultline_vma vma = {.size = sizeof vma};
    for (uint32_t at = 0; api->vma_from(self, task.tid, at, &vma) == 0; at = vma.end) {
      expect(vma.start >= at && vma.start < vma.end && vma.mm == task.mm, "areas in order", vma.start);
      pages += (vma.end - vma.start) >> 12;
    }
    expect(pages == task.total_vm, "pages of all areas", pages);
  }
  expect(api->task(self, 1, &one) == -FAULTLINE_ESRCH, "a task that is none", 1);
  struct faultline_page page = {.size = sizeof page};
  expect(api->page(self, counters.ram_frames, &page) == -FAULTLINE_ENOENT, "a frame that is none", 0);
  for (uint32_t pfn = (uint32_t)(asked % 64); pfn < counters.ram_frames; pfn += 512) {
    expect(api->page(self, pfn, &page) == 0 && page.pfn == pfn && page.mapcount >= 0 && page.refcount >= 0, "page",
           pfn);
  }
}

static void on_event(void* user, const struct faultline_event* event) {
  (void)user;
  in_event = event->kind;
  expect(api->event_name(event->kind) != NULL && event->time_ns <= api->now_ns(self), "event", event->kind);
  uint32_t addr = 0x1000;
  switch (event->kind) {
    case FAULTLINE_FAULT_END:
      expect(event->u.fault.vma == NULL || event->u.fault.addr < event->u.fault.vma->end, "area", event->u.fault.addr);
      expect(event->u.fault.result > FAULTLINE_MAJOR || event->u.fault.pfn != 0, "no frame", event->u.fault.addr);
      expect(api->cause_name(event->u.fault.cause) != NULL, "cause", event->u.fault.cause);
      addr = event->u.fault.addr;
      break;
    case FAULTLINE_FAULT_BEGIN:
      addr = event->u.fault.addr;
      break;
    case FAULTLINE_ACCESS:
      addr = event->u.access.addr;
      struct faultline_walk walk = {.size = sizeof walk};
      expect(api->walk(self, 0, addr, &walk) == 0 && walk.physical == event->u.access.physical, "walk", addr);
      expect(event->u.access.access == FAULTLINE_WRITE ? walk.user_write : walk.user_read, "rights", addr);
      break;
    case FAULTLINE_BLOCK: {
      struct faultline_registers registers = {.size = sizeof registers};
      addr = event->u.block.ip;
      expect(api->registers(self, 0, &registers) == 0 && registers.eip == addr, "eip of a block", registers.eip);
      break;
    }
    case FAULTLINE_PAGE_MAPPED:
    case FAULTLINE_PAGE_UNMAPPED:
      addr = event->u.page.addr;
      break;
    default:
      break;
  }
  ask(addr);
  in_event = FAULTLINE_EVENT_KINDS;
}

static void on_end(void* user, const struct faultline_event* event) {
  on_event(user, event);
  fprintf(out, "asked %llu, wrong %llu\n", (unsigned long long)asked, (unsigned long long)wrong);
  fflush(out);
}

static void on_around(void* user, const struct faultline_vma* vma, uint32_t page, uint32_t* from, uint32_t* to) {
  (void)user;
  expect(vma->start <= page && page < vma->end && *from <= page && page < *to, "fault-around", page);
  ask(page);
}

static void on_evict(void* user, const uint32_t* pfns, uint32_t count, uint8_t* verdicts) {
  (void)user;
  for (uint32_t at = 0; at < count; ++at) {
    struct faultline_page page = {.size = sizeof page};
    expect(api->page(self, pfns[at], &page) == 0 && page.refcount > 0 && verdicts[at] == FAULTLINE_EVICT_DEFAULT,
           "a page to evict", pfns[at]);
  }
  ask(0x1000);
}

static uint32_t on_readahead(void* user, const struct faultline_vma* vma, uint32_t addr, uint32_t pages) {
  (void)user;
  expect(vma->start <= addr && addr < vma->end && pages >= 1 && pages <= 32, "readahead", addr);
  ask(addr);
  return pages;
}

static uint32_t on_oom(void* user, const uint32_t* tids, const int64_t* points, uint32_t count, uint32_t chosen) {
  (void)user;
  for (uint32_t at = 0; at < count; ++at) {
    struct faultline_task task = {.size = sizeof task};
    expect(api->task(self, tids[at], &task) == 0 && points[at] <= points[chosen], "a victim", tids[at]);
  }
  ask(0x1000);
  return chosen;
}

FAULTLINE_PLUGIN
int faultline_plugin_load(const struct faultline_api* given, struct faultline_plugin* plugin) {
  api = given;
  self = plugin;
  const char* const path = api->option(self, "out");
  out = path != NULL ? fopen(path, "w") : stderr;
  api->option_number(self, "slow", 0, 1, &slow);
  struct faultline_counters counters = {.size = sizeof counters};
  expect(api->counters(self, &counters) == -FAULTLINE_EAGAIN, "there is no machine yet", 0);
  for (uint32_t kind = 0; kind < FAULTLINE_EVENT_KINDS; ++kind) {
    if (kind != FAULTLINE_END && (slow || kind < FAULTLINE_BLOCK)) {
      expect(api->subscribe(self, kind, on_event, NULL) == 0, "subscribe", kind);
    }
  }
  expect(api->subscribe(self, FAULTLINE_START, on_event, NULL) == -FAULTLINE_EBUSY, "subscribe twice", 0);
  expect(api->subscribe(self, FAULTLINE_EVENT_KINDS, on_event, NULL) == -FAULTLINE_EINVAL, "subscribe nothing", 0);
  api->set_fault_around(self, on_around, NULL);
  api->set_evict(self, on_evict, NULL);
  api->set_swap_readahead(self, on_readahead, NULL);
  api->set_oom_victim(self, on_oom, NULL);
  expect(api->set_oom_victim(self, on_oom, NULL) == -FAULTLINE_EBUSY, "a policy twice", 0);
  api->subscribe(self, FAULTLINE_END, on_end, NULL);
  return out != NULL ? 0 : 1;
}
