// Reading and writing patterns.tsv and records.
#include "tests/reclaim/measured.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

namespace fl::test {
namespace {

using Json = nlohmann::ordered_json;

uint64_t mebibytes(const std::string& text) { return std::stoull(text) << 20; }

template <typename Member>
Span span_of(const std::vector<Measured>& runs, Member member) {
  if (runs.empty()) {
    throw std::runtime_error("a pattern without runs");
  }
  const auto [least, most] = std::minmax_element(
      runs.begin(), runs.end(), [member](const Measured& a, const Measured& b) { return a.*member < b.*member; });
  return {(*least).*member, (*most).*member};
}

}  // namespace

PatternTable read_patterns(const std::filesystem::path& file) {
  std::ifstream in(file);
  PatternTable table;
  std::string line;
  while (std::getline(in, line)) {
    if (line.empty() || line[0] == '#') {
      continue;
    }
    std::istringstream words(line);
    std::vector<std::string> fields{std::istream_iterator<std::string>(words), {}};
    if (fields.size() == 2 && fields[0] == "limit_mib") {
      table.setting.limit_bytes = mebibytes(fields[1]);
    } else if (fields.size() == 2 && fields[0] == "swap_mib") {
      table.setting.swap_bytes = mebibytes(fields[1]);
    } else if (fields.size() == 3) {
      table.patterns.push_back({fields[0], fields});
    } else {
      throw std::runtime_error(file.string() + ": cannot read: " + line);
    }
  }
  if (table.setting.limit_bytes == 0 || table.setting.swap_bytes == 0 || table.patterns.empty()) {
    throw std::runtime_error(file.string() + ": no limit, no swap or no pattern");
  }
  return table;
}

Span NativeRecord::Runs::majors() const { return span_of(runs, &Measured::majors); }
Span NativeRecord::Runs::swap_ins() const { return span_of(runs, &Measured::swap_ins); }

void write_record(const NativeRecord& record, const std::filesystem::path& file) {
  Json patterns = Json::object();
  for (const auto& [name, runs] : record.patterns) {
    Json majors = Json::array(), swap_ins = Json::array(), seconds = Json::array();
    for (const Measured& run : runs.runs) {
      majors.push_back(run.majors);
      swap_ins.push_back(run.swap_ins);
      seconds.push_back(run.seconds);
    }
    patterns[name] = {{"args", runs.args},
                      {"majors", majors},
                      {"swap_ins", swap_ins},
                      {"seconds", seconds},
                      {"output", runs.runs.at(0).output}};
  }
  const Json all{{"host", record.host},
                 {"limit_bytes", record.setting.limit_bytes},
                 {"swap_bytes", record.setting.swap_bytes},
                 {"patterns", patterns}};
  std::filesystem::create_directories(file.parent_path());
  std::ofstream out(file);
  out << all.dump(1) << "\n";
  if (!out.flush()) {
    throw std::runtime_error("cannot write " + file.string());
  }
}

NativeRecord read_record(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) {
    throw std::runtime_error("cannot read " + file.string());
  }
  const Json all = Json::parse(in);
  NativeRecord record;
  record.host = all.at("host").get<std::map<std::string, std::string>>();
  record.setting = {all.at("limit_bytes"), all.at("swap_bytes")};
  for (const auto& [name, entry] : all.at("patterns").items()) {
    NativeRecord::Runs& runs = record.patterns[name];
    runs.args = entry.at("args").get<std::vector<std::string>>();
    for (size_t i = 0; i < entry.at("majors").size(); ++i) {
      runs.runs.push_back({entry.at("majors").at(i), entry.at("swap_ins").at(i), entry.at("seconds").at(i),
                           entry.at("output").get<std::string>()});
    }
  }
  return record;
}

}  // namespace fl::test
