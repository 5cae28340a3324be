// What a read-only file system answers to changes. Linux counterpart: mnt_want_write on a read-only mount.
#include "guest/fs/file_system.hpp"

namespace fl::guest {

Status FileSystem::check_unnamed_files(const Caller& caller, const std::string& path) {
  FL_TRY_ASSIGN(const FileStat stat, lstat(caller, path));
  return fail(stat.is_symlink() ? Errno::kELOOP : stat.is_directory() ? Errno::kEOPNOTSUPP : Errno::kENOTDIR);
}
Status FileSystem::mkdir(const Caller&, const std::string&, uint32_t) { return fail(Errno::kEROFS); }
Status FileSystem::mknod(const Caller&, const std::string&, uint32_t) { return fail(Errno::kEROFS); }
Status FileSystem::symlink(const Caller&, const std::string&, const std::string&) { return fail(Errno::kEROFS); }
Status FileSystem::remove(const Caller&, const std::string&, RemoveKind) { return fail(Errno::kEROFS); }
Status FileSystem::rename(const Caller&, const std::string&, const std::string&, uint32_t) {
  return fail(Errno::kEROFS);
}
Status FileSystem::link(const Caller&, const std::string&, const std::string&) { return fail(Errno::kEROFS); }
Status FileSystem::link_file(const Caller&, OpenFile&, const std::string&) { return fail(Errno::kEXDEV); }
Status FileSystem::chmod(const Caller&, const std::string&, uint32_t) { return fail(Errno::kEROFS); }
Status FileSystem::chown(const Caller&, const std::string&, uint32_t, uint32_t) { return fail(Errno::kEROFS); }
Status FileSystem::truncate(const Caller&, const std::string&, uint64_t) { return fail(Errno::kEROFS); }
Status FileSystem::set_times(const Caller&, const std::string&, const TimeChanges&) { return fail(Errno::kEROFS); }
Result<std::shared_ptr<const void>> FileSystem::socket_at(const Caller& caller, const std::string& path) {
  FL_TRY(lstat(caller, path));
  return fail(Errno::kECONNREFUSED);
}

}  // namespace fl::guest
