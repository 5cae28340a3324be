// The functions of faultline_api: registering.  Queries are in plugin_queries.cpp.
#include <algorithm>
#include <charconv>

#include "emu/plugin/plugin_host.hpp"
#include "emu/plugin/plugin_queries.hpp"

namespace fl::emu {
namespace {

constexpr std::array<const char*, FAULTLINE_EVENT_KINDS> kEventNames{
    "start",       "end",         "fault_begin",    "fault_end",     "tlb_fill",     "tlb_flush",     "vma_made",
    "vma_changed", "vma_removed", "page_allocated", "page_freed",    "page_mapped",  "page_unmapped", "swap_out",
    "swap_in",     "kswapd_wake", "reclaim",        "writeback",     "oom_kill",     "fork",          "clone",
    "exec",        "exit",        "signal",         "syscall_enter", "syscall_exit", "block",         "access"};

int subscribe(faultline_plugin* self, uint32_t kind, faultline_event_fn fn, void* user) {
  if (!self->host->loading() || kind >= FAULTLINE_EVENT_KINDS || fn == nullptr) {
    return -FAULTLINE_EINVAL;
  }
  EventHub& hub = self->host->hub();
  if (hub.subscribed(kind, *self)) {
    return -FAULTLINE_EBUSY;
  }
  hub.subscribe(kind, {.fn = fn, .user = user, .plugin = self});
  return 0;
}

template <typename Fn>
int set_policy(faultline_plugin* self, PluginChooser::Policy<Fn> PluginChooser::*policy, Fn fn, void* user) {
  if (!self->host->loading() || fn == nullptr) {
    return -FAULTLINE_EINVAL;
  }
  auto& place = self->host->chooser().*policy;
  if (place.fn != nullptr) {
    return -FAULTLINE_EBUSY;
  }
  place = {.fn = fn, .user = user};
  return 0;
}

int set_fault_around(faultline_plugin* self, faultline_around_fn fn, void* user) {
  return set_policy(self, &PluginChooser::around, fn, user);
}
int set_evict(faultline_plugin* self, faultline_evict_fn fn, void* user) {
  return set_policy(self, &PluginChooser::eviction, fn, user);
}
int set_swap_readahead(faultline_plugin* self, faultline_readahead_fn fn, void* user) {
  return set_policy(self, &PluginChooser::readahead, fn, user);
}
int set_oom_victim(faultline_plugin* self, faultline_oom_fn fn, void* user) {
  return set_policy(self, &PluginChooser::oom_victim, fn, user);
}

const char* option(faultline_plugin* self, const char* name) {
  self->asked.emplace_back(name);
  const auto& options = self->spec.options;
  const auto found = std::find_if(options.begin(), options.end(), [name](const auto& one) { return one.name == name; });
  return found != options.end() ? found->value.c_str() : nullptr;
}

void refuse(faultline_plugin* self, const char* message) {
  if (self->host->loading() && self->refusal.empty()) {
    self->refusal = message;
  }
}

int option_number(faultline_plugin* self, const char* name, uint64_t least, uint64_t most, uint64_t* value) {
  const char* const given = option(self, name);
  if (given == nullptr) {
    return 0;
  }
  std::string_view text(given);
  const bool hexadecimal = text.starts_with("0x");
  text.remove_prefix(hexadecimal ? 2 : 0);
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, hexadecimal ? 16 : 10);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most) {
    refuse(self, fmt::format("its option '{}' cannot be '{}': give {} to {}", name, given, least, most).c_str());
    return -FAULTLINE_EINVAL;
  }
  *value = number;
  return 0;
}

const char* cause_name(uint32_t cause) {
  return cause < vm::kFaultCauses ? vm::cause_name(static_cast<vm::FaultCause>(cause)).data() : nullptr;
}

}  // namespace

const char* plugin_event_name(uint32_t kind) { return kind < kEventNames.size() ? kEventNames[kind] : nullptr; }

const faultline_api& plugin_api() {
  static const faultline_api api{.size = sizeof(faultline_api),
                                 .version = FAULTLINE_API_VERSION,
                                 .subscribe = &subscribe,
                                 .set_fault_around = &set_fault_around,
                                 .set_evict = &set_evict,
                                 .set_swap_readahead = &set_swap_readahead,
                                 .set_oom_victim = &set_oom_victim,
                                 .option = &option,
                                 .option_number = &option_number,
                                 .refuse = &refuse,
                                 .cause_name = &cause_name,
                                 .event_name = &plugin_event_name,
                                 .now_ns = &query_now,
                                 .registers = &query_registers,
                                 .read_virtual = &query_virtual,
                                 .read_physical = &query_physical,
                                 .walk = &query_walk,
                                 .vma = &query_vma,
                                 .vma_from = &query_vma_from,
                                 .page = &query_page,
                                 .page_at = &query_page_at,
                                 .counters = &query_counters,
                                 .task = &query_task,
                                 .next_task = &query_next_task};
  return api;
}

}  // namespace fl::emu
