// Plugins, without a machine: what --plugin may say, the order of events, and code that crashes.
#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <string>
#include <vector>

#include "emu/plugin/event_hub.hpp"
#include "emu/plugin/load_guard.hpp"
#include "emu/plugin/plugin_spec.hpp"

namespace fl::emu {
namespace {

std::string error_of(std::string_view text) {
  const auto spec = parse_plugin_spec(text);
  REQUIRE_FALSE(spec.has_value());
  return spec.error().message;
}

struct Heard {
  uint32_t kind, value, size;
  bool operator==(const Heard&) const = default;
};

void hear(void* user, const faultline_event* event) {
  static_cast<std::vector<Heard>*>(user)->push_back({event->kind, event->u.page.pfn, event->size});
}

EventHead head(uint32_t kind) {
  EventHead head;
  head.kind = kind;
  return head;
}

faultline_page_event page(uint32_t pfn) {
  faultline_page_event event{};
  event.pfn = pfn;
  return event;
}

}  // namespace

TEST_CASE("plugin: a path, and options for it") {
  CHECK(parse_plugin_spec("./x.so").value() == PluginSpec{"./x.so", {}});
  CHECK(parse_plugin_spec("x.so").value().path == "./x.so");
  CHECK(parse_plugin_spec("/a/x.so,b=1,c=,d=e=f").value() ==
        PluginSpec{"/a/x.so", {{"b", "1"}, {"c", ""}, {"d", "e=f"}}});
  CHECK(error_of("").find("give FILE[,NAME=VALUE...]") != std::string::npos);
  CHECK(error_of(",a=1").find("give FILE[,NAME=VALUE...]") != std::string::npos);
  CHECK(error_of("x.so,").find("option '' is not NAME=VALUE") != std::string::npos);
  CHECK(error_of("x.so,a").find("option 'a' is not NAME=VALUE") != std::string::npos);
  CHECK(error_of("x.so,a=1,,b=2").find("option '' is not NAME=VALUE") != std::string::npos);
  CHECK(error_of("x.so,=1").find("option '=1' is not NAME=VALUE") != std::string::npos);
  CHECK(error_of("x.so,a=1,a=1").find("option 'a' is given twice") != std::string::npos);
}

TEST_CASE("plugin: events that wait come in their order, before the one that is told at once") {
  EventHub hub;
  std::vector<Heard> heard;
  hub.subscribe(FAULTLINE_PAGE_FREED, {.fn = hear, .user = &heard, .plugin = nullptr});
  hub.subscribe(FAULTLINE_TLB_FLUSH, {.fn = hear, .user = &heard, .plugin = nullptr});
  hub.defer(head(FAULTLINE_PAGE_FREED), page(1));
  hub.defer(head(FAULTLINE_PAGE_ALLOCATED), page(2));  // nobody wants it
  hub.defer(head(FAULTLINE_PAGE_FREED), page(3));
  CHECK(heard.empty());
  CHECK(hub.waits());
  faultline_tlb tlb{};
  tlb.page = 4;
  hub.tell(head(FAULTLINE_TLB_FLUSH), tlb);
  const uint32_t pages = sizeof(EventHead) + sizeof(faultline_page_event);
  CHECK(heard == std::vector<Heard>{{FAULTLINE_PAGE_FREED, 1, pages},
                                    {FAULTLINE_PAGE_FREED, 3, pages},
                                    {FAULTLINE_TLB_FLUSH, 4, heard.back().size}});
  CHECK_FALSE(hub.waits());
  hub.defer(head(FAULTLINE_PAGE_FREED), page(5));
  hub.deliver();
  hub.deliver();
  CHECK(heard.size() == 4);
}

TEST_CASE("plugin: code that crashes is survived, and the handlers are as before") {
  struct sigaction before {};
  sigaction(SIGSEGV, nullptr, &before);
  int calls = 0;
  CHECK(run_guarded([](void* argument) { ++*static_cast<int*>(argument); }, &calls) == 0);
  CHECK(calls == 1);
  CHECK(run_guarded([](void*) { raise(SIGSEGV); }, nullptr) == SIGSEGV);
  CHECK(run_guarded([](void*) { std::abort(); }, nullptr) == SIGABRT);
  CHECK(run_guarded([](void*) { raise(SIGFPE); }, nullptr) == SIGFPE);
  CHECK(run_guarded([](void* argument) { ++*static_cast<int*>(argument); }, &calls) == 0);
  CHECK(calls == 2);
  struct sigaction after {};
  sigaction(SIGSEGV, nullptr, &after);
  CHECK(after.sa_handler == before.sa_handler);
}

}  // namespace fl::emu
