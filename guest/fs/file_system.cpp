// What a read-only file system answers to changes. Linux counterpart: mnt_want_write on a read-only mount.
#include "guest/fs/file_system.hpp"

namespace fl::guest {

Status FileSystem::mkdir(const std::string&, uint32_t) { return fail(Errno::kEROFS); }
Status FileSystem::symlink(const std::string&, const std::string&) { return fail(Errno::kEROFS); }
Status FileSystem::remove(const std::string&, RemoveKind) { return fail(Errno::kEROFS); }
Status FileSystem::rename(const std::string&, const std::string&, uint32_t) { return fail(Errno::kEROFS); }
Status FileSystem::link(const std::string&, const std::string&) { return fail(Errno::kEROFS); }
Status FileSystem::chmod(const std::string&, uint32_t) { return fail(Errno::kEROFS); }
Status FileSystem::chown(const std::string&, uint32_t, uint32_t) { return fail(Errno::kEROFS); }
Status FileSystem::truncate(const std::string&, uint64_t) { return fail(Errno::kEROFS); }
Status FileSystem::set_times(const std::string&, const TimeChanges&) { return fail(Errno::kEROFS); }

}  // namespace fl::guest
