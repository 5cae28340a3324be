// Choosing what to describe.
#include "emu/dump/dump_collector.hpp"

#include "emu/dump/dump.hpp"
#include "guest/task.hpp"

namespace fl::emu {

void DumpCollector::add(const guest::Task& task) {
  if (task.tid != task.tgid || task.mm == nullptr) {
    return;
  }
  const DumpSubject subject{task.tgid, task.comm};
  for (const DumpRequest& request : requests_) {
    if (request.pid && *request.pid != task.tgid) {
      continue;
    }
    switch (request.kind) {
      case DumpRequest::Kind::kMaps:
        text_ += dump_maps(subject, *task.mm);
        break;
      case DumpRequest::Kind::kPageTable:
        text_ += dump_page_tables(subject, *task.mm);
        break;
      case DumpRequest::Kind::kWalk:
        text_ += dump_walk(subject, *task.mm, request.addr);
        break;
    }
  }
}

}  // namespace fl::emu
