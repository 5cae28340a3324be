// What the tests of guest/fs stand on: a temporary directory of the host, a small machine's memory, and a Vfs over
// them.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "guest/fs/vfs.hpp"
#include "mmu/mmu.hpp"
#include "mmu/ram.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/user_access.hpp"

namespace fl::guest::test {

class IgnoringTlb final : public mmu::TlbPort {
 public:
  void flush() override {}
  void code_changed(Pfn) override { ++changed; }
  uint32_t changed = 0;
};

// outside/            what must stay out of reach
// root/               the guest's "/"
// root/rw/            writable
// root/ro/            not
class FsMachine {
 public:
  explicit FsMachine(uint32_t frames = 1024) : ram(*mmu::Ram::create(frames)), mmu(ram, mmu::NoExecute::kUnsupported) {
    std::string pattern = (std::filesystem::temp_directory_path() / "faultline-fs-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    base = pattern;
    for (const char* directory : {"outside", "root/rw/sub", "root/ro/sub"}) {
      std::filesystem::create_directories(base / directory);
    }
    put("outside/secret", "secret");
    put("root/ro/file", "read-only text\n");
    put("root/rw/file", "old text\n");
    auto booted = vm::MemorySystem::boot(ram, mmu, tlb, vm::KernelProfile::i386_6_1());
    REQUIRE(booted);
    memory = std::move(*booted);
    auto made = Vfs::create(*memory, {{(base / "root").string(), {(base / "root/rw").string()}}, {}});
    REQUIRE(made);
    vfs = std::move(*made);
    at = {vfs->root(), {}};
  }
  ~FsMachine() {
    vfs.reset();
    std::filesystem::remove_all(base);
  }

  void put(const std::string& name, const std::string& text) const {
    std::ofstream(base / name, std::ios::binary) << text;
  }
  std::string host_text(const std::string& name) const {
    std::ifstream file(base / name, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  Result<std::shared_ptr<OpenFile>> open(std::string_view path, uint32_t flags = OpenFlag::kReadOnly,
                                         uint32_t mode = 0644) {
    return vfs->open(at, path, flags | OpenFlag::kLargeFile, mode);
  }
  Errno open_error(std::string_view path, uint32_t flags = OpenFlag::kReadOnly) {
    const auto file = open(path, flags);
    REQUIRE_FALSE(file.has_value());
    return file.error();
  }
  // All that a file has from its position on.
  static std::string read_all(OpenFile& file) {
    std::string text(1 << 20, '\0');
    KernelBuffer buffer{std::as_writable_bytes(std::span(text))};
    const auto got = file.read(buffer, file.pos);
    REQUIRE(got.has_value());
    text.resize(*got);
    return text;
  }
  std::string read_path(std::string_view path) {
    const auto file = open(path);
    REQUIRE(file.has_value());
    return read_all(**file);
  }
  std::vector<std::string> names_in(std::string_view path) {
    class Sink final : public DirectorySink {
     public:
      bool add(const DirectoryEntry& entry) override {
        names.emplace_back(entry.name);
        return true;
      }
      std::vector<std::string> names;
    } sink;
    const auto directory = open(path, OpenFlag::kDirectory);
    REQUIRE(directory.has_value());
    REQUIRE((*directory)->list(sink));
    return sink.names;
  }
  static Result<uint32_t> write(OpenFile& file, std::string text) {
    KernelBuffer buffer{std::as_writable_bytes(std::span(text))};
    return file.write(buffer, file.pos);
  }

  std::filesystem::path base;
  mmu::Ram ram;
  mmu::Mmu mmu;
  IgnoringTlb tlb;
  std::unique_ptr<vm::MemorySystem> memory;
  std::unique_ptr<Vfs> vfs;
  At at;
};

}  // namespace fl::guest::test
