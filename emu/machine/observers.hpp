// ObserverList: lets several parts of the emulator hear of system calls, signals and exits through the kernel's one
// port.
#pragma once

#include <vector>

#include "guest/kernel.hpp"

namespace fl::emu {

class ObserverList final : public guest::KernelObserver {
 public:
  // `observer` must outlive the list's use. They are told in this order.
  void add(guest::KernelObserver& observer) { observers_.push_back(&observer); }
  bool empty() const { return observers_.empty(); }

  void on_syscall_enter(const guest::Task& task, uint32_t number, const guest::SyscallArgs& args) override {
    for (guest::KernelObserver* observer : observers_) {
      observer->on_syscall_enter(task, number, args);
    }
  }
  void on_syscall_exit(const guest::Task& task, uint32_t number, const guest::SyscallArgs& args,
                       uint32_t result) override {
    for (guest::KernelObserver* observer : observers_) {
      observer->on_syscall_exit(task, number, args, result);
    }
  }
  void on_signal(const guest::Task& task, const guest::SignalInfo& info) override {
    for (guest::KernelObserver* observer : observers_) {
      observer->on_signal(task, info);
    }
  }
  void on_clone(const guest::Task& parent, const guest::Task& child) override {
    for (guest::KernelObserver* observer : observers_) {
      observer->on_clone(parent, child);
    }
  }
  void on_exec(const guest::Task& task) override {
    for (guest::KernelObserver* observer : observers_) {
      observer->on_exec(task);
    }
  }
  void on_exit(const guest::Task& task) override {
    for (guest::KernelObserver* observer : observers_) {
      observer->on_exit(task);
    }
  }

 private:
  std::vector<guest::KernelObserver*> observers_;
};

}  // namespace fl::emu
