// Choosing what to describe.
#include "emu/dump/dump_collector.hpp"

#include <fmt/format.h>

#include "emu/dump/dump.hpp"
#include "guest/task.hpp"

namespace fl::emu {

DumpCollector::DumpCollector(const std::vector<DumpRequest>& requests) {
  for (const DumpRequest& request : requests) {
    items_.push_back({.request = request});
  }
}

void DumpCollector::add(const guest::Task& task) {
  if (task.tid != task.tgid || task.mm == nullptr) {
    return;
  }
  const DumpSubject subject{task.tgid, task.comm};
  for (Item& item : items_) {
    const DumpRequest& request = item.request;
    if (request.pid && *request.pid != task.tgid) {
      continue;
    }
    item.answered = true;
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

std::string DumpCollector::finish() {
  for (const Item& item : items_) {
    if (!item.answered && item.request.pid) {
      text_ += fmt::format("faultline: nothing to dump: there was no process {}\n", *item.request.pid);
    }
  }
  return std::move(text_);
}

}  // namespace fl::emu
