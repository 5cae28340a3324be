// The comparison as JSON: a head by nlohmann-json, then the faults, which may be hundreds of thousands, one a line.
#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "emu/compare/code_book.hpp"
#include "emu/compare/hints.hpp"
#include "emu/compare/report.hpp"
#include "emu/trace/cursor.hpp"
#include "emu/trace/trace_format.hpp"

namespace fl::emu {
namespace {

using Json = nlohmann::ordered_json;

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kEqual:
      return "equal";
    case Verdict::kUndecided:
      return "user_mode_equal";
    case Verdict::kDifferent:
      break;
  }
  return "different";
}

Json pair_json(const Pair& pair) { return {{"real", pair.real}, {"here", pair.ours}}; }

Json index_json(uint32_t index) { return index != kNoIndex ? Json(index) : Json(nullptr); }

Json process_json(const Comparison& comparison, const ProcessPair& pair) {
  Json json{{"real", index_json(pair.real)}, {"here", index_json(pair.ours)}, {"comm", pair.comm}};
  const auto& real = comparison.record.processes;
  const auto& ours = comparison.run.processes;
  const int32_t parent = pair.real != kNoIndex ? real[pair.real].parent : ours[pair.ours].parent;
  json["parent"] = parent >= 0 ? Json(parent) : Json(nullptr);
  json["child"] = pair.real != kNoIndex ? real[pair.real].child : ours[pair.ours].child;
  json["tasks"] = {{"real", pair.real != kNoIndex ? real[pair.real].tasks.size() : 0},
                   {"here", pair.ours != kNoIndex ? ours[pair.ours].tasks : 0}};
  json["minor"] = pair_json(pair.minor);
  json["major"] = pair_json(pair.major);
  json["gup_counted"] = pair.gup_counted;
  json["exit_status"] = pair.exit_status ? pair_json(*pair.exit_status) : Json(nullptr);
  json["different_faults"] = pair.differences;
  json["agreeing"] =
      pair.real != kNoIndex && real[pair.real].agreeing != 0 ? Json(real[pair.real].agreeing) : Json(nullptr);
  return json;
}

Json head(const Comparison& comparison) {
  const NativeRecord& record = comparison.record;
  Json json;
  json["verdict"] = verdict_name(comparison.verdict);
  json["summary"] = comparison.summary;
  json["level"] = level_name(comparison.context.level);
  json["program"] = comparison.context.program;
  json["program_changed"] = comparison.context.program_changed;
  json["command"] = record.command;
  json["profile"] = comparison.context.profile->name;
  json["reference"] = {{"source", comparison.context.source},
                       {"date", record.date},
                       {"release", record.kernel.release},
                       {"machine", record.kernel.machine},
                       {"cpu", record.cpu.brand},
                       {"filesystem", record.filesystem},
                       {"runs", record.runs},
                       {"agreeing", record.agreeing},
                       {"kernel_faults_seen", record.kernel_faults_seen},
                       {"gup_faults_seen", comparison.view.gup}};
  json["minor"] = pair_json(comparison.minor);
  json["major"] = pair_json(comparison.major);
  json["exit_status"] = {{"real", record.exit_status}, {"here", comparison.run.exit_status}};
  json["same_output"] = comparison.same_output;
  json["by_mode"]["user"] = pair_json(comparison.user);
  if (comparison.view.kernel) {
    json["by_mode"]["kernel"] = pair_json(comparison.kernel);
    json["by_mode"]["gup"] = pair_json(comparison.gup);
  }
  json["by_mapping"] = Json::array();
  for (const MappingCount& mapping : comparison.mappings) {
    json["by_mapping"].push_back(
        {{"mapping", mapping.label}, {"real", mapping.count.real}, {"here", mapping.count.ours}});
  }
  json["processes"] = Json::array();
  for (const ProcessPair& pair : comparison.processes) {
    json["processes"].push_back(process_json(comparison, pair));
  }
  for (size_t i = 0; i < kRelations; ++i) {
    json["faults_by_relation"][std::string(relation_name(static_cast<Relation>(i)))] = comparison.alignment.count[i];
  }
  json["coarse"] = comparison.alignment.coarse;
  json["hints"] = comparison_hints(comparison);
  json["seconds_here"] = comparison.run.seconds;
  return json;
}

std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_text(std::string_view text) {
  std::string result(6 * text.size() + 3, '\0');
  Cursor cursor(result.data());
  put_json_string(cursor, text);
  result.resize(static_cast<size_t>(cursor.end() - result.data()));
  return result;
}

// {"mode": ..., "access": ..., "page": ..., "addr": ..., "major": ...
void put_side(std::string& line, const ListedFault& fault, uint32_t addr, uint32_t ip) {
  const std::string access = access_text(fault.access);
  fmt::format_to(std::back_inserter(line),
                 R"({{"process":{},"task":{},"mode":"{}","access":{},"addr":"{:#010x}","ip":"{:#010x}","major":{})",
                 fault.process, fault.task, vm::mode_name(fault.mode), access == "?" ? "null" : json_text(access), addr,
                 ip, fault.major);
}

void put_fault(std::string& line, const Comparison& comparison, const AlignedFault& aligned, CodeBook& code) {
  const auto out = std::back_inserter(line);
  fmt::format_to(out, R"({{"relation":"{}","real":)", relation_name(aligned.relation));
  if (aligned.real != kNoIndex) {
    const NativeFault& fault = comparison.real_fault(aligned);
    put_side(line, comparison.real.faults[aligned.real], fault.addr, fault.ip);
    line += '}';
  } else {
    line += "null";
  }
  line += R"(,"here":)";
  if (aligned.ours != kNoIndex) {
    const OurFault& fault = comparison.our_fault(aligned);
    put_side(line, comparison.ours.faults[aligned.ours], fault.addr, fault.ip);
    fmt::format_to(out, R"(,"cause":"{}"}})", vm::cause_name(fault.cause));
  } else {
    line += "null";
  }
  if (const OurArea* area = comparison.area_of(aligned)) {
    fmt::format_to(out, R"(,"vma":{{"start":"{:#010x}","end":"{:#010x}","perm":"{}","name":{},"pgoff":{}}})",
                   area->start, area->end, std::string_view(area->perm.data(), area->perm.size()),
                   json_text(comparison.run.names[area->name]), area->pgoff);
  } else {
    line += R"(,"vma":null)";
  }
  if (differs(aligned.relation, comparison.context.level)) {
    const CodeText text = aligned.ours != kNoIndex ? code.of(comparison.our_fault(aligned))
                                                   : code.at(comparison.real.faults[aligned.real].ip);
    fmt::format_to(out, R"(,"sym":{},"insn":{},"hint":{})", json_text(text.symbol), json_text(text.instruction),
                   json_text(fault_hint(comparison, aligned)));
  }
  line += '}';
}

}  // namespace

std::string comparison_json_head(const Comparison& comparison) { return dump(head(comparison), -1); }

void write_comparison_json(const Comparison& comparison, OutputFile& file) {
  std::string text = dump(head(comparison), 1);
  // The head's closing brace makes room for the faults.
  text.erase(text.find_last_of('}'));
  while (!text.empty() && text.back() == '\n') {
    text.pop_back();
  }
  file.append(text);
  file.append(",\n \"faults\": [");
  CodeBook code(comparison);
  std::string line;
  bool first = true;
  for (const AlignedFault& aligned : comparison.alignment.faults) {
    line = first ? "\n  " : ",\n  ";
    first = false;
    put_fault(line, comparison, aligned, code);
    file.append(line);
  }
  file.append("\n ]\n}\n");
}

}  // namespace fl::emu
