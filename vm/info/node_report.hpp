// The texts below /sys/devices/system/node. Linux counterpart: drivers/base/node.c.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fl::vm {

class MemorySystem;

// Nodes are numbered from 0 without holes.
uint32_t node_count(MemorySystem& memory);

// A list of the nodes that are or have something: "0-1\n".
struct NodeListReport {
  std::string_view name;
  std::string (*text)(MemorySystem& memory);
};
std::span<const NodeListReport> node_list_reports();

// A file of one node's folder.
struct NodeReport {
  std::string_view name;
  std::string (*text)(MemorySystem& memory, uint32_t node);
};
std::span<const NodeReport> node_reports();

}  // namespace fl::vm
