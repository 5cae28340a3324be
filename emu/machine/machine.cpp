// Booting and running.
#include "emu/machine/machine.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "emu/cli/size.hpp"
#include "emu/dump/dump.hpp"
#include "emu/machine/swap_areas.hpp"
#include "guest/process/describe.hpp"
#include "guest/task.hpp"
#include "guest/time/clocks.hpp"
#include "guest/time/coarse_clock.hpp"
#include "vm/reclaim/page_reclaim.hpp"

namespace fl::emu {
namespace {

// The kernel gets the processor at least once a tick, to let time go on for a program that makes no system calls.
constexpr uint64_t kBlocksPerTick = guest::kTickNs / guest::VirtualClock::kNsPerBlock;

CpuConfig cpu_config(const MachineOptions& options) {
  const vm::KernelProfile& profile = *options.profile;
  CpuConfig config;
  config.model = options.cpu;
  config.keep_translations = options.verify != vm::VerifyLevel::kOff;
  config.segments = profile.first_tls_entry == SegmentLayout::i386().first_tls_entry ? SegmentLayout::i386()
                                                                                     : SegmentLayout::compat();
  return config;
}

guest::Credentials host_credentials() {
  guest::Credentials cred;
  cred.uid = cred.suid = getuid();
  cred.euid = cred.fsuid = geteuid();
  cred.gid = cred.sgid = getgid();
  cred.egid = cred.fsgid = getegid();
  std::vector<gid_t> groups(static_cast<size_t>(std::max(getgroups(0, nullptr), 0)));
  if (getgroups(static_cast<int>(groups.size()), groups.data()) >= 0) {
    cred.groups.assign(groups.begin(), groups.end());
  }
  return cred;
}

// What the program needs of the host although it may lie below /tmp: itself (found through a symbolic link, perhaps),
// what lies beside it, and the working directory.
std::vector<std::string> shown_paths(const MachineOptions& options) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<std::string> paths{fs::current_path(error).string()};
  if (!options.program.empty()) {
    const fs::path named = options.program;
    const fs::path given = named.is_absolute() ? fs::path(options.root) / named.relative_path() : named;
    const fs::path real = fs::canonical(given, error);
    for (const fs::path& place : {given, real}) {
      if (!place.empty()) {
        paths.push_back(fs::absolute(place, error).parent_path().string());
        paths.push_back(place.string());
      }
    }
  }
  return paths;
}

// What a user can do about an errno of execve.
std::string_view exec_advice(Errno error) {
  switch (error) {
    case Errno::kENOEXEC:
      return "not an i386 ELF executable or #! script that this version can run";
    case Errno::kENOENT:
      return "no such file, or its interpreter is missing";
    case Errno::kEACCES:
      return "not a regular file with execute permission";
    case Errno::kENOMEM:
      return "it does not fit: give more --ram";
    default:
      return std::strerror(static_cast<int>(error));
  }
}

}  // namespace

HostResult<std::unique_ptr<Machine>> Machine::create(const MachineOptions& options) {
  auto ram = mmu::Ram::create(static_cast<uint32_t>(options.ram_bytes >> kPageShift));
  if (!ram) {
    return host_error("cannot allocate the RAM: {}: {}: give less --ram", format_size(options.ram_bytes),
                      std::strerror(static_cast<int>(ram.error())));
  }
  std::unique_ptr<Machine> machine(new Machine(std::move(*ram), options));
  FL_HOST_TRY(machine->boot(options));
  return machine;
}

Machine::Machine(mmu::Ram ram, const MachineOptions& options)
    : ram_(std::move(ram)), mmu_(ram_, options.profile->no_execute), dumper_([this] { dump_state(); }) {}

Machine::~Machine() = default;

HostStatus Machine::boot(const MachineOptions& options) {
  cpu_ = std::make_unique<UnicornCpu>(mmu_, ram_, cpu_config(options));
  stop_ = std::make_unique<StopControl>(*cpu_, options.timeout_ms,
                                        options.catch_signals ? HostSignals::kCatch : HostSignals::kLeave);
  on_report_ = options.on_report;
  if (options.clock == ClockKind::kHost) {
    clock_ = std::make_unique<guest::HostClock>();
  } else {
    // Not make_unique: only members see the private base.
    clock_.reset(new guest::VirtualClock(*this));
  }
  cpu_->set_tsc_source([this] { return clock_->now_ns(); });

  // Where invariants are checked, objects in slab are watched too.
  const vm::BootOptions boot_options{
      .slab_debug = options.verify == vm::VerifyLevel::kOff ? vm::SlabDebug::kOff : vm::SlabDebug::kOn,
      .nodes = options.nodes};
  auto memory = vm::MemorySystem::boot(ram_, mmu_, *cpu_, *options.profile, boot_options);
  if (!memory) {
    return host_error("cannot boot: {} of RAM{}: too little: give more --ram", format_size(options.ram_bytes),
                      options.nodes > 1 ? fmt::format(" for {} nodes", options.nodes) : "");
  }
  memory_ = std::move(*memory);
  memory_->set_verify_level(options.verify);
  memory_->cache().readahead = options.readahead;
  // Where the host's time counts, what the host's disk took has passed already.
  memory_->disk().start(options.disk, options.clock == ClockKind::kVirtual ? clock_.get() : nullptr);
  memory_->reclaim().set_policy(vm::make_policy(options.reclaim));
  auto swap_devices = open_swap_areas(options.swap);
  if (!swap_devices) {
    return tl::unexpected<HostError>(swap_devices.error());
  }

  guest::VfsOptions files;
  files.host = {.root = options.root, .writable = options.writable};
  files.tmp = options.tmp;
  files.standard_files = options.standard_files;
  files.shown = shown_paths(options);
  files.stop = [this] { return serve_signals(); };
  auto vfs = guest::Vfs::create(*memory_, std::move(files));
  if (!vfs) {
    return host_error("cannot show files to the program: {}", vfs.error());
  }
  vfs_ = std::move(*vfs);

  guest::KernelOptions kernel;
  kernel.seed = options.seed;
  kernel.aslr = options.aslr;
  kernel.credentials = host_credentials();
  kernel.hwcap = options.cpu.hwcap;
  kernel.hwcap2 = options.cpu.hwcap2;
  kernel.signal_state = options.cpu.signal_state;
  kernel.swap_devices = std::move(*swap_devices);
  kernel_ = std::make_unique<guest::Kernel>(guest::KernelPorts{.memory = *memory_,
                                                               .vfs = *vfs_,
                                                               .fpu = *cpu_,
                                                               .time = *clock_,
                                                               .observer = options.observer,
                                                               .oom_chooser = options.oom_chooser,
                                                               .stop = &stop_->flag()},
                                            std::move(kernel));
  if (options.memory_limit != 0 && !memory_->set_memory_limit(options.memory_limit >> kPageShift)) {
    return host_error("cannot limit memory: what is known of the limit does not fit: give more --ram");
  }
  at_boot_ = vm::take_census(*memory_);
  FL_HOST_TRY(swap_on(*memory_, options.swap, kernel_->options().swap_devices));
  if (!options.fail_alloc.empty()) {
    FL_CHECK(memory_->pages().fail_alloc().configure(options.fail_alloc, options.seed), "--fail-alloc was checked");
  }
  return {};
}

void Machine::attach(FaultListener& listener) {
  listener.attach(*this);
  memory_->set_observer(&listener);
}

HostStatus Machine::start(const guest::InitRequest& request) {
  const auto task = kernel_->create_init(request);
  if (!task) {
    return host_error("cannot run the program: {}: {} ({})", request.path, exec_advice(task.error()),
                      errno_name(task.error()));
  }
  return {};
}

uint64_t Machine::block_limit() const {
  const std::optional<uint64_t> event = kernel_->next_event_ns();
  if (!event) [[likely]] {
    return kBlocksPerTick;
  }
  const uint64_t now = clock_->now_ns();
  const uint64_t left = *event > now ? *event - now : 0;
  return std::clamp<uint64_t>(left / guest::VirtualClock::kNsPerBlock, 1, kBlocksPerTick);
}

bool Machine::serve_signals() {
  if (stop_->take_report_request() && on_report_) {
    on_report_();
  }
  return stop_->requested();
}

bool Machine::serve(guest::Task& task, const guest::Trap& trap) {
  kernel_->on_trap(task, trap);
  if (rest_listener_ != nullptr) [[unlikely]] {
    rest_listener_->on_rest();
  }
  if (sampler_ != nullptr && sampler_->due(clock_->now_ns())) [[unlikely]] {
    sampler_->take(*memory_, clock_->now_ns());
    if (sampler_->failed()) {
      on_trace_error();
    }
  }
  return trap.kind == guest::Trap::Kind::kInterrupted && serve_signals();
}

std::optional<guest::Outcome> Machine::run_for(uint64_t blocks) {
  const guest::Outcome stopped{.kind = guest::Outcome::Kind::kStopped, .wait_status = 0, .report = {}};
  const uint64_t start = cpu_->blocks();
  const uint64_t end = blocks < kNoBlockLimit - start ? start + blocks : kNoBlockLimit;
  pause_ = false;
  while (guest::Task* task = kernel_->schedule()) {
    const uint64_t now = cpu_->blocks();
    if (now >= end || pause_) [[unlikely]] {
      return std::nullopt;
    }
    if (now >= turn_end_) {
      turn_end_ = now + block_limit();
    }
    const guest::Trap trap = cpu_->run(task->regs, task->tls, std::min(turn_end_, end) - now);
    if (trap.kind == guest::Trap::Kind::kInterrupted && cpu_->blocks() < turn_end_) [[unlikely]] {
      // Not for the kernel.
      if (serve_signals()) {
        return stopped;
      }
      continue;
    }
    turn_end_ = 0;
    if (serve(*task, trap)) [[unlikely]] {
      return stopped;
    }
    if (pause_) [[unlikely]] {
      return std::nullopt;
    }
  }
  return kernel_->outcome();
}

guest::Outcome Machine::run() {
  for (;;) {
    if (std::optional<guest::Outcome> outcome = run_for(kNoBlockLimit)) {
      return std::move(*outcome);
    }
  }
}

const guest::Task* Machine::current_task() const {
  if (const guest::Task* const task = kernel_->current(); task != nullptr) [[likely]] {
    return task;
  }
  // The first program is loaded, and has not run yet.
  const guest::TaskTable& tasks = kernel_->tasks();
  return tasks.empty() ? nullptr : &*tasks.begin();
}

std::vector<std::string> Machine::find_leaks() {
  kernel_->release_tasks();
  kernel_->empty_ipc();
  vfs_->drop_caches();
  vfs_->empty_tmpfs();
  swap_off_all(*memory_);
  return vm::differences_since_boot(at_boot_, vm::take_census(*memory_));
}

void Machine::dump_state() const {
  fmt::print(stderr, "faultline: cr3 {:08x} cr2 {:08x}, {} blocks executed\n", PhysAddr(mmu_.cr3()).value(),
             mmu_.cr2().value(), cpu_ != nullptr ? cpu_->blocks() : 0);
  const guest::Task* task = kernel_ != nullptr ? current_task() : nullptr;
  if (task == nullptr || task->mm == nullptr) {
    fmt::print(stderr, "faultline: no task\n");
    return;
  }
  const DumpSubject subject{task->tgid, task->comm};
  fmt::print(stderr, "faultline: task {} ({})\n{}{}{}", task->tid, task->comm, guest::describe_registers(*task),
             dump_maps(subject, *task->mm), dump_walk(subject, *task->mm, mmu_.cr2()));
}

}  // namespace fl::emu
