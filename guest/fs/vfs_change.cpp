// Calls that change the tree, and what they do to the paths of open files. Linux counterparts: do_mkdirat, do_unlinkat,
// do_renameat2, do_linkat, ...; the checks of the last component are those of filename_create and filename_lookup.
#include "guest/fs/path.hpp"
#include "guest/fs/vfs.hpp"
#include "guest/fs/vfs_apply.hpp"

namespace fl::guest {
namespace {

constexpr uint32_t kRenameExchange = 2;

}  // namespace

Status Vfs::mkdir(const At& at, std::string_view path, uint32_t mode) {
  if (!path.empty() && last_component(path) != LastComponent::kNormal) {
    FL_TRY(walk(at, path, Follow::kYes, LastMayBeMissing::kNo));
    return fail(Errno::kEEXIST);
  }
  return apply(at, without_trailing_slashes(path), Follow::kNo, LastMayBeMissing::kYes,
               [&](const Spot& place) { return place.fs->mkdir(at.caller, place.path, mode); });
}

// The place of a name that is to be made and is not a directory.
Result<Vfs::Spot> Vfs::place_for_new(const At& at, std::string_view path) const {
  const bool normal = path.empty() || last_component(path) == LastComponent::kNormal;
  FL_TRY_ASSIGN(Spot place, walk(at, without_trailing_slashes(path), Follow::kNo, LastMayBeMissing::kYes));
  if (!normal || place.fs->lstat(at.caller, place.path)) {
    return fail(Errno::kEEXIST);
  }
  if (path.ends_with('/')) {
    return fail(Errno::kENOENT);
  }
  return place;
}

Status Vfs::symlink(const At& at, std::string_view path, const std::string& target) {
  FL_TRY_ASSIGN(const Spot place, place_for_new(at, path));
  return place.fs->symlink(at.caller, place.path, target);
}

Status Vfs::remove(const At& at, std::string_view path, RemoveKind kind) {
  switch (path.empty() ? LastComponent::kNormal : last_component(path)) {
    case LastComponent::kNormal:
      break;
    case LastComponent::kRoot:
      return fail(kind == RemoveKind::kFile ? Errno::kEISDIR : Errno::kEBUSY);
    case LastComponent::kDot:
      return fail(kind == RemoveKind::kFile ? Errno::kEISDIR : Errno::kEINVAL);
    case LastComponent::kDotDot:
      return fail(kind == RemoveKind::kFile ? Errno::kEISDIR : Errno::kENOTEMPTY);
  }
  const bool slash = path.ends_with('/');
  return apply(at, without_trailing_slashes(path), Follow::kNo, LastMayBeMissing::kNo,
               [&](const Spot& place) -> Status {
                 if (place.is_mount_point()) {
                   return fail(Errno::kEBUSY);
                 }
                 if (slash && kind == RemoveKind::kFile) {
                   FL_TRY_ASSIGN(const FileStat stat, place.fs->lstat(at.caller, place.path));
                   return fail(stat.is_directory() ? Errno::kEISDIR : Errno::kENOTDIR);
                 }
                 FL_TRY(place.fs->remove(at.caller, place.path, kind));
                 note_removed(place.full);
                 return {};
               });
}

Status Vfs::rename(const At& from_at, std::string_view from, const At& to_at, std::string_view to, uint32_t flags) {
  for (const std::string_view path : {from, to}) {
    if (!path.empty() && last_component(path) != LastComponent::kNormal) {
      return fail(Errno::kEBUSY);
    }
  }
  FL_TRY_ASSIGN(const Spot source, walk(from_at, without_trailing_slashes(from), Follow::kNo, LastMayBeMissing::kNo));
  FL_TRY_ASSIGN(const Spot target, walk(to_at, without_trailing_slashes(to), Follow::kNo, LastMayBeMissing::kYes));
  if (source.mount != target.mount) {
    return fail(Errno::kEXDEV);
  }
  if (source.is_mount_point() || target.is_mount_point()) {
    return fail(Errno::kEBUSY);
  }
  if (from.ends_with('/') || to.ends_with('/')) {
    FL_TRY_ASSIGN(const FileStat stat, source.fs->lstat(from_at.caller, source.path));
    if (!stat.is_directory()) {
      return fail(Errno::kENOTDIR);
    }
  }
  // What may fail comes first.
  Renames renames;
  if (source.full != target.full) {
    FL_TRY(plan_rename(source.full, target.full, renames));
    if ((flags & kRenameExchange) != 0) {
      FL_TRY(plan_rename(target.full, source.full, renames));
    }
  }
  FL_TRY(source.fs->rename(from_at.caller, source.path, target.path, flags));
  if (source.full != target.full && (flags & kRenameExchange) == 0) {
    note_removed(target.full);
  }
  for (Renamed& renamed : renames) {
    renamed.path->name = std::move(renamed.name);
  }
  return {};
}

Status Vfs::link(const At& from_at, std::string_view from, const At& to_at, std::string_view to, Follow follow) {
  FL_TRY_ASSIGN(const Spot source, walk(from_at, from, follow, LastMayBeMissing::kNo));
  FL_TRY_ASSIGN(const Spot target, place_for_new(to_at, to));
  if (source.magic) {
    // /proc/self/fd/N: a name for what is open.
    FL_TRY_ASSIGN(const auto file, source.fs->open(from_at.caller, source.path, {OpenFlag::kPath, 0, root_}));
    return target.fs->link_file(to_at.caller, *file, target.path);
  }
  if (source.mount != target.mount) {
    return fail(Errno::kEXDEV);
  }
  return source.fs->link(from_at.caller, source.path, target.path);
}

Status Vfs::link_file(OpenFile& file, const At& to_at, std::string_view to) {
  FL_TRY_ASSIGN(const Spot target, place_for_new(to_at, to));
  return target.fs->link_file(to_at.caller, file, target.path);
}

Status Vfs::mknod(const At& at, std::string_view path, uint32_t mode) {
  FL_TRY_ASSIGN(const Spot place, place_for_new(at, path));
  return place.fs->mknod(at.caller, place.path, mode);
}

Result<std::shared_ptr<const void>> Vfs::socket_at(const At& at, std::string_view path) {
  FL_TRY_ASSIGN(const Spot place, walk(at, path, Follow::kYes, LastMayBeMissing::kNo));
  return place.fs->socket_at(at.caller, place.path);
}

Status Vfs::chmod(const At& at, std::string_view path, uint32_t mode, Follow follow) {
  return apply(at, path, follow, LastMayBeMissing::kNo, [&](const Spot& place) -> Status {
    FL_TRY_ASSIGN(const Spot target, settle(at, place, follow));
    return target.fs->chmod(at.caller, target.path, mode);
  });
}

Status Vfs::chown(const At& at, std::string_view path, uint32_t uid, uint32_t gid, Follow follow) {
  return apply(at, path, follow, LastMayBeMissing::kNo, [&](const Spot& place) -> Status {
    FL_TRY_ASSIGN(const Spot target, settle(at, place, follow));
    return target.fs->chown(at.caller, target.path, uid, gid);
  });
}

Status Vfs::truncate(const At& at, std::string_view path, uint64_t size) {
  return apply(at, path, Follow::kYes, LastMayBeMissing::kNo, [&](const Spot& place) -> Status {
    FL_TRY_ASSIGN(const Spot target, settle(at, place, Follow::kYes));
    FL_TRY_ASSIGN(const FileStat stat, target.fs->lstat(at.caller, target.path));
    if (stat.is_directory()) {
      return fail(Errno::kEISDIR);
    }
    if (!stat.is_regular()) {
      return fail(Errno::kEINVAL);
    }
    return target.fs->truncate(at.caller, target.path, size);
  });
}

Status Vfs::set_times(const At& at, std::string_view path, const TimeChanges& times, Follow follow) {
  return apply(at, path, follow, LastMayBeMissing::kNo, [&](const Spot& place) -> Status {
    FL_TRY_ASSIGN(const Spot target, settle(at, place, follow));
    return target.fs->set_times(at.caller, target.path, times);
  });
}

void Vfs::note_removed(const std::string& full) {
  for (LivePath& path : live_paths_) {
    if (path.text() == full) {
      path.deleted = true;
    }
  }
}

Status Vfs::plan_rename(const std::string& from, const std::string& to, Renames& renames) {
  for (LivePath& path : live_paths_) {
    // What was removed kept its parent, but not its name.
    if (path_is_below(path.text(), from) && (!path.deleted || path.text() != from)) {
      FL_TRY_ASSIGN(SharedText name,
                    SharedText::make(caches_.slab(), to + std::string(path.text().substr(from.size()))));
      renames.push_back({&path, std::move(name)});
    }
  }
  return {};
}

}  // namespace fl::guest
