// Writing and reading the file: the header through a JSON library, the fault lines by hand. See record_file.hpp.
#include "emu/record/record_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>

#include "emu/record/record_fields.hpp"
#include "emu/record/unique_fd.hpp"

namespace fl::emu {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFaultsStart = "\"faults\": [\n", kFaultsEnd = "]\n}\n";
constexpr std::array<std::string_view, 8> kFields = {"process", "task", "mode", "access",
                                                     "major",   "addr", "ip",   "time_ns"};
constexpr std::array<std::string_view, vm::kFaultModes> kModes = {"user", "kernel", "gup"};
constexpr std::array<std::string_view, 4> kAccesses = {"read", "write", "exec", "?"};
constexpr size_t kUnknownAccess = 3;
constexpr size_t kMostBytes = size_t{1} << 30;

void append_fault(const NativeFault& fault, fmt::memory_buffer& out) {
  const size_t access = fault.access ? static_cast<size_t>(*fault.access) : kUnknownAccess;
  fmt::format_to(std::back_inserter(out), "[{},{},\"{}\",\"{}\",{},\"{:08x}\",\"{:08x}\",{}]", fault.process,
                 fault.task, kModes[static_cast<size_t>(fault.mode)], kAccesses[access], fault.major ? 1 : 0,
                 fault.addr, fault.ip, fault.time_ns);
}

// Reads a fault's line from left to right; after the first thing that does not fit, ok() is false.
class LineReader {
 public:
  explicit LineReader(std::string_view line) : rest_(line) {}

  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }
  LineReader& expect(std::string_view text) {
    ok_ = ok_ && rest_.starts_with(text);
    rest_.remove_prefix(ok_ ? text.size() : 0);
    return *this;
  }
  template <typename T>
  LineReader& number(T& value, int base = 10) {
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, base);
    ok_ = ok_ && error == std::errc{};
    rest_.remove_prefix(ok_ ? static_cast<size_t>(end - rest_.data()) : 0);
    return *this;
  }
  template <size_t N>
  LineReader& word(const std::array<std::string_view, N>& words, size_t& index) {
    expect("\"");
    for (index = 0; index < N; ++index) {
      if (rest_.starts_with(words[index])) {
        return expect(words[index]).expect("\"");
      }
    }
    ok_ = false;
    return *this;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

bool parse_fault(std::string_view line, const NativeRecord& record, NativeFault& fault) {
  LineReader reader(line);
  size_t mode = 0, access = 0;
  uint32_t major = 0;
  reader.expect("[").number(fault.process).expect(",").number(fault.task).expect(",");
  reader.word(kModes, mode).expect(",").word(kAccesses, access).expect(",").number(major);
  reader.expect(",\"").number(fault.addr, 16).expect("\",\"").number(fault.ip, 16).expect("\",");
  reader.number(fault.time_ns).expect("]");
  if (!reader.at_end() || major > 1 || fault.process >= record.processes.size() ||
      fault.task >= record.processes[fault.process].tasks.size()) {
    return false;
  }
  fault.mode = static_cast<vm::FaultMode>(mode);
  fault.major = major == 1;
  if (access != kUnknownAccess) {
    fault.access = static_cast<mmu::Access>(access);
  }
  return true;
}

HostResult<NativeRecord> parse_header(std::string_view text, std::string_view name, uint64_t& faults) {
  const auto refuse = [name](std::string_view why) { return host_error("cannot read the record: {}: {}", name, why); };
  try {
    const Json header = Json::parse(text);
    const auto version = header.find(kRecordVersionKey);
    if (version == header.end()) {
      return refuse("it is not a record of faultline");
    }
    if (*version != kRecordVersion) {
      return refuse("it was written by another version of faultline: record it again");
    }
    if (header.at("fault_fields") != Json(kFields)) {
      return refuse("its faults have other fields");
    }
    faults = header.at("fault_count");
    return record_from_header(header);
  } catch (const std::exception& error) {
    std::string why = error.what();
    std::replace_if(
        why.begin(), why.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    return refuse(why);
  }
}

}  // namespace

std::string format_record(const NativeRecord& record) {
  Json header = record_header(record);
  header["fault_fields"] = kFields;
  header["fault_count"] = record.faults.size();
  // Names and arguments may be any bytes.
  std::string text = header.dump(1, ' ', false, Json::error_handler_t::replace);
  text.resize(text.size() - 2);  // "\n}"
  fmt::memory_buffer lines;
  for (size_t i = 0; i < record.faults.size(); ++i) {
    append_fault(record.faults[i], lines);
    lines.append(i + 1 < record.faults.size() ? std::string_view(",\n") : std::string_view("\n"));
  }
  text.append(",\n ").append(kFaultsStart).append(lines.data(), lines.size()).append(kFaultsEnd);
  return text;
}

HostResult<NativeRecord> parse_record(std::string_view text, std::string_view name) {
  const size_t start = text.find(kFaultsStart);
  if (start == std::string_view::npos || !text.ends_with(kFaultsEnd) ||
      start + kFaultsStart.size() > text.size() - kFaultsEnd.size()) {
    return host_error("cannot read the record: {}: it is not a record of faultline, or is cut off", name);
  }
  uint64_t count = 0;
  auto record = parse_header(std::string(text.substr(0, start)) + "\"faults\": []}", name, count);
  if (!record) {
    return record;
  }
  std::string_view lines = text.substr(start + kFaultsStart.size());
  lines.remove_suffix(kFaultsEnd.size());
  while (!lines.empty()) {
    const size_t end = lines.find('\n');
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    if (!lines.empty() && line.ends_with(',')) {
      line.remove_suffix(1);
    }
    NativeFault fault;
    if (!parse_fault(line, *record, fault)) {
      return host_error("cannot read the record: {}: fault {} is damaged", name, record->faults.size());
    }
    record->faults.push_back(fault);
  }
  if (record->faults.size() != count) {
    return host_error("cannot read the record: {}: it has {} faults instead of {}", name, record->faults.size(), count);
  }
  return record;
}

HostStatus write_record(const std::string& path, const NativeRecord& record) {
  const std::string text = format_record(record);
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  std::string_view rest = text;
  ssize_t n = 0;
  while (file.open() && !rest.empty() && (n = ::write(file.get(), rest.data(), rest.size())) >= 0) {
    rest.remove_prefix(static_cast<size_t>(n));
  }
  if (!file.open() || !rest.empty()) {
    return host_error("cannot write the record: {}: {}", path, std::strerror(errno));
  }
  return {};
}

HostResult<NativeRecord> read_record(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!file.open() || ::fstat(file.get(), &info) != 0) {
    return host_error("cannot read the record: {}: {}", path, std::strerror(errno));
  }
  if (!S_ISREG(info.st_mode) || static_cast<uint64_t>(info.st_size) > kMostBytes) {
    return host_error("cannot read the record: {}: it is no ordinary file, or larger than 1 GiB", path);
  }
  std::string text(static_cast<size_t>(info.st_size), '\0');
  size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t n = ::read(file.get(), text.data() + filled, text.size() - filled);
    if (n < 0) {
      return host_error("cannot read the record: {}: {}", path, std::strerror(errno));
    }
    if (n == 0) {
      break;
    }
    filled += static_cast<size_t>(n);
  }
  text.resize(filled);
  return parse_record(text, path);
}

}  // namespace fl::emu
