// EventHub: who wants to hear of which event, and the events that wait to be told.
//
// What happens in the middle of the kernel's work is kept (defer) until the machine is at rest, that is until the next
// event that is told at once (tell) or deliver(). So plugins hear of everything in its order, and see a machine whose
// parts agree.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "emu/plugin/include/faultline/plugin.h"

namespace fl::emu {

// The beginning of faultline_event.
struct EventHead {
  uint32_t size = 0, kind = 0;
  uint64_t time_ns = 0;
  uint32_t pid = 0, tid = 0;
};
static_assert(sizeof(EventHead) == offsetof(faultline_event, u));

struct NoPayload {};

class EventHub {
 public:
  struct Subscriber {
    faultline_event_fn fn;
    void* user;
    const faultline_plugin* plugin;
  };
  void subscribe(uint32_t kind, const Subscriber& subscriber) { subscribers_[kind].push_back(subscriber); }
  bool wants(uint32_t kind) const { return !subscribers_[kind].empty(); }
  bool wants_any(uint32_t first, uint32_t last) const {
    for (uint32_t kind = first; kind <= last; ++kind) {
      if (wants(kind)) {
        return true;
      }
    }
    return false;
  }
  bool subscribed(uint32_t kind, const faultline_plugin& plugin) const;

  // Now, after all that waits.
  template <typename Payload>
  void tell(EventHead head, const Payload& payload) {
    deliver();
    const Record<Payload> record(head, payload);
    call(reinterpret_cast<const faultline_event*>(&record));
  }
  // When the machine is at rest.
  template <typename Payload>
  void defer(EventHead head, const Payload& payload) {
    if (!wants(head.kind)) {
      return;
    }
    const Record<Payload> record(head, payload);
    const size_t at = waiting_.size();
    waiting_.resize(at + sizeof record);
    std::memcpy(waiting_.data() + at, &record, sizeof record);
  }
  bool waits() const { return !waiting_.empty(); }
  // The machine is at rest.
  void deliver() {
    if (!waiting_.empty()) [[unlikely]] {
      deliver_waiting();
    }
  }

 private:
  // As much of a faultline_event as the kind has.
  template <typename Payload>
  struct alignas(8) Record {
    Record(EventHead from, const Payload& what) : head(from), payload(what) { head.size = sizeof(Record); }
    EventHead head;
    Payload payload;
  };
  void call(const faultline_event* event) const;
  void deliver_waiting();

  std::array<std::vector<Subscriber>, FAULTLINE_EVENT_KINDS> subscribers_;
  std::vector<std::byte> waiting_;  // records, one behind the other
};

}  // namespace fl::emu
