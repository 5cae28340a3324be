// .txt: one line for each fault, for people, in the shape of perf script:
//
//            hello     1/1     0.000001230: page-faults:u:  0x080ef03c write  zero_cow  ip 0x0804a1b0 main+0x12
//   [mov dword ptr [eax], 1] vma 0x080ee000-0x080f1000 rw-p [bss] +0x0 pte 0x00000000->0x01234067 #7
//            hello     1/1     0.000001230: vm:reclaim: kswapd 1 node 0 scanned 96 reclaimed 64 priority 12 #8

#include "emu/trace/event_details.hpp"
#include "emu/trace/trace_format.hpp"

namespace fl::emu {
namespace {

constexpr size_t kCommWidth = 16, kCauseWidth = 12, kAccessWidth = 5;
constexpr uint64_t kNsPerSecond = 1'000'000'000;

class TextFormat final : public TraceFormat {
 public:
  void write(const TraceEvent& event, Cursor& out) const override {
    const vm::FaultRecord& fault = *event.fault;
    put_start(event, out);
    out.text(": page-faults:").put(vm::mode_name(fault.mode)[0]).text(": ").hex(fault.addr.value()).put(' ');
    padded(out, event.access_known ? vm::access_name(fault.access) : std::string_view("?"), kAccessWidth);
    if (!event.native) {
      padded(out, vm::cause_name(fault.cause), kCauseWidth);
    }
    out.text(fault.major() ? std::string_view("major ") : fault.counted() ? std::string_view("minor ") : "refused ");
    out.text("ip ").hex(event.ip.value());
    if (!event.sym.empty()) {
      out.put(' ');
      put_plain_string(out, clip(event.sym, kMaxSymbol));
      out.put('+').short_hex(event.sym_offset);
    }
    if (!event.insn.empty()) {
      out.text(" [").text(clip(event.insn, kMaxInsn)).put(']');
    }
    if (event.area != nullptr) {
      const TraceArea& area = *event.area;
      out.text(" vma ").hex(area.start.value()).put('-').hex(area.end.value()).put(' ');
      out.text(std::string_view(area.perm.data(), area.perm.size())).put(' ');
      put_plain_string(out, area.name.empty() ? std::string_view("[anon]") : clip(area.name, kMaxName));
      out.put('+').short_hex(area.pgoff);
    } else if (!event.native) {
      out.text(" no vma");
    }
    if (!event.native) {
      out.text(" pte ").hex(fault.pte_before.raw()).text("->").hex(fault.pte_after.raw());
    }
    if (event.has_frame()) {
      out.text(" pfn ").short_hex(fault.pte_after.pfn().value());
    }
    if (event.has_around()) {
      out.text(" around ").hex(fault.around.from.value()).put('-').hex(fault.around.to.value());
      out.text(" mapped ").decimal(fault.around.mapped);
    }
    out.text(" #").decimal(event.seq).put('\n');
  }

  void write_event(const TraceEvent& event, Cursor& out) const override {
    put_start(event, out);
    out.text(": vm:").text(vm::event_name(event.event->kind)).put(':');
    put_details(out, *event.event, {.open = " ", .equals = " ", .separator = ""});
    out.text(" #").decimal(event.seq).put('\n');
  }

 private:
  static void put_start(const TraceEvent& event, Cursor& out) {
    const std::string_view comm = clip(event.comm, kMaxComm);
    pad(out, comm.size(), kCommWidth);
    put_plain_string(out, comm);
    out.put(' ').decimal(event.pid).put('/').decimal(event.tid).put(' ');
    put_time(out, event.time_ns);
  }
  static void pad(Cursor& out, size_t used, size_t width) {
    for (size_t i = used; i < width; ++i) {
      out.put(' ');
    }
  }
  static void padded(Cursor& out, std::string_view text, size_t width) {
    out.text(text);
    pad(out, text.size(), width + 1);
  }
  // Seconds with nine digits after the point.
  static void put_time(Cursor& out, uint64_t ns) {
    char* const start = out.decimal(ns / kNsPerSecond).put('.').end();
    uint64_t rest = ns % kNsPerSecond;
    for (int i = 8; i >= 0; --i) {
      start[i] = static_cast<char>('0' + rest % 10);
      rest /= 10;
    }
    out = Cursor(start + 9);
  }
};

}  // namespace

std::unique_ptr<TraceFormat> make_text_format() { return std::make_unique<TextFormat>(); }

HostResult<std::unique_ptr<TraceFormat>> TraceFormat::for_path(std::string_view path) {
  if (path.ends_with(".jsonl")) {
    return make_jsonl_format();
  }
  if (path.ends_with(".csv")) {
    return make_csv_format();
  }
  if (path.ends_with(".txt")) {
    return make_text_format();
  }
  return host_error("cannot write the trace: {}: its name must end in .jsonl, .csv or .txt", path);
}

}  // namespace fl::emu
