//! System calls by name: which a program may make, which are refused, and why. Data, and the one source of both filters:
//! the embedded engine's ([`super::embedded`]) and the profile that Docker and Podman are given. It must not know what is
//! done with it.
//!
//! What is in no list fails as if the kernel did not have it in the embedded engine, and with `EPERM` in the others.

/// A call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    constant: &'static str,
    /// Its number in this machine's table; absent where it has none.
    pub number: Option<i64>,
}

impl Call {
    /// Its name, as the manual has it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.constant.strip_prefix("SYS_").unwrap_or(self.constant)
    }
}

/// Calls that are refused, and the reason.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// Why.
    pub reason: &'static str,
    /// Which.
    pub calls: &'static [Call],
}

macro_rules! calls {
    ($($call:ident)*) => { &[$(Call {
        constant: stringify!($call),
        #[cfg(target_os = "linux")]
        number: Some(libc::$call),
        #[cfg(not(target_os = "linux"))]
        number: None,
    }),*] };
}

macro_rules! calls_of_x86_64 {
    ($($call:ident)*) => { &[$(Call {
        constant: stringify!($call),
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        number: Some(libc::$call),
        #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
        number: None,
    }),*] };
}

/// Allowed on every architecture.
#[rustfmt::skip]
pub const COMMON: &[Call] = calls! {
    SYS_accept SYS_accept4 SYS_bind SYS_brk SYS_capget SYS_capset SYS_chdir SYS_clock_getres SYS_clock_gettime
    SYS_clock_nanosleep SYS_clone SYS_close SYS_close_range SYS_connect SYS_copy_file_range SYS_dup SYS_dup3
    SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2 SYS_eventfd2 SYS_execve SYS_execveat SYS_exit
    SYS_exit_group SYS_faccessat SYS_faccessat2 SYS_fadvise64 SYS_fallocate SYS_fchdir SYS_fchmod SYS_fchmodat
    SYS_fchown SYS_fchownat SYS_fcntl SYS_fdatasync SYS_fgetxattr SYS_flistxattr SYS_flock SYS_fremovexattr
    SYS_fsetxattr SYS_fstat SYS_fstatfs SYS_fsync SYS_ftruncate SYS_futex SYS_futex_waitv SYS_get_robust_list
    SYS_getcpu SYS_getcwd SYS_getdents64 SYS_getegid SYS_geteuid SYS_getgid SYS_getgroups SYS_getitimer
    SYS_getpeername SYS_getpgid SYS_getpid SYS_getppid SYS_getpriority SYS_getrandom SYS_getresgid SYS_getresuid
    SYS_getrusage SYS_getsid SYS_getsockname SYS_getsockopt SYS_gettid SYS_gettimeofday SYS_getuid SYS_getxattr
    SYS_inotify_add_watch SYS_inotify_init1 SYS_inotify_rm_watch SYS_io_cancel SYS_io_destroy SYS_io_getevents
    SYS_io_setup SYS_io_submit SYS_ioprio_get SYS_ioctl SYS_kill SYS_landlock_add_rule SYS_landlock_create_ruleset
    SYS_landlock_restrict_self SYS_lgetxattr SYS_linkat SYS_listen SYS_listxattr SYS_llistxattr SYS_lremovexattr
    SYS_lseek SYS_lsetxattr SYS_madvise SYS_membarrier SYS_memfd_create SYS_memfd_secret SYS_mincore SYS_mkdirat
    SYS_mknodat SYS_mlock SYS_mlock2 SYS_mlockall SYS_mmap SYS_mprotect SYS_mq_getsetattr SYS_mq_notify SYS_mq_open
    SYS_mq_timedreceive SYS_mq_timedsend SYS_mq_unlink SYS_mremap SYS_mseal SYS_msgctl SYS_msgget SYS_msgrcv
    SYS_msgsnd SYS_msync SYS_munlock SYS_munlockall SYS_munmap SYS_nanosleep SYS_newfstatat SYS_openat SYS_openat2
    SYS_personality SYS_pidfd_open SYS_pidfd_send_signal SYS_pipe2 SYS_pkey_alloc SYS_pkey_free SYS_pkey_mprotect
    SYS_ppoll SYS_prctl SYS_pread64 SYS_preadv SYS_preadv2 SYS_prlimit64 SYS_pselect6 SYS_pwrite64 SYS_pwritev
    SYS_pwritev2 SYS_read SYS_readahead SYS_readlinkat SYS_readv SYS_recvfrom SYS_recvmmsg SYS_recvmsg
    SYS_remap_file_pages SYS_removexattr SYS_renameat2 SYS_restart_syscall SYS_rseq SYS_rt_sigaction
    SYS_rt_sigpending SYS_rt_sigprocmask SYS_rt_sigqueueinfo SYS_rt_sigreturn SYS_rt_sigsuspend SYS_rt_sigtimedwait
    SYS_rt_tgsigqueueinfo SYS_sched_get_priority_max SYS_sched_get_priority_min SYS_sched_getaffinity
    SYS_sched_getattr SYS_sched_getparam SYS_sched_getscheduler SYS_sched_rr_get_interval SYS_sched_setaffinity
    SYS_sched_setattr SYS_sched_setparam SYS_sched_setscheduler SYS_sched_yield SYS_seccomp SYS_semctl SYS_semget
    SYS_semop SYS_semtimedop SYS_sendfile SYS_sendmmsg SYS_sendmsg SYS_sendto SYS_set_robust_list
    SYS_set_tid_address SYS_setfsgid SYS_setfsuid SYS_setgid SYS_setgroups SYS_setitimer SYS_setpgid SYS_setpriority
    SYS_setregid SYS_setresgid SYS_setresuid SYS_setreuid SYS_setsid SYS_setsockopt SYS_setuid SYS_setxattr
    SYS_shmat SYS_shmctl SYS_shmdt SYS_shmget SYS_shutdown SYS_sigaltstack SYS_signalfd4 SYS_socket SYS_socketpair
    SYS_splice SYS_statfs SYS_statx SYS_symlinkat SYS_sysinfo SYS_tee SYS_tgkill SYS_timer_create SYS_timer_delete
    SYS_timer_getoverrun SYS_timer_gettime SYS_timer_settime SYS_timerfd_create SYS_timerfd_gettime
    SYS_timerfd_settime SYS_times SYS_tkill SYS_truncate SYS_umask SYS_uname SYS_unlinkat SYS_utimensat SYS_vmsplice
    SYS_wait4 SYS_waitid SYS_write SYS_writev
};

/// Allowed, and only there on x86-64.
#[rustfmt::skip]
pub const X86_64: &[Call] = calls_of_x86_64! {
    SYS_access SYS_alarm SYS_arch_prctl SYS_chmod SYS_chown SYS_creat SYS_dup2 SYS_epoll_create SYS_epoll_wait
    SYS_eventfd SYS_fork SYS_futimesat SYS_get_thread_area SYS_getdents SYS_getpgrp SYS_getrlimit SYS_inotify_init
    SYS_lchown SYS_link SYS_lstat SYS_mkdir SYS_mknod SYS_open SYS_pause SYS_pipe SYS_poll SYS_readlink SYS_rename
    SYS_renameat SYS_rmdir SYS_select SYS_set_thread_area SYS_setrlimit SYS_signalfd SYS_stat SYS_symlink
    SYS_sync_file_range SYS_time SYS_unlink SYS_utime SYS_utimes SYS_vfork
};

const fn new(constant: &'static str, number: i64) -> Call {
    Call { constant, number: Some(number) }
}

/// Allowed, and newer than the C library's names; one number on all architectures.
pub const NEW: &[Call] = &[
    new("cachestat", 451),
    new("fchmodat2", 452),
    new("map_shadow_stack", 453),
    new("futex_wake", 454),
    new("futex_wait", 455),
    new("futex_requeue", 456),
    new("setxattrat", 463),
    new("getxattrat", 464),
    new("listxattrat", 465),
    new("removexattrat", 466),
];

/// Says that it is not there, for libraries to use `clone`: a filter cannot see its flags, and they make namespaces.
pub const UNKNOWN: &str = "clone3";

/// Refused whole, with `EPERM`. They are not allowed anyhow; a program that tries learns why.
#[rustfmt::skip]
pub const REFUSED: &[Group] = &[
    Group {
        reason: "another root, mounts: what is read-only or hidden could be put aside, and their code in the kernel was the way out more than once",
        calls: calls! {
            SYS_chroot SYS_fsconfig SYS_fsmount SYS_fsopen SYS_fspick SYS_mount SYS_mount_setattr SYS_move_mount
            SYS_open_tree SYS_pivot_root SYS_umount2
        },
    },
    Group {
        reason: "new namespaces: in one of its own a program has every capability, and reaches kernel code that is otherwise root's",
        calls: calls! {
            SYS_setns SYS_unshare
        },
    },
    Group {
        reason: "io_uring: it makes other calls without asking this filter, and has been the kernel's richest source of holes",
        calls: calls! {
            SYS_io_uring_enter SYS_io_uring_register SYS_io_uring_setup
        },
    },
    Group {
        reason: "keys: the kernel's keyring knows no namespaces",
        calls: calls! {
            SYS_add_key SYS_keyctl SYS_request_key
        },
    },
    Group {
        reason: "programs in the kernel, its counters, faults served by a program: tools to make a hole in the kernel usable",
        calls: calls! {
            SYS_bpf SYS_perf_event_open SYS_userfaultfd
        },
    },
    Group {
        reason: "other processes: their memory, files and threads; they share a user id with the shell that tells the end of a run",
        calls: calls! {
            SYS_kcmp SYS_migrate_pages SYS_move_pages SYS_pidfd_getfd SYS_process_madvise SYS_process_mrelease
            SYS_process_vm_readv SYS_process_vm_writev SYS_ptrace
        },
    },
    Group {
        reason: "modules and another kernel",
        calls: calls! {
            SYS_delete_module SYS_finit_module SYS_init_module SYS_kexec_load
        },
    },
    Group {
        reason: "clocks and names, which belong to the machine",
        calls: calls! {
            SYS_adjtimex SYS_clock_adjtime SYS_clock_settime SYS_setdomainname SYS_sethostname SYS_settimeofday
        },
    },
    Group {
        reason: "running the machine: accounting, quotas, swap, the log, restarting",
        calls: calls! {
            SYS_acct SYS_lookup_dcookie SYS_nfsservctl SYS_quotactl SYS_quotactl_fd SYS_reboot SYS_swapoff SYS_swapon
            SYS_syslog SYS_vhangup
        },
    },
    Group {
        reason: "files by handle: past every folder's permissions",
        calls: calls! {
            SYS_name_to_handle_at SYS_open_by_handle_at
        },
    },
    Group {
        reason: "watching whole file systems",
        calls: calls! {
            SYS_fanotify_init SYS_fanotify_mark
        },
    },
    Group {
        reason: "memory by node: it tells of the machine, and no program here needs it",
        calls: calls! {
            SYS_get_mempolicy SYS_mbind SYS_set_mempolicy SYS_set_mempolicy_home_node
        },
    },
];
