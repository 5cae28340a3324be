// .jsonl: one JSON object for each fault or event.
#include "emu/trace/event_details.hpp"
#include "emu/trace/trace_format.hpp"

namespace fl::emu {
namespace {

class JsonlFormat final : public TraceFormat {
 public:
  void write(const TraceEvent& event, Cursor& out) const override {
    const vm::FaultRecord& fault = *event.fault;
    put_start(event, out);
    out.text(",\"mode\":\"").text(vm::mode_name(fault.mode));
    out.text("\",\"access\":");
    put_name(event.access_known ? vm::access_name(fault.access) : std::string_view(), out);
    out.text(",\"addr\":\"").hex(fault.addr.value()).text("\",\"page\":\"").hex(fault.addr.page().value());
    out.text("\",\"ip\":\"").hex(event.ip.value()).text("\",\"insn\":");
    if (event.insn.empty()) {
      out.text("null");
    } else {
      put_json_string(out, clip(event.insn, kMaxInsn));
    }
    out.text(",\"sym\":");
    put_symbol(event, out);
    out.text(",\"vma\":");
    put_area(event.area, out);
    out.text(",\"cause\":");
    put_name(event.native ? std::string_view() : vm::cause_name(fault.cause), out);
    out.text(",\"major\":").text(bool_name(fault.major())).text(",\"counted\":").text(bool_name(fault.counted()));
    if (event.native) {
      out.text(",\"pfn\":null,\"pte_before\":null,\"pte_after\":null,\"around\":null}\n");
      return;
    }
    if (event.has_frame()) {
      out.text(",\"pfn\":\"").short_hex(fault.pte_after.pfn().value()).text("\",\"pte_before\":\"");
    } else {
      out.text(",\"pfn\":null,\"pte_before\":\"");
    }
    out.hex(fault.pte_before.raw()).text("\",\"pte_after\":\"").hex(fault.pte_after.raw()).text("\",\"around\":");
    if (event.has_around()) {
      out.text("{\"from\":\"").hex(fault.around.from.value()).text("\",\"to\":\"").hex(fault.around.to.value());
      out.text("\",\"mapped\":").decimal(fault.around.mapped).text("}}\n");
    } else {
      out.text("null}\n");
    }
  }

  void write_event(const TraceEvent& event, Cursor& out) const override {
    put_start(event, out);
    out.text(",\"event\":\"").text(vm::event_name(event.event->kind)).put('"');
    put_details(out, *event.event, {.open = ",\"", .equals = "\":", .separator = "", .quote_hex = true});
    out.text("}\n");
  }

 private:
  static void put_start(const TraceEvent& event, Cursor& out) {
    out.text("{\"seq\":").decimal(event.seq).text(",\"t\":").decimal(event.time_ns);
    out.text(",\"pid\":").decimal(event.pid).text(",\"tid\":").decimal(event.tid).text(",\"comm\":");
    put_json_string(out, clip(event.comm, kMaxComm));
  }
  // A name of ours, which needs no escapes; null if it is empty.
  static void put_name(std::string_view name, Cursor& out) {
    if (name.empty()) {
      out.text("null");
    } else {
      out.put('"').text(name).put('"');
    }
  }
  static std::string_view bool_name(bool value) { return value ? "true" : "false"; }

  static void put_symbol(const TraceEvent& event, Cursor& out) {
    if (event.sym.empty()) {
      out.text("null");
      return;
    }
    put_json_string(out, clip(event.sym, kMaxSymbol));
    // The offset belongs inside the quotes.
    out = Cursor(out.end() - 1);
    out.put('+').short_hex(event.sym_offset).put('"');
  }

  static void put_area(const TraceArea* area, Cursor& out) {
    if (area == nullptr) {
      out.text("null");
      return;
    }
    out.text("{\"start\":\"").hex(area->start.value()).text("\",\"end\":\"").hex(area->end.value());
    out.text("\",\"perm\":\"").text(std::string_view(area->perm.data(), area->perm.size())).text("\",\"name\":");
    put_json_string(out, clip(area->name, kMaxName));
    out.text(",\"pgoff\":").decimal(area->pgoff).put('}');
  }
};

}  // namespace

std::unique_ptr<TraceFormat> make_jsonl_format() { return std::make_unique<JsonlFormat>(); }

}  // namespace fl::emu
