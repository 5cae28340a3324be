// Every member of a record's header, written and read. See record_fields.hpp.
#include "emu/record/record_fields.hpp"

#include <charconv>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace fl::emu {
namespace {

using Json = nlohmann::ordered_json;

// "00000007.00 00000000 219c07ab ...": leaf.subleaf eax ebx ecx edx. Forty of them would fill pages as objects.
Json cpuid_line(const CpuidEntry& entry) {
  return fmt::format("{:08x}.{:02x} {:08x} {:08x} {:08x} {:08x}", entry.leaf, entry.subleaf, entry.eax, entry.ebx,
                     entry.ecx, entry.edx);
}

CpuidEntry cpuid_entry(const std::string& line) {
  CpuidEntry entry;
  const char* at = line.data();
  const char* const end = at + line.size();
  for (uint32_t* const value : {&entry.leaf, &entry.subleaf, &entry.eax, &entry.ebx, &entry.ecx, &entry.edx}) {
    const auto [next, error] = std::from_chars(at, end, *value, 16);
    if (error != std::errc{} || (next == end) != (value == &entry.edx) ||
        (next != end && *next != ' ' && *next != '.')) {
      throw std::runtime_error("cpuid: a line is not LEAF.SUBLEAF EAX EBX ECX EDX");
    }
    at = next == end ? end : next + 1;
  }
  return entry;
}

Json cpu_json(const NativeCpu& cpu) {
  Json cpuid = Json::array();
  for (const CpuidEntry& entry : cpu.cpuid) {
    cpuid.push_back(cpuid_line(entry));
  }
  return {{"brand", cpu.brand},
          {"hwcap", cpu.hwcap},
          {"hwcap2", cpu.hwcap2},
          {"signal_fpstate_bytes", cpu.signal_fpstate_bytes},
          {"cpuid", std::move(cpuid)}};
}

NativeCpu cpu_from(const Json& json) {
  NativeCpu cpu;
  cpu.brand = json.at("brand");
  cpu.hwcap = json.at("hwcap");
  cpu.hwcap2 = json.at("hwcap2");
  cpu.signal_fpstate_bytes = json.at("signal_fpstate_bytes");
  for (const Json& line : json.at("cpuid")) {
    cpu.cpuid.push_back(cpuid_entry(line.get<std::string>()));
  }
  return cpu;
}

Json process_json(const NativeProcess& process) {
  Json tasks = Json::array();
  for (const NativeTask& task : process.tasks) {
    tasks.push_back(task.tid);
  }
  return {{"parent", process.parent},
          {"child", process.child},
          {"pid", process.pid},
          {"comm", process.comm},
          {"exit_status", process.exit_status},
          {"minflt", process.minflt},
          {"majflt", process.majflt},
          {"gup_faults", process.gup_faults ? Json(*process.gup_faults) : Json(nullptr)},
          {"agreeing", process.agreeing},
          {"tasks", std::move(tasks)}};
}

NativeProcess process_from(const Json& json, size_t index) {
  NativeProcess process;
  process.parent = json.at("parent");
  process.child = json.at("child");
  process.pid = json.at("pid");
  process.comm = json.at("comm");
  process.exit_status = json.at("exit_status");
  process.minflt = json.at("minflt");
  process.majflt = json.at("majflt");
  // Older records do not have these: complete_counts().
  process.agreeing = json.value("agreeing", 0u);
  if (const auto gup = json.find("gup_faults"); gup != json.end() && !gup->is_null()) {
    process.gup_faults = gup->get<uint64_t>();
  }
  for (const Json& tid : json.at("tasks")) {
    process.tasks.push_back({tid.get<int32_t>()});
  }
  const bool first = index == 0;
  if (process.parent < -1 || (process.parent == -1) != first || process.parent >= static_cast<int64_t>(index)) {
    throw std::runtime_error("processes: a parent does not stand before its child");
  }
  return process;
}

Json strings(const std::vector<std::string>& texts) {
  Json array = Json::array();
  for (const std::string& text : texts) {
    array.push_back(text);
  }
  return array;
}

GupView gup_from(const std::string& text) {
  if (text != "faults" && text != "count") {
    throw std::runtime_error("gup: neither \"faults\" nor \"count\"");
  }
  return text == "faults" ? GupView::kFaults : GupView::kCount;
}

// What an older record does not say of its processes but implies.
void complete_counts(NativeRecord& record) {
  NativeProcess& only = record.processes.front();
  if (record.processes.size() == 1 && !only.gup_faults && record.kernel_faults_seen) {
    only.gup_faults = record.gup_faults;
    only.minflt = record.minflt;
    only.majflt = record.majflt;
  }
}

}  // namespace

Json record_header(const NativeRecord& record) {
  Json others = Json::array();
  for (const NativeFile& file : record.others) {
    others.push_back({{"path", file.path}, {"hash", file.hash}});
  }
  Json processes = Json::array();
  for (const NativeProcess& process : record.processes) {
    processes.push_back(process_json(process));
  }
  return {{std::string(kRecordVersionKey), kRecordVersion},
          {"date", record.date},
          {"command", strings(record.command)},
          {"environment", strings(record.environment)},
          {"program",
           {{"path", record.program_path},
            {"bytes", record.program_bytes},
            {"hash", record.program_hash},
            {"filesystem", record.filesystem},
            {"others", std::move(others)}}},
          {"kernel",
           {{"release", record.kernel.release},
            {"version", record.kernel.version},
            {"machine", record.kernel.machine},
            {"thp", record.kernel.thp}}},
          {"cpu", cpu_json(record.cpu)},
          {"runs", record.runs},
          {"agreeing", record.agreeing},
          {"kernel_faults_seen", record.kernel_faults_seen},
          {"gup", record.gup == GupView::kFaults ? "faults" : "count"},
          {"gup_faults", record.gup_faults},
          {"exit_status", record.exit_status},
          {"minflt", record.minflt},
          {"majflt", record.majflt},
          {"output", {{"bytes", record.output_bytes}, {"hash", record.output_hash}}},
          {"processes", std::move(processes)}};
}

NativeRecord record_from_header(const Json& header) {
  NativeRecord record;
  record.date = header.at("date");
  record.command = header.at("command").get<std::vector<std::string>>();
  record.environment = header.at("environment").get<std::vector<std::string>>();
  const Json& program = header.at("program");
  record.program_path = program.at("path");
  record.program_bytes = program.at("bytes");
  record.program_hash = program.at("hash");
  record.filesystem = program.at("filesystem");
  if (const auto others = program.find("others"); others != program.end()) {  // older records have none
    for (const Json& file : *others) {
      record.others.push_back({file.at("path"), file.at("hash")});
    }
  }
  const Json& kernel = header.at("kernel");
  record.kernel.release = kernel.at("release");
  record.kernel.version = kernel.at("version");
  record.kernel.machine = kernel.at("machine");
  record.kernel.thp = kernel.at("thp");
  record.cpu = cpu_from(header.at("cpu"));
  record.runs = header.at("runs");
  record.agreeing = header.at("agreeing");
  record.kernel_faults_seen = header.at("kernel_faults_seen");
  record.gup = gup_from(header.at("gup").get<std::string>());
  record.gup_faults = header.at("gup_faults");
  record.exit_status = header.at("exit_status");
  record.minflt = header.at("minflt");
  record.majflt = header.at("majflt");
  record.output_bytes = header.at("output").at("bytes");
  record.output_hash = header.at("output").at("hash");
  for (const Json& process : header.at("processes")) {
    record.processes.push_back(process_from(process, record.processes.size()));
  }
  if (record.command.empty() || record.processes.empty()) {
    throw std::runtime_error("there is no command or no process");
  }
  complete_counts(record);
  return record;
}

}  // namespace fl::emu
