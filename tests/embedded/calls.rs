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
async fn a_program_types_into_no_terminal_outlives_no_launcher_and_leaves_no_core_file() {
    let said = say("
call('terminal', 16 if X else 29, 0, 0x5412, b'x')
call('terminal, high bits', 16 if X else 29, 0, 0x7fffffff00005412, b'x')
call('outlive the launcher', 157 if X else 167, 1, 0, 0, 0, 0)
call('core files', 302 if X else 261, 0, 4, buf, 0)
if X: call('core files, the old way', 160, 4, buf)
")
    .await;
    assert!(said.len() >= 4 && said.values().all(|result| result == "EPERM"), "{said:?}");
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
