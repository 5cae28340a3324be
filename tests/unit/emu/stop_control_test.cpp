// StopControl: signals and the timeout stop the CPU, and leave the process as it was.
#include "emu/machine/stop_control.hpp"

#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <ctime>

#include "emu/cpu/unicorn_cpu.hpp"
#include "mmu/mmu.hpp"
#include "mmu/ram.hpp"

namespace fl::emu {
namespace {

struct Processor {
  mmu::Ram ram = mmu::Ram::create(256).value();
  mmu::Mmu mmu{ram, mmu::NoExecute::kUnsupported};
  UnicornCpu cpu{mmu, ram, CpuConfig{}};
};

sighandler_t handler_of(int signal) {
  struct sigaction action {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler;
}

}  // namespace

TEST_CASE("stop: the first signal gives the reason and the handlers are restored") {
  Processor processor;
  const sighandler_t before = handler_of(SIGTERM);
  {
    StopControl stop(processor.cpu, std::nullopt);
    CHECK_FALSE(stop.requested());
    CHECK(handler_of(SIGTERM) != before);
    std::raise(SIGTERM);
    std::raise(SIGINT);
    CHECK(stop.requested());
    CHECK(stop.flag().load());
    CHECK(stop.reason() == StopReason::kTerminate);
    CHECK(exit_status(stop.reason()) == 143);
  }
  CHECK(handler_of(SIGTERM) == before);
  CHECK(exit_status(StopReason::kInterrupt) == 130);
  CHECK(exit_status(StopReason::kTimeout) == 124);
  CHECK(exit_status(StopReason::kOutputError) == 125);
}

TEST_CASE("stop: a timeout interrupts a wait in the host and no timer runs afterwards") {
  Processor processor;
  {
    StopControl stop(processor.cpu, 20);
    const timespec wait{10, 0};
    CHECK(nanosleep(&wait, nullptr) != 0);
    CHECK(stop.reason() == StopReason::kTimeout);
  }
  const timespec wait{0, 60'000'000};
  CHECK(nanosleep(&wait, nullptr) == 0);
}

TEST_CASE("stop: SIGUSR1 asks for a report, once, and does not end the run") {
  Processor processor;
  const sighandler_t before = handler_of(SIGUSR1);
  {
    StopControl stop(processor.cpu, std::nullopt);
    CHECK_FALSE(stop.take_report_request());
    std::raise(SIGUSR1);
    CHECK_FALSE(stop.requested());
    CHECK(stop.take_report_request());
    CHECK_FALSE(stop.take_report_request());
  }
  CHECK(handler_of(SIGUSR1) == before);
}

TEST_CASE("stop: an interrupt that the user ignores stays ignored") {
  Processor processor;
  const sighandler_t before = std::signal(SIGINT, SIG_IGN);
  {
    StopControl stop(processor.cpu, std::nullopt);
    std::raise(SIGINT);
    CHECK_FALSE(stop.requested());
  }
  std::signal(SIGINT, before);
}

TEST_CASE("stop: machines inside another program leave its signals alone, and there may be several") {
  Processor first, second;
  const sighandler_t before = handler_of(SIGTERM);
  StopControl catching(first.cpu, std::nullopt);
  const sighandler_t caught = handler_of(SIGTERM);
  CHECK(caught != before);
  {
    StopControl one(second.cpu, std::nullopt, HostSignals::kLeave);
    StopControl two(second.cpu, std::nullopt, HostSignals::kLeave);
    CHECK(handler_of(SIGTERM) == caught);
    one.request(StopReason::kInterrupt);
    CHECK(one.requested());
    CHECK_FALSE(two.requested());
    CHECK_FALSE(catching.requested());
  }
  CHECK(handler_of(SIGTERM) == caught);
  std::raise(SIGTERM);
  CHECK(catching.reason() == StopReason::kTerminate);
}

}  // namespace fl::emu
