// execve's work on the new image, step by step as Linux takes them. See exec.hpp.
#include "loaders/exec.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "loaders/argument_strings.hpp"
#include "loaders/aslr.hpp"
#include "loaders/elf/elf.hpp"
#include "loaders/initial_stack.hpp"
#include "loaders/load_elf.hpp"
#include "loaders/mapping_reader.hpp"
#include "loaders/script.hpp"
#include "vm/memory_system.hpp"

namespace fl::loaders {
namespace {

using File = std::shared_ptr<const vm::MappedFile>;

// Rewrites of the program by `#!` lines before ELOOP. Linux: exec_binprm.
constexpr int kMaxRewrites = 5;
constexpr size_t kCommLength = 15;  // TASK_COMM_LEN - 1

std::string comm_of(const std::string& path) { return path.substr(path.rfind('/') + 1).substr(0, kCommLength); }

// The strings of a request that has them all.
class GivenStrings final : public ExecStrings {
 public:
  explicit GivenStrings(const ExecRequest& request) : request_(request) {}
  uint32_t argc() const override { return static_cast<uint32_t>(request_.argv.size()); }
  uint32_t envc() const override { return static_cast<uint32_t>(request_.envp.size()); }
  Result<std::string> argv(uint32_t index) override { return request_.argv[index]; }
  Result<std::string> envp(uint32_t index) override { return request_.envp[index]; }

 private:
  const ExecRequest& request_;
};

// Linux: copy_strings; the last one goes highest.
template <typename Get>
Status push_all(ArgumentStrings& strings, uint32_t count, Get&& get) {
  while (count > 0) {
    FL_TRY_ASSIGN(const std::string text, get(--count));
    FL_TRY(strings.push(text));
  }
  return {};
}

Result<File> open_program(const ExecRequest& request, const std::string& path) {
  if (path.empty() || request.opener == nullptr) {
    return fail(Errno::kEACCES);
  }
  return request.opener->open_program(path);
}

// Follows `#!` lines from request.file to the file that an ELF loader gets; rewrites argv[0] on the stack for each.
// Linux: exec_binprm, load_script.
Result<File> find_binary(const ExecRequest& request, ArgumentStrings& strings, uint32_t& argc) {
  File file = request.file;
  std::string path = request.path;
  if (file == nullptr) {
    FL_TRY_ASSIGN(file, open_program(request, path));
  }
  for (int rewrites = 0;; ++rewrites) {
    if (rewrites > kMaxRewrites) {
      return fail(Errno::kELOOP);
    }
    FL_TRY_ASSIGN(const ExecHeader header, read_exec_header(MappingReader(file)));
    if (header[0] != std::byte{'#'} || header[1] != std::byte{'!'}) {
      return file;
    }
    FL_TRY_ASSIGN(const ScriptLine line, parse_script(header));
    FL_TRY(strings.remove_lowest());
    FL_TRY(strings.push(path));
    if (line.argument.has_value()) {
      FL_TRY(strings.push(*line.argument));
      ++argc;
    }
    FL_TRY(strings.push(line.interpreter));
    ++argc;
    path = line.interpreter;
    FL_TRY_ASSIGN(file, open_program(request, path));
  }
}

// What PT_INTERP names, checked. Linux: the first half of load_elf_binary.
struct Interpreter {
  File file;
  ElfImage image;
};

Result<std::optional<Interpreter>> open_interpreter(const ExecRequest& request, const ElfImage& image) {
  if (!image.interpreter.has_value()) {
    return std::optional<Interpreter>();
  }
  FL_TRY_ASSIGN(File file, open_program(request, *image.interpreter));
  const MappingReader reader(file);
  ElfHeader header;
  FL_TRY(read_exactly(reader, 0, std::as_writable_bytes(std::span(&header, 1))));
  auto parsed = parse_elf(reader, image.loading);
  if (!parsed) {
    return fail(parsed.error() == Errno::kENOEXEC ? Errno::kELIBBAD : parsed.error());
  }
  return std::optional<Interpreter>({std::move(file), std::move(*parsed)});
}

}  // namespace

Result<LoadedProgram> load_program(vm::AddressSpace& mm, const ExecRequest& request, vm::FaultCounters& task) {
  const vm::KernelProfile& profile = mm.memory().profile();
  Aslr aslr(request.aslr_seed);
  const VirtAddr stack_top = aslr.stack_top(profile);

  // Before the point of no return: strings, then the file's headers.
  GivenStrings given(request);
  ExecStrings& source = request.strings != nullptr ? *request.strings : given;
  uint32_t argc = std::max(source.argc(), 1u);
  const uint32_t envc = source.envc();
  FL_TRY_ASSIGN(ArgumentStrings strings, ArgumentStrings::create(mm, task, stack_top, uint64_t{argc} + envc));
  FL_TRY(strings.push(request.path));
  AuxValues aux;
  aux.execfn = strings.position();
  FL_TRY(push_all(strings, envc, [&source](uint32_t index) { return source.envp(index); }));
  FL_TRY(push_all(strings, source.argc(), [&source](uint32_t index) { return source.argv(index); }));
  if (source.argc() == 0) {
    FL_TRY(strings.push(""));
  }
  FL_TRY_ASSIGN(const File file, find_binary(request, strings, argc));
  FL_TRY_ASSIGN(const ElfImage image, parse_elf(MappingReader(file), profile.elf_loading));
  FL_TRY_ASSIGN(const std::optional<Interpreter> interpreter, open_interpreter(request, image));

  if (request.point_of_no_return) {
    request.point_of_no_return();
  }
  // Behind it: personality, layout, stack, segments, vDSO, tables.
  if (image.exec_stack == ExecStack::kDefault) {
    mm.set_read_implies_exec(true);
  }
  mm.set_mmap_base(aslr.mmap_base(profile, mm.limits().stack));
  FL_TRY(strings.finish_stack(image.exec_stack));
  FL_TRY_ASSIGN(const LoadedImage program, load_elf(mm, task, aslr, file, image));
  LoadedProgram result;
  result.entry = program.entry;
  if (interpreter.has_value()) {
    FL_TRY_ASSIGN(const LoadedImage loaded,
                  load_elf_interpreter(mm, task, interpreter->file, interpreter->image, program));
    result.entry = loaded.entry;
    aux.interpreter_base = VirtAddr(loaded.bias);
  }
  if (request.vdso != nullptr) {
    FL_TRY_ASSIGN(result.vdso_base, request.vdso->map(mm));
    result.vdso = request.vdso->symbols(result.vdso_base);
  }

  aux.vdso_base = result.vdso_base;
  aux.vsyscall = result.vdso.vsyscall;
  aux.min_signal_stack = request.min_signal_stack;
  aux.hwcap = request.hwcap;
  aux.hwcap2 = request.hwcap2;
  aux.phdr = program.phdr;
  aux.phnum = image.header.e_phnum;
  aux.entry = program.entry;
  aux.uid = request.uid;
  aux.euid = request.euid;
  aux.gid = request.gid;
  aux.egid = request.egid;
  FL_TRY_ASSIGN(InitialStack stack,
                create_elf_tables(mm, task, aslr, strings.position(), argc, envc, aux, request.at_random));
  result.stack_pointer = stack.stack_pointer;
  result.auxv = proc_auxv(std::move(stack.auxv), profile);
  result.comm = comm_of(request.path);
  result.exe = file;
  result.read_implies_exec = mm.read_implies_exec();
  return result;
}

}  // namespace fl::loaders
