// Opening executables for the loader, as the task would. Linux counterpart: do_open_execat, open_exec.
#pragma once

#include <memory>
#include <string>

#include "guest/fs/vfs.hpp"
#include "guest/syscall/file_support.hpp"
#include "guest/task.hpp"
#include "guest/task/exec.hpp"
#include "loaders/exec.hpp"

namespace fl::guest {

// EACCES: a file that cannot be mapped is no program.
inline Result<std::shared_ptr<const vm::MappedFile>> program_of(const std::shared_ptr<OpenFile>& file) {
  auto mapped = file->mapped_file();
  if (!mapped && mapped.error() == Errno::kENODEV) {
    return fail(Errno::kEACCES);
  }
  return mapped;
}

// Of the program itself, which an execveat may name in its own way, and of the interpreters that it names.
class ExecOpener final : public loaders::ProgramOpener {
 public:
  ExecOpener(Vfs& vfs, const ExecCall& call, const Task& task)
      : vfs_(vfs), call_(call), cwd_{task.fs->cwd, caller_of(task)} {}
  Result<std::shared_ptr<const vm::MappedFile>> open_program(const std::string& path) override {
    if (path != call_.name) {
      FL_TRY_ASSIGN(const auto file, vfs_.open_exec(cwd_, path));
      return program_of(file);
    }
    if (call_.file != nullptr) {
      FL_TRY_ASSIGN(const FileStat stat, call_.file->stat());
      constexpr uint32_t kAnyExecute = 0111;
      if (!stat.is_regular() || (stat.mode & kAnyExecute) == 0) {
        return fail(Errno::kEACCES);
      }
      return program_of(call_.file);
    }
    FL_TRY_ASSIGN(const auto file, vfs_.open_exec(call_.at, call_.path, call_.follow));
    return program_of(file);
  }

 private:
  Vfs& vfs_;
  const ExecCall& call_;
  At cwd_;
};

}  // namespace fl::guest
