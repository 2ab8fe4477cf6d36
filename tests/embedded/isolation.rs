//! What a program can see and touch: programs that look for a way out and say what they found.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use crate::harness::{engine, python, run_with, sandbox, shell};

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn no_file_of_the_host_but_its_toolchains_is_there() {
    // Readable for everybody on the host, in the places where people keep things.
    let secret = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    fs::write(secret.path().join("secret"), "secret").unwrap();
    let paths = [
        secret.path().to_str().unwrap(),
        "/root",
        "/home",
        "/var/lib",
        "/var/log",
        "/var/run",
        "/run",
        "/sys",
        "/opt",
        "/mnt",
        "/srv",
        "/boot",
        "/media",
        "/work",
        "/etc/shadow",
        "/etc/ssh",
        "/etc/fstab",
        "/etc/machine-id",
        "/etc/sudoers",
        "/etc/environment",
        "/etc/ssl/private",
        "/dev/tty",
        "/dev/ptmx",
        "/dev/kmsg",
        "/dev/mem",
        "/dev/sda",
        "/dev/vda",
        "/dev/fuse",
        "/dev/kvm",
        "/var/run/docker.sock",
        "/proc/kcore",
    ];
    let program = format!("import os; print([p for p in {paths:?} if os.path.lexists(p) and p != '/proc/kcore'])");
    let engine = engine();
    assert_eq!(python(&engine, &program).await.ok(), "[]\n");
    let top = shell(&engine, "ls -A /; ls -A /var").await.ok();
    let top: Vec<&str> =
        top.lines().filter(|name| !name.starts_with("lib") && !["nix", "gnu"].contains(name)).collect();
    assert_eq!(top, ["bin", "dev", "etc", "proc", "runpen", "sbin", "tmp", "usr", "var", "tmp"]);
    assert_eq!(
        shell(&engine, "ls -A /tmp /var/tmp /runpen /dev/shm | grep -v : | grep .; cut -d: -f1 /etc/passwd").await.ok(),
        "root\nnobody\n"
    );
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn nothing_of_the_hosts_environment_is_there() {
    let outcome = python(&engine(), "import os; print(sorted(os.environ)); print(os.environ['PATH'])").await;
    assert_eq!(outcome.ok(), "['HOME', 'LANG', 'PATH']\n/usr/local/bin:/usr/bin:/bin\n");
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn no_process_of_the_host_can_be_seen_or_signalled() {
    let program = "
import os, signal
print(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()) == [os.getpid()], os.getpid(), os.getppid())
print(os.getpgid(0) == os.getpid() == os.getsid(0))
def attempt(pid):
    try: os.kill(pid, 0); return 'reached'
    except ProcessLookupError: return 'none'
# Itself is process 1 and the only one.
print({attempt(pid) for pid in range(2, 70000)})
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.kill(0, signal.SIGTERM)
try: os.kill(-1, signal.SIGKILL)
except ProcessLookupError: print('nobody there')
";
    // The test's own process is in the group that a leaking group would reach: that we are still here is the proof.
    assert_eq!(python(&engine(), program).await.ok(), "True 1 0\nTrue\n{'none'}\nnobody there\n");
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn the_kernel_says_it_is_nobody_without_rights() {
    let outcome =
        shell(&engine(), "grep -E '^(Uid|Gid|Cap|NoNew|Seccomp:)' /proc/self/status; cat /proc/self/setgroups").await;
    let none = "0000000000000000";
    let expected = format!(
        "Uid:\t65534\t65534\t65534\t65534\nGid:\t65534\t65534\t65534\t65534\nCapInh:\t{none}\nCapPrm:\t{none}\n\
         CapEff:\t{none}\nCapBnd:\t{none}\nCapAmb:\t{none}\nNoNewPrivs:\t1\nSeccomp:\t2\ndeny\n"
    );
    assert_eq!(outcome.ok(), expected);
    let map = shell(&engine(), "cat /proc/self/uid_map /proc/self/gid_map; cat /proc/self/cgroup").await.ok();
    let mut lines = map.lines();
    let user = if rustix::process::geteuid().is_root() { 65534 } else { rustix::process::geteuid().as_raw() };
    let words: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(words, ["65534", &user.to_string(), "1"]);
    assert_ne!(user, 0, "root of the host is nobody inside, and outside too");
    assert!(lines.skip(1).all(|line| line.ends_with(":/")), "its place among the host's cgroups: {map}");
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn there_is_no_network_but_a_loopback_of_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let name = format!("runpen-test-{}", std::process::id());
    let address = <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(&name);
    let _abstract = std::os::unix::net::UnixListener::bind_addr(&address.unwrap()).unwrap();
    let program = format!(
        "
import socket
print(socket.if_nameindex())
def attempt(kind, family, address):
    s = socket.socket(family, kind)
    try: s.connect(address); return 'reached'
    except OSError as e: return e.strerror
# Connecting a datagram socket asks for a route and sends nothing.
print(attempt(socket.SOCK_DGRAM, socket.AF_INET, ('192.0.2.1', 53)))
print(attempt(socket.SOCK_DGRAM, socket.AF_INET6, ('2001:db8::1', 53)))
print(attempt(socket.SOCK_STREAM, socket.AF_INET, ('127.0.0.1', {port})))
print(attempt(socket.SOCK_STREAM, socket.AF_UNIX, '\\0{name}') != 'reached')
print(len(open('/proc/net/route').readlines()))
s = socket.create_server(('127.0.0.1', 0))
c = socket.create_connection(s.getsockname())
s.accept()[0].send(b'own loopback works')
print(c.recv(99).decode())
"
    );
    let expected = "[(1, 'lo')]\nNetwork is unreachable\nNetwork is unreachable\nConnection refused\nTrue\n1\nown loopback works\n";
    assert_eq!(python(&engine(), &program).await.ok(), expected);
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn only_the_four_places_can_be_written_to() {
    let program = "
import os, stat
found = set()
for folder, folders, files in os.walk('/'):
    if folder.startswith('/proc/') and folder.count('/') > 3: folders.clear()
    try:
        fd = os.open(folder + '/.probe', os.O_CREAT | os.O_WRONLY); os.close(fd); os.unlink(folder + '/.probe'); found.add(folder)
    except OSError: pass
    if folder.startswith('/usr'): continue
    for name in files:
        path = os.path.join(folder, name)
        try:
            fd = os.open(path, os.O_WRONLY)
            if not stat.S_ISFIFO(os.fstat(fd).st_mode): found.add(path)
            os.close(fd)
        except OSError: pass
print(sorted(found))
for change in (lambda: os.chmod('/dev/null', 0o600), lambda: os.utime('/usr/bin/env'), lambda: os.remove('/etc/passwd'),
               lambda: os.rename('/tmp', '/tmp2'), lambda: os.symlink('a', '/etc/b'), lambda: os.mkdir('/x')):
    try: change(); print('done')
    except OSError: pass
";
    let written = python(&engine(), program).await.ok();
    // Devices that swallow or answer, its own three pipes, and nothing else.
    assert_eq!(written, "['/dev/full', '/dev/null', '/dev/shm', '/dev/zero', '/runpen', '/tmp', '/var/tmp']\n");
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn settings_of_the_kernel_cannot_be_changed() {
    let line = "for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname /proc/sys/net/ipv4/ip_forward \
                /proc/sysrq-trigger /proc/self/uid_map /proc/1/mem /proc/self/oom_score_adj; do \
                (echo x >$f) 2>/dev/null && echo $f; done; cat /proc/keys /proc/kallsyms 2>/dev/null | wc -c";
    assert_eq!(shell(&engine(), line).await.ok(), "0\n");
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn programs_run_from_the_code_folder_only_where_the_plan_says() {
    let line = "for d in /tmp /var/tmp /dev/shm /runpen; do cp /bin/true $d/t; $d/t 2>/dev/null && echo $d; done; \
                /lib64/ld-linux-x86-64.so.2 /tmp/t 2>/dev/null && echo loader; true";
    let engine = engine();
    assert_eq!(shell(&engine, line).await.ok(), "");
    let mut sandbox = sandbox();
    sandbox.code.exec = true;
    assert_eq!(run_with(&engine, sandbox, &["sh", "-c", line], b"").await.ok(), "/runpen\n");
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn set_user_id_programs_do_nothing() {
    let program = "
import os, stat, subprocess
print(bool(os.statvfs('/usr').f_flag & os.ST_NOSUID), bool(os.statvfs('/tmp').f_flag & os.ST_NOSUID))
suid = [e.path for e in os.scandir('/usr/bin') if e.stat().st_mode & stat.S_ISUID]
print(len(suid) > 0)
for p in suid:
    if p.endswith('/su'): print(subprocess.run([p, '-c', 'id'], stdin=subprocess.DEVNULL, capture_output=True).returncode != 0)
open('/tmp/s', 'w').close(); os.chmod('/tmp/s', 0o6755)
try: os.setuid(0); print('root')
except OSError as e: print(e.strerror)
";
    let outcome = python(&engine(), program).await;
    assert!(outcome.stdout.starts_with("True True\nTrue\n"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("False") && !outcome.stdout.contains("root"), "{}", outcome.stdout);
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn no_open_file_of_the_host_is_inherited() {
    // As an editor might leave one open for its children.
    let leaked = fs::File::open("/etc/hostname").unwrap();
    rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).unwrap();
    let program = "import os; print(sorted(os.readlink('/proc/self/fd/' + f).split(':')[0] for f in os.listdir('/proc/self/fd') if os.path.lexists('/proc/self/fd/' + f)))";
    assert_eq!(python(&engine(), program).await.ok(), "['pipe', 'pipe', 'pipe']\n");
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn the_runner_cannot_be_reached_through_its_own_file() {
    let outcome = shell(&engine(), "readlink /proc/1/exe; grep -c runpen-launcher /proc/1/maps /proc/1/cmdline").await;
    assert!(!outcome.stdout.lines().next().unwrap().contains("runpen"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("maps:0"), "{}", outcome.stdout);
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn two_sandboxes_see_nothing_of_each_other() {
    let engine = engine();
    let first = crate::harness::start(
        &engine,
        sandbox(),
        &["sh", "-c", "echo secret >/tmp/f; echo secret >/dev/shm/f; echo ready; sleep 60"],
    );
    let mut first = first.await;
    first.output.recv().await.unwrap();
    let program = "
import ctypes, os
print(os.listdir('/tmp'), os.listdir('/dev/shm'), len([p for p in os.listdir('/proc') if p.isdigit()]))
libc = ctypes.CDLL(None, use_errno=True)
# A System V segment made here is in nobody else's list.
print(libc.shmget(42, 4096, 0o1600) >= 0, len(open('/proc/sysvipc/shm').readlines()))
";
    let outcome = python(&engine, program).await;
    // Where it cannot be made small there is none.
    let segments = if outcome.receipt.controls["ipc"].ends_with("refused") { "False 1" } else { "True 2" };
    assert_eq!(outcome.ok(), format!("[] [] 1\n{segments}\n"));
    assert_eq!(shell(&engine, "wc -l </proc/sysvipc/shm; hostname").await.ok(), "1\nrunpen\n");
    first.handle.remove().await.unwrap();
}
