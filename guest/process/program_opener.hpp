// Opening executables for the loader, as the task would. Linux counterpart: do_open_execat, open_exec.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "guest/fs/vfs.hpp"
#include "guest/syscall/file_support.hpp"
#include "guest/task.hpp"
#include "guest/task/exec.hpp"
#include "loaders/exec.hpp"

namespace fl::guest {

// Of the program itself, which an execveat may name in its own way, and of the interpreters that it names.
class ExecOpener final : public loaders::ProgramOpener {
 public:
  ExecOpener(Vfs& vfs, const ExecCall& call, const Task& task)
      : vfs_(vfs), call_(call), cwd_{task.fs->cwd, caller_of(task)} {}
  // ETXTBSY: somebody may write it. Every file that was opened cannot be written until the opener goes.
  Result<std::shared_ptr<const vm::MappedFile>> open_program(const std::string& path) override {
    FL_TRY_ASSIGN(std::shared_ptr<OpenFile> file, open(path));
    auto mapped = file->mapped_file();
    if (!mapped) {
      // A file that cannot be mapped is no program.
      return mapped.error() == Errno::kENODEV ? fail(Errno::kEACCES) : mapped;
    }
    WriteClaim claim;
    if (WriteCount* const count = file->write_count(); count != nullptr) {
      FL_TRY_ASSIGN(claim, WriteClaim::take(*count, WriteClaim::Kind::kExecute));
    }
    opened_.push_back({mapped->get(), {std::move(file), std::move(claim)}});
    return mapped;
  }
  // The opened file that became the task's program.
  std::shared_ptr<const RunningProgram> running(const vm::MappedFile* exe) {
    for (Opened& each : opened_) {
      if (each.mapped == exe) {
        return std::make_shared<const RunningProgram>(std::move(each.program));
      }
    }
    return nullptr;
  }

 private:
  struct Opened {
    const vm::MappedFile* mapped;
    RunningProgram program;
  };
  Result<std::shared_ptr<OpenFile>> open(const std::string& path) {
    if (path != call_.name) {
      return vfs_.open_exec(cwd_, path);
    }
    if (call_.file == nullptr) {
      return vfs_.open_exec(call_.at, call_.path, call_.follow);
    }
    FL_TRY_ASSIGN(const FileStat stat, call_.file->stat());
    constexpr uint32_t kAnyExecute = 0111;
    return stat.is_regular() && (stat.mode & kAnyExecute) != 0 ? Result<std::shared_ptr<OpenFile>>(call_.file)
                                                               : fail(Errno::kEACCES);
  }

  Vfs& vfs_;
  const ExecCall& call_;
  At cwd_;
  std::vector<Opened> opened_;
};

}  // namespace fl::guest
