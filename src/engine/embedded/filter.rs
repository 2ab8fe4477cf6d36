//! Which system calls a program may make: an allow-list at least as strict as Docker's default profile.
//!
//! # Theory of operation
//!
//! Two filters, and the kernel takes the stricter answer. The first knows numbers only: it allows what is listed, says `EPERM`
//! to what a program should know is forbidden, and to the rest `ENOSYS`, as a kernel without that call would: libraries then
//! use the older way. That is what must happen to `clone3`, whose flags a filter cannot see. The second says `EPERM` to
//! allowed calls with forbidden arguments: new namespaces, address families beside the ordinary ones, devices, typing into
//! a terminal. A call through another architecture's table (32-bit `int 0x80`) kills the process.
//!
//! What Docker allows and this does not: `ptrace`, `process_vm_*`, `process_madvise`, `pidfd_getfd`, `kcmp`, `io_uring`, `personality` other
//! than asking, `chroot`, sockets other than UNIX, IPv4, IPv6 and
//! netlink's routing, device nodes, changing the limit on core files and the signal on a parent's death, `sync` (it would flush every disk of the machine), setting clocks and priorities of I/O.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as Condition,
    SeccompFilter, SeccompRule, TargetArch,
};

use super::tree::{self, Verdict};
use crate::engine::calls::{COMMON, NEW, REFUSED, X86_64};

const EPERM: u16 = 1;
const ENOSYS: u16 = 38;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The compiled filters.
pub(super) struct Filters {
    /// For every sandbox, in the order to apply them.
    pub(super) always: Vec<BpfProgram>,
    /// Where System V shared memory and queues cannot be made small.
    pub(super) no_system_v: BpfProgram,
    /// Where no cgroup counts memory: that which belongs to no process could not be seen.
    pub(super) no_unowned_memory: BpfProgram,
}

/// Compiles them.
pub(super) fn compile() -> io::Result<Filters> {
    let build = |listed: &[(u32, Verdict)], otherwise| {
        tree::build(listed, otherwise).ok_or_else(|| io::Error::other("too many system calls"))
    };
    let without = |calls: &[libc::c_long], errno| {
        let mut listed: Vec<_> =
            calls.iter().filter_map(|&call| Some((u32::try_from(call).ok()?, Verdict::Errno(errno)))).collect();
        listed.sort_unstable_by_key(|(call, _)| *call);
        build(&listed, Verdict::Allow)
    };
    let numbers = build(&listed(), Verdict::Errno(ENOSYS))?;
    let arguments = (|| -> Result<BpfProgram, seccompiler::BackendError> {
        let arch = TargetArch::try_from(std::env::consts::ARCH)?;
        SeccompFilter::new(refused()?, SeccompAction::Allow, SeccompAction::Errno(u32::from(EPERM)), arch)?.try_into()
    })();
    Ok(Filters {
        always: vec![numbers, arguments.map_err(io::Error::other)?],
        no_system_v: without(&[libc::SYS_shmget, libc::SYS_msgget, libc::SYS_semget], EPERM)?,
        no_unowned_memory: without(&[libc::SYS_memfd_create, libc::SYS_memfd_secret], ENOSYS)?,
    })
}

/// Whether the filters exist for this machine's architecture.
pub(super) fn supported() -> bool {
    TargetArch::try_from(std::env::consts::ARCH).is_ok()
}

/// All calls with a verdict of their own, in order.
fn listed() -> Vec<(u32, Verdict)> {
    let allowed = [COMMON, X86_64, NEW].into_iter().flatten().map(|call| (call, Verdict::Allow));
    let refused = REFUSED.iter().flat_map(|group| group.calls).map(|call| (call, Verdict::Errno(EPERM)));
    // A map: should a call be in both lists, the refusal, which comes later, counts.
    let all: BTreeMap<u32, Verdict> = allowed
        .chain(refused)
        .filter_map(|(call, verdict)| Some((u32::try_from(call.number?).ok()?, verdict)))
        .collect();
    all.into_iter().collect()
}

fn refused() -> Result<Rules, seccompiler::BackendError> {
    let mut rules = Rules::new();
    let mut spaces = Vec::new();
    for flag in NAMESPACE_FLAGS {
        spaces.push(SeccompRule::new(vec![Condition::new(0, Len::Qword, Op::MaskedEq(flag), flag)?])?);
    }
    rules.insert(libc::SYS_clone, spaces);
    let family = |family: libc::c_int| Condition::new(0, Len::Dword, Op::Ne, u64::from(family.cast_unsigned()));
    let netlink = u64::from(libc::AF_NETLINK.cast_unsigned());
    let other = || -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
        Ok(vec![
            SeccompRule::new(vec![
                family(libc::AF_UNIX)?,
                family(libc::AF_INET)?,
                family(libc::AF_INET6)?,
                family(libc::AF_NETLINK)?,
            ])?,
            // Of netlink, only routing: what getifaddrs(3) asks.
            SeccompRule::new(vec![
                Condition::new(0, Len::Dword, Op::Eq, netlink)?,
                Condition::new(2, Len::Dword, Op::Ne, 0)?,
            ])?,
        ])
    };
    rules.insert(libc::SYS_socket, other()?);
    rules.insert(libc::SYS_socketpair, other()?);
    // Pipes may be made, devices not.
    for (call, mode) in [
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_mknod, 1),
        (libc::SYS_mknodat, 2),
    ] {
        let kind = |kind| SeccompRule::new(vec![Condition::new(mode, Len::Dword, Op::MaskedEq(0o170_000), kind)?]);
        rules.insert(call, vec![kind(0o020_000)?, kind(0o060_000)?]);
    }
    // The kernel looks at the low half of the request only, so the filter must too.
    let request = |request: u64| SeccompRule::new(vec![Condition::new(1, Len::Dword, Op::Eq, request)?]);
    rules.insert(libc::SYS_ioctl, vec![request(0x5412)?, request(0x541C)?]);
    // The first process dies with the launcher, whatever a program makes of it.
    rules.insert(libc::SYS_prctl, vec![SeccompRule::new(vec![Condition::new(0, Len::Dword, Op::Eq, 1)?])?]);
    // A limit on core files of 0 is not the strictest: see where it is set.
    let core = |index| Condition::new(index, Len::Dword, Op::Eq, u64::from(libc::RLIMIT_CORE));
    rules.insert(
        libc::SYS_prlimit64,
        vec![SeccompRule::new(vec![core(1)?, Condition::new(2, Len::Qword, Op::Ne, 0)?])?],
    );
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_setrlimit, vec![SeccompRule::new(vec![core(0)?])?]);
    // Asking is 0xffffffff; the default is 0. Anything else switches protections off.
    rules.insert(
        libc::SYS_personality,
        vec![SeccompRule::new(vec![
            Condition::new(0, Len::Dword, Op::Ne, 0)?,
            Condition::new(0, Len::Dword, Op::Ne, 0xffff_ffff)?,
        ])?],
    );
    Ok(rules)
}

/// `CLONE_NEW*`: time, mount, cgroup, UTS, IPC, user, PID, network.
const NAMESPACE_FLAGS: [u64; 8] =
    [0x0000_0080, 0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_compile_and_are_short() {
        let programs = compile().unwrap().always;
        for program in &programs {
            assert!((2..512).contains(&program.len()), "{} instructions", program.len());
        }
        // The kernel runs it for every call number there is.
        let steps: usize = (0..470).map(|number| tree::tests::run_here(&programs[0], number).1).sum();
        assert!(steps < 470 * 14, "{steps} steps");
    }

    #[test]
    fn what_a_kind_of_machine_refuses_beside_leaves_the_rest_alone() {
        let filters = compile().unwrap();
        let answer = |program, call: libc::c_long| tree::tests::run_here(program, u32::try_from(call).unwrap()).0;
        assert_eq!(answer(&filters.no_system_v, libc::SYS_shmget), 0x0005_0001);
        assert_eq!(answer(&filters.no_unowned_memory, libc::SYS_memfd_create), 0x0005_0026);
        for program in [&filters.no_system_v, &filters.no_unowned_memory] {
            assert_eq!(answer(program, libc::SYS_mmap), 0x7fff_0000);
        }
    }

    #[test]
    fn nothing_is_both_allowed_and_refused() {
        for call in REFUSED.iter().flat_map(|group| group.calls) {
            let allowed = [COMMON, X86_64, NEW].into_iter().flatten().any(|other| other.name() == call.name());
            assert!(!allowed, "{} is in two lists", call.name());
        }
    }

    #[test]
    fn each_list_gets_its_answer() {
        let program = &compile().unwrap().always[0];
        let answer = |call: libc::c_long| tree::tests::run_here(program, u32::try_from(call).unwrap()).0;
        assert_eq!(answer(libc::SYS_read), 0x7fff_0000);
        assert_eq!(answer(libc::SYS_openat), 0x7fff_0000);
        for call in REFUSED.iter().flat_map(|group| group.calls) {
            assert_eq!(answer(call.number.unwrap()), 0x0005_0001, "{}", call.name());
        }
        for call in [libc::SYS_clone3, 335, 500, 0x4000_0000, 0xffff_ffff] {
            assert_eq!(answer(call), 0x0005_0026, "system call {call}: its flags cannot be filtered, or it is unknown");
        }
        let allowed = (0..10_000).filter(|&call| answer(call) == 0x7fff_0000).count();
        assert_eq!(allowed, listed().iter().filter(|(_, verdict)| *verdict == Verdict::Allow).count());
    }
}
