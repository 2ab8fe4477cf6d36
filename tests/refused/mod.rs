//! A probe for each system call that no program may make, made from the table of calls itself: a call that is added there
//! without arguments here fails a test. It runs in every engine, and once outside of any, to show that it can see.
//!
//! The arguments are such that the kernel, where it is asked, refuses them for another reason than a lack of privilege, and
//! does nothing. Where it looks at privileges first, nobody can tell its answer from the filter's; those say so.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use runpen::engine::calls::{Call, REFUSED, UNKNOWN};

/// What is passed.
enum Arguments {
    /// The kernel itself finds fault with these.
    Odd(&'static str),
    /// The kernel asks for privileges before it looks at them.
    Unseen(&'static str),
}

use Arguments::{Odd, Unseen};

/// Python's words for the arguments of each call; `BAD` is an address where nothing is, `HUGE` more than any limit.
#[rustfmt::skip]
const ARGUMENTS: &[(&str, Arguments)] = &[
    ("chroot", Odd("BAD")), ("fsconfig", Odd("-1, 0, 0, 0, 0")), ("fsmount", Unseen("-1, 0, 0")),
    ("fsopen", Unseen("BAD, 0")), ("fspick", Unseen("-1, BAD, 0")), ("mount", Odd("BAD, BAD, BAD, 0, BAD")),
    ("mount_setattr", Odd("-1, BAD, -1, BAD, 32")), ("move_mount", Unseen("-1, BAD, -1, BAD, 0")),
    ("open_tree", Odd("-1, BAD, 2")), ("pivot_root", Unseen("BAD, BAD")), ("umount2", Odd("BAD, 0xff00")),
    ("setns", Odd("-1, 0")), ("unshare", Odd("8")),
    ("io_uring_enter", Odd("-1, 0, 0, 0, 0, 0")), ("io_uring_register", Odd("-1, 0, 0, 0")),
    ("io_uring_setup", Odd("1, BAD")),
    ("add_key", Odd("BAD, BAD, BAD, HUGE, 0")), ("keyctl", Odd("999")), ("request_key", Odd("BAD, BAD, BAD, 0")),
    ("bpf", Odd("0, BAD, HUGE")), ("perf_event_open", Odd("BAD, 0, -1, -1, -1")), ("userfaultfd", Odd("-1")),
    ("kcmp", Odd("NOBODY, NOBODY, 0, 0, 0")), ("migrate_pages", Odd("NOBODY, HUGE, BAD, BAD")),
    ("move_pages", Odd("0, 0, 0, 0, 0, -1")), ("pidfd_getfd", Odd("-1, 0, 1")),
    ("process_madvise", Odd("-1, BAD, 1, 0, 1")), ("process_mrelease", Odd("-1, 1")),
    ("process_vm_readv", Odd("NOBODY, BAD, 0, BAD, 0, 1")), ("process_vm_writev", Odd("NOBODY, BAD, 0, BAD, 0, 1")),
    ("ptrace", Odd("16, NOBODY, 0, 0")),
    ("delete_module", Unseen("BAD, 0")), ("finit_module", Unseen("-1, BAD, 0")), ("init_module", Unseen("BAD, 0, BAD")),
    ("kexec_load", Unseen("0, -1, BAD, 0")),
    ("adjtimex", Odd("BAD")), ("clock_adjtime", Odd("999, BAD")), ("clock_settime", Odd("999, BAD")),
    ("setdomainname", Unseen("BAD, -1")), ("sethostname", Unseen("BAD, -1")), ("settimeofday", Odd("BAD, 0")),
    ("acct", Unseen("BAD")), ("lookup_dcookie", Unseen("0, BAD, 0")), ("nfsservctl", Odd("0, 0, 0")),
    ("quotactl", Odd("0xff, 0, 0, 0")), ("quotactl_fd", Odd("-1, 0xff, 0, 0")), ("reboot", Unseen("0, 0, 0, 0")),
    ("swapoff", Unseen("BAD")), ("swapon", Odd("BAD, -1")), ("syslog", Unseen("99, 0, 0")), ("vhangup", Unseen("")),
    ("name_to_handle_at", Odd("-1, BAD, BAD, BAD, -1")), ("open_by_handle_at", Unseen("-1, BAD, 0")),
    ("fanotify_init", Unseen("-1, 0")), ("fanotify_mark", Odd("-1, -1, 0, -1, BAD")),
    ("get_mempolicy", Odd("0, 0, 0, 0, -1")), ("mbind", Odd("1, 1, 999, 0, 0, -1")),
    ("set_mempolicy", Odd("999, BAD, 0")), ("set_mempolicy_home_node", Odd("0, 0, 0, 1")),
];

/// Calls that are allowed, with arguments that are not: name, number, arguments.
fn argued() -> Vec<(String, i64, String)> {
    let of = |name: &str, number: i64, arguments: &str| (name.to_owned(), number, arguments.to_owned());
    let mut probes = vec![
        of("personality without address randomisation", libc::SYS_personality, "0x40000"),
        of("mknod of a device", libc::SYS_mknodat, "-100, b'/tmp/device', 0o020600, 0x0103"),
        of("mknod of a disk", libc::SYS_mknodat, "-100, b'/tmp/disk', 0o060600, 0x0801"),
    ];
    let families = [
        ("vsock", "40, 1, 0"),
        ("the kernel's ciphers", "38, 5, 0"),
        ("packets", "17, 3, 0"),
        ("netfilter", "16, 3, 12"),
    ];
    probes.extend(families.map(|(name, arguments)| of(&format!("socket of {name}"), libc::SYS_socket, arguments)));
    let spaces = [("mount", 0x2_0000), ("cgroup", 0x200_0000), ("uts", 0x400_0000), ("ipc", 0x800_0000)];
    let more = [("user", 0x1000_0000), ("pid", 0x2000_0000), ("net", 0x4000_0000), ("user and pid", 0x3000_0000)];
    for (name, flag) in spaces.into_iter().chain(more) {
        // The signal at the end is 17, SIGCHLD; a child that comes to be ends at once.
        probes.push(of(&format!("clone of a {name} namespace"), libc::SYS_clone, &format!("{flag} | 17, 0, 0, 0, 0")));
    }
    probes
}

fn calls() -> impl Iterator<Item = &'static Call> {
    REFUSED.iter().flat_map(|group| group.calls)
}

/// A program in Python that makes every call and prints what each came to, as JSON.
pub(crate) fn program() -> String {
    let mut program = "\
import ctypes, errno, json, mmap, os, signal
libc = ctypes.CDLL(None, use_errno=True)
BAD, HUGE, NOBODY = 8, 1 << 40, 1 << 28
said = {}
def call(name, number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if result == 0 and 'clone' in name:
        os._exit(0)
    said[name] = 'ok' if result >= 0 else errno.errorcode[ctypes.get_errno()]
def apart(name, act):
    child = os.fork()
    if child == 0:
        os._exit(100 if act() == -1 else 0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        said[name] = signal.Signals(os.WTERMSIG(status)).name
    else:
        said[name] = 'refused' if os.WEXITSTATUS(status) == 100 else 'ok'
"
    .to_owned();
    for (name, arguments) in ARGUMENTS {
        let number = calls().find(|call| call.name() == *name).and_then(|call| call.number);
        let (Odd(arguments) | Unseen(arguments)) = arguments;
        let _ = writeln!(program, "call({name:?}, {}, {arguments})", number.expect("it has a number here"));
    }
    for (name, number, arguments) in argued() {
        let _ = writeln!(program, "call({name:?}, {number}, {arguments})");
    }
    let _ = writeln!(program, "call({UNKNOWN:?}, {}, BAD, 88)", libc::SYS_clone3);
    if cfg!(target_arch = "x86_64") {
        program += "\
def old():
    # mov eax, 20 (getpid); int 0x80; ret
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3]))
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
apart('the 32-bit table', old)
apart('the x32 table', lambda: libc.syscall(ctypes.c_long(0x40000000 | 39)))
";
    }
    program + "print(json.dumps(said))\n"
}

/// Holds what the program printed in a sandbox against the table.
pub(crate) fn check(printed: &str) {
    let said: BTreeMap<String, String> = serde_json::from_str(printed).expect("the probe prints JSON");
    for group in REFUSED {
        for call in group.calls {
            assert_eq!(said[call.name()], "EPERM", "{} ({}); all: {said:#?}", call.name(), group.reason);
        }
    }
    for (name, ..) in argued() {
        assert_eq!(said[&name], "EPERM", "{name}; all: {said:#?}");
    }
    assert_eq!(said[UNKNOWN], "ENOSYS", "a library must be able to go on without it");
    if cfg!(target_arch = "x86_64") {
        assert_eq!(said["the 32-bit table"], "SIGSYS");
        assert!(["refused", "SIGSYS"].contains(&said["the x32 table"].as_str()), "{}", said["the x32 table"]);
    }
}

/// Makes the calls without privileges and without a filter: there the kernel must have other answers.
pub(crate) fn check_outside() {
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"];
    let mut command = std::process::Command::new("setpriv");
    if rustix::process::getuid().is_root() {
        command.args(nobody);
    }
    command.args(["--no-new-privs", "/usr/bin/python3", "-c", &program()]).current_dir("/");
    let done = command.output().expect("setpriv starts");
    let said: BTreeMap<String, String> = serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&done.stderr)));
    for group in REFUSED {
        let seen = |name: &str| ARGUMENTS.iter().any(|(other, how)| *other == name && matches!(how, Odd(_)));
        let names: Vec<&str> = group.calls.iter().map(Call::name).filter(|name| seen(name)).collect();
        let otherwise = names.iter().filter(|name| said[**name] != "EPERM").count();
        // One or the other may be switched off on a machine.
        assert!(2 * otherwise >= names.len(), "{}: {said:#?}", group.reason);
    }
    assert_ne!(said[UNKNOWN], "ENOSYS");
}

#[test]
fn every_call_of_the_table_has_a_probe_and_no_other_has() {
    let mut table: Vec<&str> = calls().map(Call::name).collect();
    let mut probed: Vec<&str> = ARGUMENTS.iter().map(|(name, _)| *name).collect();
    table.sort_unstable();
    probed.sort_unstable();
    assert_eq!(table, probed);
}
