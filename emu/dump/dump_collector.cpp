// Choosing what to describe.
#include "emu/dump/dump_collector.hpp"

#include <fmt/format.h>

#include "emu/dump/dump.hpp"
#include "guest/task.hpp"

namespace fl::emu {
namespace {

// Empty if the request is not about this task.
std::string describe(const DumpRequest& request, const guest::Task& task) {
  const bool leader = task.tid == task.tgid && task.mm != nullptr;
  if (!leader || (request.pid && *request.pid != task.tgid)) {
    return {};
  }
  const DumpSubject subject{task.tgid, task.comm};
  switch (request.kind) {
    case DumpRequest::Kind::kMaps:
      return dump_maps(subject, *task.mm);
    case DumpRequest::Kind::kPageTable:
      return dump_page_tables(subject, *task.mm);
    case DumpRequest::Kind::kWalk:
      return dump_walk(subject, *task.mm, request.addr);
    case DumpRequest::Kind::kReport:
    case DumpRequest::Kind::kLeaks:
      break;
  }
  return {};
}

std::string describe(const vm::MemoryReport& report, vm::MemorySystem& memory) {
  return fmt::format("{}:\n{}", report.name, report.text(memory));
}

}  // namespace

DumpCollector::DumpCollector(const std::vector<DumpRequest>& requests) {
  for (const DumpRequest& request : requests) {
    items_.push_back({.request = request});
  }
}

void DumpCollector::add(const guest::Task& task) {
  for (Item& item : items_) {
    const std::string text = describe(item.request, task);
    item.answered |= !text.empty();
    text_ += text;
  }
}

std::string DumpCollector::finish(vm::MemorySystem& memory) {
  for (const Item& item : items_) {
    if (item.request.report != nullptr) {
      text_ += describe(*item.request.report, memory);
    } else if (!item.answered && item.request.pid) {
      text_ += fmt::format("faultline: nothing to dump: there was no process {}\n", *item.request.pid);
    }
  }
  return std::move(text_);
}

std::string DumpCollector::now(const guest::Kernel& kernel, vm::MemorySystem& memory) const {
  std::string text;
  for (const guest::Task& task : kernel.tasks()) {
    for (const Item& item : items_) {
      text += task.alive() ? describe(item.request, task) : "";
    }
  }
  for (const Item& item : items_) {
    text += item.request.report != nullptr ? describe(*item.request.report, memory) : "";
  }
  return text;
}

}  // namespace fl::emu
