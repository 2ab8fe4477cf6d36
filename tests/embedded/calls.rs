//! System calls that a program has no business with, made all the same.

use std::collections::BTreeMap;

use crate::harness::{engine, python};

/// Calls through the C library and prints each name with what came of it.
const CALLER: &str = "
import ctypes, errno, json, os, platform
libc = ctypes.CDLL(None, use_errno=True)
X = platform.machine() == 'x86_64'
said = {}
def call(name, number, *args):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    said[name] = 'ok' if result >= 0 else errno.errorcode[ctypes.get_errno()]
buf = ctypes.create_string_buffer(4096)
";

async fn say(calls: &str) -> BTreeMap<String, String> {
    let text = python(&engine(), &format!("{CALLER}{calls}\nprint(json.dumps(said))")).await.ok();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn calls_towards_the_kernel_are_refused() {
    let said = say("
call('unshare user', 272 if X else 97, 0x10000000)
call('unshare mount', 272 if X else 97, 0x20000)
call('setns', 308 if X else 268, 0, 0)
call('mount', 165 if X else 40, b'x', b'/tmp', b'tmpfs', 0, 0)
call('umount', 166 if X else 39, b'/tmp', 2)
call('pivot_root', 155 if X else 41, b'/tmp', b'/tmp')
call('chroot', 161 if X else 51, b'/tmp')
call('ptrace', 101 if X else 117, 16, 1, 0, 0)
call('process_vm_readv', 310 if X else 270, 1, 0, 0, 0, 0, 0)
call('keyctl', 250 if X else 219, 0, -3, 0)
call('add_key', 248 if X else 217, b'user', b'x', b'y', 1, -3)
call('bpf', 321 if X else 280, 0, 0, 0)
call('perf_event_open', 298 if X else 241, buf, 0, -1, -1, 0)
call('userfaultfd', 323 if X else 282, 1)
call('io_uring_setup', 425, 1, buf)
call('open_by_handle_at', 304 if X else 265, 0, buf, 0)
call('open_tree', 428, -100, b'/', 1)
call('fsopen', 430, b'tmpfs', 0)
call('mount_setattr', 442, -100, b'/', 0, buf, 32)
call('pidfd_getfd', 438, 0, 0, 0)
call('init_module', 175 if X else 105, buf, 1, b'')
call('kexec_load', 246 if X else 104, 0, 0, 0, 0)
call('reboot', 169 if X else 142, 0, 0, 0, 0)
call('syslog', 103 if X else 116, 3, buf, 10)
call('sethostname', 170 if X else 161, b'x', 1)
call('settimeofday', 170 - 6 if X else 170, buf, 0)
call('swapon', 167 if X else 224, b'/tmp/x', 0)
call('quotactl', 179 if X else 60, 0, 0, 0, 0)
call('personality', 135 if X else 92, 0x40000)
call('mknod device', 259 if X else 33, -100, b'/tmp/dev', 0o020600, 0x0103)
call('terminal', 16 if X else 29, 0, 0x5412, b'x')
call('terminal, high bits', 16 if X else 29, 0, 0x7fffffff00005412, b'x')
call('clone user', 56 if X else 220, 0x10000000 | 17, 0, 0, 0, 0)
call('vsock', 41 if X else 198, 40, 1, 0)
call('packet', 41 if X else 198, 17, 3, 0)
call('alg', 41 if X else 198, 38, 5, 0)
call('netfilter', 41 if X else 198, 16, 3, 12)
call('outlive the launcher', 157 if X else 167, 1, 0, 0, 0, 0)
call('core files', 302 if X else 261, 0, 4, buf, 0)
if X: call('core files, the old way', 160, 4, buf)
")
    .await;
    for (name, result) in &said {
        assert_eq!(result, "EPERM", "{name}; all: {said:#?}");
    }
    assert!(said.len() > 30);
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn a_call_whose_flags_cannot_be_seen_is_not_there() {
    let said = say("
call('clone3', 435, buf, 88)
call('unknown', 999)
if X: call('x32', 0x40000000 | 39)
")
    .await;
    assert!(said.values().all(|result| result == "ENOSYS"), "{said:?}");
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn ordinary_calls_work() {
    let text = python(&engine(), "
import os, socket, tempfile, mmap, multiprocessing, threading, select, signal
os.mkfifo('/tmp/pipe'); pair = socket.socketpair(); pair[0].send(b'x'); mmap.mmap(-1, 4096)
tempfile.TemporaryFile().write(b'x'); select.epoll(); os.getxattr
t = threading.Thread(target=print, args=('thread',)); t.start(); t.join()
p = multiprocessing.Process(target=print, args=('process',)); p.start(); p.join()
signal.setitimer(signal.ITIMER_REAL, 9); os.sched_getaffinity(0); os.urandom(3); os.posix_spawn('/bin/true', ['true'], {})
print(socket.gethostbyname('localhost'), os.cpu_count() > 0, __import__('pwd').getpwuid(os.getuid()).pw_name)
").await.ok();
    assert_eq!(text, "thread\nprocess\n127.0.0.1 True nobody\n");
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
#[cfg(target_arch = "x86_64")]
async fn the_32_bit_table_of_calls_kills() {
    // mov eax, 20 (getpid); int 0x80; ret
    let outcome = python(
        &engine(),
        "
import ctypes, mmap
m = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
m.write(bytes([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3]))
print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))())
",
    )
    .await;
    assert_eq!((outcome.exit.status, outcome.stdout.as_str()), (128 + 31, ""));
}
