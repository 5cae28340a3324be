/* faultline/plugin.h: all that a plugin of `faultline run --plugin` needs.
 *
 * A plugin is a shared object that exports two symbols and links with nothing of faultline:
 *
 *     FAULTLINE_PLUGIN                      // the version of this header
 *     int faultline_plugin_load(const struct faultline_api *api, struct faultline_plugin *self) {
 *       api->subscribe(self, FAULTLINE_FAULT_END, on_fault, NULL);
 *       return 0;                           // anything else: the run does not start
 *     }
 *
 * It is called through `api` and by the functions it subscribes; everything happens on one thread. Sizes are bytes,
 * times nanoseconds of the machine's (virtual) time, addresses those of the simulated i386. Functions that answer `int`
 * give 0, or an errno value of this header below 0. emu/plugin/README.md is the guide; it has the rules: when the
 * machine is seen, what each event costs, and which changes keep the version.
 */
#ifndef FAULTLINE_PLUGIN_H
#define FAULTLINE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Another major number: nothing fits. A minor number counts additions: events, members at the end of structs, functions
 * at the end of faultline_api. A plugin runs where the major number is its own and the minor one is not less. */
#define FAULTLINE_API_MAJOR 1u
#define FAULTLINE_API_MINOR 0u
#define FAULTLINE_API_VERSION (FAULTLINE_API_MAJOR << 16 | FAULTLINE_API_MINOR)

#define FAULTLINE_EXPORT __attribute__((visibility("default")))
#ifdef __cplusplus
#define FAULTLINE_PLUGIN \
  extern "C" FAULTLINE_EXPORT const uint32_t faultline_plugin_api_version = FAULTLINE_API_VERSION;
#else
#define FAULTLINE_PLUGIN FAULTLINE_EXPORT const uint32_t faultline_plugin_api_version = FAULTLINE_API_VERSION;
#endif

/* What functions answer, negative. */
enum faultline_errno {
  FAULTLINE_ENOENT = 2,  /* no area there, no further task, no such option */
  FAULTLINE_ESRCH = 3,   /* no such task, or it has no memory */
  FAULTLINE_EAGAIN = 11, /* there is no machine yet (in faultline_plugin_load), or none any more */
  FAULTLINE_EBUSY = 16,  /* another plugin has the policy */
  FAULTLINE_EINVAL = 22  /* an argument that cannot be */
};

struct faultline_plugin; /* the plugin, to faultline */

/* ------------------------------------------------------------------------------------------------------ events */

enum faultline_event_kind {
  FAULTLINE_START = 0,       /* the machine has booted; no program is loaded yet */
  FAULTLINE_END = 1,         /* all work is done, or the run was stopped; the machine is still there. The last event */
  FAULTLINE_FAULT_BEGIN = 2, /* u.fault: a page fault, before anything is done about it */
  FAULTLINE_FAULT_END = 3,   /* u.fault: the whole record, as --trace has it */
  FAULTLINE_TLB_FILL = 4,    /* u.tlb: the processor was given a translation */
  FAULTLINE_TLB_FLUSH = 5,   /* u.tlb: it has forgotten all of them */
  FAULTLINE_VMA_MADE = 6,    /* u.vma */
  FAULTLINE_VMA_CHANGED = 7, /* u.vma: its borders or flags; as it is now */
  FAULTLINE_VMA_REMOVED = 8, /* u.vma: as it was */
  FAULTLINE_PAGE_ALLOCATED = 9, /* u.page: 2^order frames */
  FAULTLINE_PAGE_FREED = 10,    /* u.page */
  FAULTLINE_PAGE_MAPPED = 11,   /* u.page: an entry leads to it */
  FAULTLINE_PAGE_UNMAPPED = 12, /* u.page: or does not any more */
  FAULTLINE_SWAP_OUT = 13,      /* u.swap: written to its slot */
  FAULTLINE_SWAP_IN = 14,       /* u.swap: read from its slot */
  FAULTLINE_KSWAPD_WAKE = 15,   /* u.reclaim: too little is free, kswapd will run */
  FAULTLINE_RECLAIM = 16,       /* u.reclaim: a pass is over */
  FAULTLINE_WRITEBACK = 17,     /* u.writeback: a page of a file was written */
  FAULTLINE_OOM_KILL = 18,      /* u.oom */
  FAULTLINE_FORK = 19,          /* u.task: a new process */
  FAULTLINE_CLONE = 20,         /* u.task: a new thread */
  FAULTLINE_EXEC = 21,          /* u.task: goes on with another program; the first program's too */
  FAULTLINE_EXIT = 22,          /* u.task: a thread has ended; its memory is still there */
  FAULTLINE_SIGNAL = 23,        /* u.signal: goes to a handler, or stops or ends the process */
  FAULTLINE_SYSCALL_ENTER = 24, /* u.syscall */
  FAULTLINE_SYSCALL_EXIT = 25,  /* u.syscall */
  FAULTLINE_BLOCK = 26,         /* u.block: a block of instructions is executed. Slow */
  FAULTLINE_ACCESS = 27,        /* u.access: an instruction reads or writes memory. Very slow */
  FAULTLINE_EVENT_KINDS = 28
};

enum faultline_access_kind { FAULTLINE_READ = 0, FAULTLINE_WRITE = 1, FAULTLINE_FETCH = 2 };

/* Who made the access: the program, the kernel on its behalf, or get_user_pages. */
enum faultline_mode { FAULTLINE_USER = 0, FAULTLINE_KERNEL = 1, FAULTLINE_GUP = 2 };

/* Only the first two are counted; the others refuse the access. */
enum faultline_result {
  FAULTLINE_MINOR = 0,
  FAULTLINE_MAJOR = 1,
  FAULTLINE_SEGV_MAPERR = 2,
  FAULTLINE_SEGV_ACCERR = 3,
  FAULTLINE_BUS = 4,
  FAULTLINE_OOM = 5
};

/* VM_* of Linux, by their values. */
enum faultline_vma_flag {
  FAULTLINE_VM_READ = 0x1,
  FAULTLINE_VM_WRITE = 0x2,
  FAULTLINE_VM_EXEC = 0x4,
  FAULTLINE_VM_SHARED = 0x8,
  FAULTLINE_VM_GROWSDOWN = 0x100,
  FAULTLINE_VM_LOCKED = 0x2000
};

/* One mapping of an address space. `name` is that of /proc/PID/maps, empty if there is none; it is not ended by NUL and
 * is valid until the function or the callback returns; in FAULTLINE_VMA_* events it is empty. */
struct faultline_vma {
  uint32_t size;       /* of this struct; for a query the caller sets it */
  uint32_t start, end; /* end: exclusive */
  uint32_t flags;      /* all of Linux's, not only those above */
  uint32_t pgoff;      /* pages: of `start` in the file */
  uint32_t name_length;
  const char* name;
  uint64_t device, inode; /* 0: no file */
  uint32_t mm;            /* which address space: as faultline_task.mm */
  uint32_t reserved;
};

struct faultline_fault {
  uint32_t addr;                                  /* first byte that could not be accessed */
  uint8_t access;                                 /* enum faultline_access_kind */
  uint8_t mode;                                   /* enum faultline_mode */
  uint8_t result;                                 /* enum faultline_result; FAULT_BEGIN: 0 */
  uint8_t cause;                                  /* a number for api->cause_name(); FAULT_BEGIN: 255 */
  uint32_t error_code;                            /* FAULT_BEGIN: of the processor */
  uint32_t ip;                                    /* eip of the instruction, or where the program will go on */
  uint32_t pfn;                                   /* frame in pte_after; 0: none */
  uint32_t pte_before, pte_after;                 /* FAULT_BEGIN: pte_after is 0 */
  uint32_t around_from, around_to, around_mapped; /* first and last page of the fault-around window; mapped 0: none */
  uint32_t mm;                                    /* which address space */
  const struct faultline_vma* vma;                /* NULL: none there; FAULT_BEGIN: NULL */
};

struct faultline_tlb {
  uint32_t page;  /* FLUSH: 0, as all else */
  uint32_t pte;   /* the entry as it was handed out */
  uint8_t access; /* for what */
  uint8_t reserved[3];
};

struct faultline_page_event {
  uint32_t pfn;
  uint32_t order; /* ALLOCATED, FREED: 2^order frames from pfn on */
  uint32_t addr;  /* MAPPED, UNMAPPED: where */
  uint32_t mm;    /* MAPPED, UNMAPPED: in which address space */
};

struct faultline_swap_event {
  uint32_t pfn;
  uint32_t area, slot; /* which swap area, and which page of it */
  uint8_t failed;      /* OUT: it could not be written */
  uint8_t ahead;       /* IN: nobody has asked for it yet */
  uint8_t reserved[2];
};

struct faultline_reclaim {
  uint64_t scanned, reclaimed; /* pages */
  uint32_t node;
  int32_t priority; /* 12: a little of each list, to 0: all */
  uint8_t kswapd;   /* 0: whoever needed memory did it himself */
  uint8_t reserved[7];
};

struct faultline_writeback {
  uint64_t inode, index; /* page `index` of the file */
  uint32_t pfn;
  uint8_t failed;
  uint8_t reserved[3];
};

struct faultline_oom {
  int64_t pages; /* what its death brings */
  uint32_t victim;
  uint32_t reserved;
};

struct faultline_task_event {
  uint32_t other_pid, other_tid; /* FORK, CLONE: the new task */
  uint32_t status;               /* EXIT: as wait4 stores it */
  uint32_t reserved;
};

struct faultline_signal {
  int32_t number, code; /* si_signo, si_code */
  uint32_t addr;        /* of a fault */
  uint32_t sender;      /* pid, of kill and SIGCHLD */
};

struct faultline_syscall {
  uint32_t number;
  uint32_t args[6];
  uint32_t result; /* EXIT: as eax: value or -errno */
};

struct faultline_block {
  uint32_t ip;
  uint32_t bytes;
};

struct faultline_access {
  uint32_t addr;
  uint32_t physical; /* of its first byte */
  uint16_t bytes;
  uint8_t access; /* READ, WRITE; fetches are blocks */
  uint8_t reserved;
};

struct faultline_event {
  uint32_t size;     /* of what is there of this struct */
  uint32_t kind;     /* enum faultline_event_kind */
  uint64_t time_ns;  /* when it happened */
  uint32_t pid, tid; /* of the task that the machine worked for; 0: none yet */
  union {
    struct faultline_fault fault;
    struct faultline_tlb tlb;
    struct faultline_vma vma;
    struct faultline_page_event page;
    struct faultline_swap_event swap;
    struct faultline_reclaim reclaim;
    struct faultline_writeback writeback;
    struct faultline_oom oom;
    struct faultline_task_event task;
    struct faultline_signal signal;
    struct faultline_syscall syscall;
    struct faultline_block block;
    struct faultline_access access;
  } u;
};

/* `event` and what it points to is valid until the function returns. */
typedef void (*faultline_event_fn)(void* user, const struct faultline_event* event);

/* ----------------------------------------------------------------------------------------------------- queries */

/* Structs that a query fills in: the caller sets `size` to the struct's; not more is written. */
struct faultline_registers {
  uint32_t size;
  uint32_t eax, ebx, ecx, edx, esi, edi, ebp, esp, eip, eflags;
  uint16_t cs, ss, ds, es, fs, gs;
};

/* What the processor reads to translate an address, step by step. */
struct faultline_walk {
  uint32_t size;
  uint32_t cr3;                              /* the page directory */
  uint32_t pde_at, pde;                      /* physical address of the directory's entry, and the entry */
  uint32_t pte_at, pte;                      /* the table's; 0 if there is no table */
  uint32_t physical;                         /* of the address; 0 if it is not present */
  uint8_t present;                           /* in both levels */
  uint8_t user_read, user_write, user_fetch; /* 1: the program may */
};

/* PG_* of a page, numbers of this header. */
enum faultline_page_flag {
  FAULTLINE_PAGE_FREE = 1u << 0,
  FAULTLINE_PAGE_RESERVED = 1u << 1, /* never allocated: the kernel's image, the zero page */
  FAULTLINE_PAGE_TABLE = 1u << 2,    /* a page table */
  FAULTLINE_PAGE_SLAB = 1u << 3,     /* kernel objects */
  FAULTLINE_PAGE_ANON = 1u << 4,
  FAULTLINE_PAGE_FILE = 1u << 5,  /* in the page cache */
  FAULTLINE_PAGE_SHMEM = 1u << 6, /* and that of shared memory */
  FAULTLINE_PAGE_DIRTY = 1u << 7,
  FAULTLINE_PAGE_LRU = 1u << 8, /* on a list of pages that reclaim looks at */
  FAULTLINE_PAGE_ACTIVE = 1u << 9,
  FAULTLINE_PAGE_REFERENCED = 1u << 10,
  FAULTLINE_PAGE_UNEVICTABLE = 1u << 11,
  FAULTLINE_PAGE_SWAPCACHE = 1u << 12,
  FAULTLINE_PAGE_WORKINGSET = 1u << 13,
  FAULTLINE_PAGE_KERNEL = 1u << 14,   /* the kernel's own, none of the others */
  FAULTLINE_PAGE_READAHEAD = 1u << 15 /* read ahead and not used yet */
};

/* struct page. */
struct faultline_page {
  uint32_t size;
  uint32_t pfn;
  uint32_t flags;     /* FAULTLINE_PAGE_* */
  int32_t refcount;   /* page tables, caches, pins; 0: free */
  int32_t mapcount;   /* entries that lead to it */
  uint32_t index;     /* page offset in its file; linear page number of an anonymous page */
  uint32_t order;     /* FREE: of the block that begins here */
  uint8_t zone, node; /* zone: 0 DMA, 1 Normal, 2 HighMem, 3 Movable */
  uint8_t reserved[2];
};

/* Of the whole machine, since it booted. */
struct faultline_counters {
  uint32_t size;
  uint32_t ram_frames;
  uint64_t minor_faults, major_faults;
  uint64_t free_frames, used_frames, peak_frames, page_table_frames;
  uint64_t swap_ins, swap_outs; /* pages */
  uint64_t pages_scanned, pages_reclaimed;
  uint64_t oom_kills;
  uint64_t syscalls, blocks;
  uint64_t tlb_fills, tlb_flushes; /* these depend on the host, too, and differ from run to run */
};

struct faultline_task {
  uint32_t size;
  uint32_t tid, pid, parent_pid;
  char comm[16];
  uint32_t mm;     /* its address space; 0: none any more. Threads share it */
  uint8_t state;   /* 0 new, 1 running, 2 woken, 3 sleeping, 4 zombie */
  uint8_t current; /* 1: the machine works for it */
  uint8_t reserved[2];
  uint64_t minor_faults, major_faults, syscalls;
  uint32_t rss, swapped, total_vm, page_tables; /* pages, of its address space */
};

/* ---------------------------------------------------------------------------------------------------- policies */

/* Each policy has one function, of one plugin. It is asked in the middle of the kernel's work, and may use all queries.
 */

/* The pages that a read fault on a file maps: *from and *to (exclusive) hold Linux's answer, and take another. It is
 * cut to the area and to the page table; the page itself is always mapped. */
typedef void (*faultline_around_fn)(void* user, const struct faultline_vma* vma, uint32_t page, uint32_t* from,
                                    uint32_t* to);

/* What becomes of `count` (at most 32) pages from the end of an inactive list: verdicts hold FAULTLINE_EVICT_DEFAULT. A
 * kept page goes to the front of its list. When reclaim is desperate (priority 0) nobody is asked. A page that cannot
 * go stays whatever is answered. */
enum faultline_verdict { FAULTLINE_EVICT_DEFAULT = 0, FAULTLINE_EVICT = 1, FAULTLINE_KEEP = 2 };
typedef void (*faultline_evict_fn)(void* user, const uint32_t* pfns, uint32_t count, uint8_t* verdicts);

/* How many pages are read together when the page of `addr` comes from swap; `pages` is Linux's answer. 1 to 32; made a
 * power of two on a disk that rotates. */
typedef uint32_t (*faultline_readahead_fn)(void* user, const struct faultline_vma* vma, uint32_t addr, uint32_t pages);

/* Which process is killed: the index of one of them; `chosen` is Linux's answer. points[i] is oom_badness of tids[i].
 */
typedef uint32_t (*faultline_oom_fn)(void* user, const uint32_t* tids, const int64_t* points, uint32_t count,
                                     uint32_t chosen);

/* ---------------------------------------------------------------------------------------------------- functions */

/* `tid` 0 stands for the task that the machine works for. Queries look and change nothing: no fault, no A bit, no
 * frame, no time. */
struct faultline_api {
  uint32_t size;    /* of this struct */
  uint32_t version; /* of the faultline that runs */

  /* Only in faultline_plugin_load. One function for each kind of event: EBUSY. */
  int (*subscribe)(struct faultline_plugin* self, uint32_t kind, faultline_event_fn fn, void* user);
  int (*set_fault_around)(struct faultline_plugin* self, faultline_around_fn fn, void* user);
  int (*set_evict)(struct faultline_plugin* self, faultline_evict_fn fn, void* user);
  int (*set_swap_readahead)(struct faultline_plugin* self, faultline_readahead_fn fn, void* user);
  int (*set_oom_victim)(struct faultline_plugin* self, faultline_oom_fn fn, void* user);
  /* The value of an option of --plugin; NULL: not given. Options that nobody asked for are an error of the user's. */
  const char* (*option)(struct faultline_plugin* self, const char* name);
  /* As a number, also 0x..., from `least` to `most`: 0, with *value as it was if the option was not given. Else EINVAL,
   * and the plugin is refused with a message, whatever faultline_plugin_load answers. */
  int (*option_number)(struct faultline_plugin* self, const char* name, uint64_t least, uint64_t most, uint64_t* value);
  /* Why faultline_plugin_load will answer something else than 0: one line for the user. */
  void (*refuse)(struct faultline_plugin* self, const char* message);

  const char* (*cause_name)(uint32_t cause); /* "anon_zero"; NULL: no such cause */
  const char* (*event_name)(uint32_t kind);  /* "fault_end"; NULL: no such kind */
  uint64_t (*now_ns)(struct faultline_plugin* self);

  int (*registers)(struct faultline_plugin* self, uint32_t tid, struct faultline_registers* registers);
  /* How many bytes were read: those before the first page that is not present. */
  uint32_t (*read_virtual)(struct faultline_plugin* self, uint32_t tid, uint32_t addr, void* to, uint32_t bytes);
  uint32_t (*read_physical)(struct faultline_plugin* self, uint32_t physical, void* to, uint32_t bytes);
  int (*walk)(struct faultline_plugin* self, uint32_t tid, uint32_t addr, struct faultline_walk* walk);
  /* The area of an address; with vma_from the first one that ends above it, for going through all of them. */
  int (*vma)(struct faultline_plugin* self, uint32_t tid, uint32_t addr, struct faultline_vma* vma);
  int (*vma_from)(struct faultline_plugin* self, uint32_t tid, uint32_t addr, struct faultline_vma* vma);
  /* By frame, or by address (ENOENT: not present). */
  int (*page)(struct faultline_plugin* self, uint32_t pfn, struct faultline_page* page);
  int (*page_at)(struct faultline_plugin* self, uint32_t tid, uint32_t addr, struct faultline_page* page);
  int (*counters)(struct faultline_plugin* self, struct faultline_counters* counters);
  /* The task with the number, or the next one above it: with 0 the first of all. */
  int (*task)(struct faultline_plugin* self, uint32_t tid, struct faultline_task* task);
  int (*next_task)(struct faultline_plugin* self, uint32_t after_tid, struct faultline_task* task);
};

/* What a plugin defines. */
FAULTLINE_EXPORT int faultline_plugin_load(const struct faultline_api* api, struct faultline_plugin* self);

#ifdef __cplusplus
}
#endif

#endif
