// SEM_UNDO: what operations of ended processes have changed is taken back. Linux counterparts: find_alloc_undo,
// get_undo_list, exit_sem (ipc/sem.c).
#include <algorithm>

#include "guest/ipc/sem.hpp"
#include "guest/kernel.hpp"
#include "guest/task.hpp"

namespace fl::guest {

Result<std::shared_ptr<SemUndoList>> SemArrays::undo_list(Task& task) {
  if (task.sem_undo == nullptr) {
    vm::SlabAllocator& slab = kernel_.memory().slab();
    FL_TRY(vm::with_memory(
        [&] { task.sem_undo = std::allocate_shared<SemUndoList>(vm::SlabStlAllocator<SemUndoList>(slab), slab); }));
  }
  return task.sem_undo;
}

// EINVAL: there is no such set; ENOMEM.
Result<SemUndo*> SemArrays::find_undo(Task& task, int32_t id) {
  FL_TRY_ASSIGN(const auto list, undo_list(task));
  const auto known =
      std::find_if(list->undos.begin(), list->undos.end(), [id](const SemUndo& undo) { return undo.id == id; });
  if (known != list->undos.end()) {
    return &*known;
  }
  IpcPerm* const found = ids_.find(id);
  if (found == nullptr) {
    return fail(Errno::kEINVAL);
  }
  auto& array = static_cast<SemArray&>(*found);
  vm::SlabAllocator& slab = kernel_.memory().slab();
  FL_TRY_ASSIGN(auto undo, kmalloc_object<SemUndo>(slab, array, id, array.size(), slab));
  list->undos.push_front(*undo);
  array.undos.push_front(*undo);
  return undo.release();  // the two lists have it
}

void SemArrays::exit_sem(Task& task) {
  const std::shared_ptr<SemUndoList> list = std::move(task.sem_undo);
  if (list == nullptr || list.use_count() > 1) {
    return;
  }
  while (!list->undos.empty()) {
    const KmallocPtr<SemUndo> undo(&list->undos.front(), KmallocDeleter{&list->slab});
    undo->of_list.unlink();
    undo->of_array.unlink();
    SemArray& array = undo->array;
    for (uint32_t i = 0; i < array.size(); ++i) {
      if (undo->adjust[i] != 0) {
        Sem& sem = array.sems[i];
        sem.value = std::clamp(sem.value + undo->adjust[i], 0, kSemMaxValue);
        sem.pid = task.tgid;
      }
    }
    changed(array, {}, true);
  }
}

}  // namespace fl::guest
