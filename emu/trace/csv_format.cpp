// .csv: one row for each fault or event; the nested fields of the JSON form have columns of their own.
#include "emu/trace/event_details.hpp"
#include "emu/trace/trace_format.hpp"

namespace fl::emu {
namespace {

class CsvFormat final : public TraceFormat {
 public:
  std::string_view header() const override {
    return "seq,t,pid,tid,comm,mode,access,addr,page,ip,insn,sym,vma_start,vma_end,vma_perm,vma_name,vma_pgoff,"
           "cause,major,counted,pfn,pte_before,pte_after,around_from,around_to,around_mapped,event,detail\n";
  }

  void write(const TraceEvent& event, Cursor& out) const override {
    const vm::FaultRecord& fault = *event.fault;
    put_start(event, out);
    out.put(',')
        .text(vm::mode_name(fault.mode))
        .put(',')
        .text(event.access_known ? vm::access_name(fault.access) : std::string_view())
        .put(',');
    out.hex(fault.addr.value()).put(',').hex(fault.addr.page().value()).put(',').hex(event.ip.value()).put(',');
    put_csv_string(out, clip(event.insn, kMaxInsn));
    out.put(',');
    if (!event.sym.empty()) {
      put_symbol(event, out);
    }
    if (event.area != nullptr) {
      const TraceArea& area = *event.area;
      out.put(',').hex(area.start.value()).put(',').hex(area.end.value()).put(',');
      out.text(std::string_view(area.perm.data(), area.perm.size())).put(',');
      put_csv_string(out, clip(area.name, kMaxName));
      out.put(',').decimal(area.pgoff).put(',');
    } else {
      out.text(",,,,,,");
    }
    out.text(event.native ? std::string_view() : vm::cause_name(fault.cause))
        .put(',')
        .put(bit(fault.major()))
        .put(',')
        .put(bit(fault.counted()))
        .put(',');
    if (event.has_frame()) {
      out.short_hex(fault.pte_after.pfn().value());
    }
    if (event.native) {
      out.text(",,");
    } else {
      out.put(',').hex(fault.pte_before.raw()).put(',').hex(fault.pte_after.raw());
    }
    if (event.has_around()) {
      out.put(',').hex(fault.around.from.value()).put(',').hex(fault.around.to.value());
      out.put(',').decimal(fault.around.mapped).text(",,\n");
    } else {
      out.text(",,,,,\n");
    }
  }

  // Its name and "name=value name=value" in the last two columns; those of faults are empty.
  void write_event(const TraceEvent& event, Cursor& out) const override {
    put_start(event, out);
    out.text(",,,,,,,,,,,,,,,,,,,,,,").text(vm::event_name(event.event->kind)).put(',');
    put_details(out, *event.event, {.open = "", .equals = "=", .separator = " "});
    out.put('\n');
  }

 private:
  static void put_start(const TraceEvent& event, Cursor& out) {
    out.decimal(event.seq).put(',').decimal(event.time_ns).put(',').decimal(event.pid).put(',').decimal(event.tid);
    out.put(',');
    put_csv_string(out, clip(event.comm, kMaxComm));
  }
  static char bit(bool value) { return value ? '1' : '0'; }

  static void put_symbol(const TraceEvent& event, Cursor& out) {
    char* const start = out.end();
    put_csv_string(out, clip(event.sym, kMaxSymbol));
    const bool quoted = *start == '"';
    if (quoted) {
      out = Cursor(out.end() - 1);
    }
    out.put('+').short_hex(event.sym_offset);
    if (quoted) {
      out.put('"');
    }
  }
};

}  // namespace

std::unique_ptr<TraceFormat> make_csv_format() { return std::make_unique<CsvFormat>(); }

}  // namespace fl::emu
