// Calling the subscribers.
#include "emu/plugin/event_hub.hpp"

#include <algorithm>
#include <utility>

namespace fl::emu {

bool EventHub::subscribed(uint32_t kind, const faultline_plugin& plugin) const {
  return std::any_of(subscribers_[kind].begin(), subscribers_[kind].end(),
                     [&plugin](const Subscriber& one) { return one.plugin == &plugin; });
}

void EventHub::call(const faultline_event* event) const {
  for (const Subscriber& subscriber : subscribers_[event->kind]) {
    subscriber.fn(subscriber.user, event);
  }
}

void EventHub::deliver_waiting() {
  // Queries make no events, so nothing is added meanwhile; the memory is kept for the next time.
  std::vector<std::byte> events = std::exchange(waiting_, {});
  for (size_t at = 0; at < events.size();) {
    const auto* const event = reinterpret_cast<const faultline_event*>(events.data() + at);
    call(event);
    at += event->size;
  }
  events.clear();
  waiting_ = std::move(events);
}

}  // namespace fl::emu
