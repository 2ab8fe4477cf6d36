//! The root of a sandbox: read-only binds of what a toolchain needs, a few files of our own, and the writable places.
//!
//! # Theory of operation
//!
//! The new root is a small tmpfs over a folder that every machine has. Into it go the toolchains' folders (symbolic links
//! stay links, as in a merged `/usr`), a selection of `/etc`, six device nodes, a `/proc` of the sandbox's own. When all
//! is there, everything but the writable places is made read-only and the old root is taken away. Nothing of `/home`,
//! `/root`, `/var`, `/run`, `/sys`, `/opt` or `/mnt` ever is in it, but for a toolchain that the user's own settings list.
//!
//! It must not know what will run there.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change, unmount,
};

use super::mounts;
use super::policy::{Policy, Tmpfs};
use super::wire::{Failure, Step};
use crate::plan::{CODE_DIR, NOBODY};

/// Folders with toolchains. `/nix/store` and `/gnu/store` are all that such a system's `/bin/sh` needs.
const TOOLCHAINS: [&str; 9] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32", "/nix/store", "/gnu/store"];

/// What of `/etc` a compiler or a runtime reads. No keys, accounts, mounts, names of machines or users.
const ETC: [&str; 20] = [
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "ld-musl-x86_64.path",
    "ld-musl-aarch64.path",
    "alternatives",
    "localtime",
    "timezone",
    "os-release",
    "mime.types",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "ca-certificates/extracted",
    "pki/java",
    "pki/ca-trust/extracted",
    "pki/tls/certs",
    "pki/tls/openssl.cnf",
    "crypto-policies",
];

/// Folders in `/etc` whose names start so: Debian's `java-21-openjdk`, Fedora's `java`.
const ETC_PREFIX: &str = "java";

/// Those folders. Listing `/etc` takes half a millisecond, so the launcher does it ahead.
pub(super) fn runtimes_in_etc() -> Vec<String> {
    let entries = fs::read_dir("/etc").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(ETC_PREFIX)).map(|name| format!("/etc/{name}")).collect()
}

/// Files of our own in `/etc`.
const OWN: [(&str, &str); 7] = [
    ("passwd", "root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n"),
    ("group", "root:x:0:\nnobody:x:65534:\n"),
    ("hosts", "127.0.0.1 localhost runpen\n::1 localhost\n"),
    ("hostname", "runpen\n"),
    ("host.conf", "multi on\n"),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n"),
    ("resolv.conf", ""),
];

const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

const DEVICE_LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// Files of `/proc` that tell of the machine or its user and not of the sandbox; the list is Docker's, and keys.
const HIDDEN_FILES: [&str; 10] = [
    "interrupts",
    "kcore",
    "keys",
    "key-users",
    "kallsyms",
    "kmsg",
    "latency_stats",
    "timer_list",
    "sched_debug",
    "sysrq-trigger",
];

/// Folders of `/proc` that do so.
const HIDDEN_FOLDERS: [&str; 4] = ["acpi", "asound", "scsi", "bus"];

/// Where the new root is built: the first of these that is there. They are not needed inside as they are.
const BASES: [&str; 4] = ["/tmp", "/mnt", "/srv", "/media"];

/// Opens the folders that settings list, while the process still is the user that lists them: a home is often closed to others.
pub(super) fn open_listed(policy: &Policy) -> Result<Vec<OwnedFd>, Failure> {
    let open = |folder: &PathBuf| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::open(folder, flags, Mode::empty()).step(|| format!("open {}", folder.display()))
    };
    policy.toolchains.iter().map(open).collect()
}

/// Builds the root and moves into it. The process is the first one in its own mount, PID and user namespace, is nobody
/// there, and has all capabilities of that namespace. `more` are [`runtimes_in_etc`], `listed` is [`open_listed`].
pub(super) fn enter(policy: &Policy, more: &[String], listed: Vec<OwnedFd>) -> Result<(), Failure> {
    // What is mounted from here on stays in here.
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .step(|| "keep mounts from spreading".to_owned())?;
    let base = BASES.iter().map(Path::new).find(|base| base.is_dir()).unwrap_or(Path::new(BASES[0]));
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", base, "tmpfs", flags, c"size=1m,nr_inodes=512,mode=755")
        .step(|| format!("mount a tmpfs on {}", base.display()))?;
    let root = Root { base, more };
    root.toolchains()?;
    root.listed(policy, listed)?;
    root.etc()?;
    root.devices()?;
    root.proc()?;
    let writable = root.writable(policy)?;
    root.seal(&writable)
}

struct Root<'a> {
    base: &'a Path,
    more: &'a [String],
}

impl Root<'_> {
    fn at(&self, path: &str) -> PathBuf {
        self.base.join(path.trim_start_matches('/'))
    }

    fn folder(&self, path: &str) -> Result<PathBuf, Failure> {
        let target = self.at(path);
        let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(&target);
        made.step(|| format!("make the folder {path}"))?;
        Ok(target)
    }

    fn file(&self, path: &str, content: &str) -> Result<PathBuf, Failure> {
        let target = self.at(path);
        let written = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&target);
        written
            .and_then(|mut file| io::Write::write_all(&mut file, content.as_bytes()))
            .step(|| format!("write {path}"))?;
        Ok(target)
    }

    /// Brings in a path of the machine as it is: a link as a link, a folder or file as a bind. One that is not there, or
    /// that this user may not see, is left out.
    fn bring(&self, path: &str) -> Result<(), Failure> {
        let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
        if let Some(parent) = Path::new(path).parent().and_then(Path::to_str) {
            self.folder(parent)?;
        }
        if found.is_symlink() {
            let link = fs::read_link(path).step(|| format!("read the link {path}"))?;
            return symlink(link, self.at(path)).step(|| format!("link {path}"));
        }
        let target = if found.is_dir() {
            self.folder(path)?
        } else if found.is_file() {
            self.file(path, "")?
        } else {
            return Ok(());
        };
        mount_bind_recursive(path, &target).step(|| format!("bind {path}"))
    }

    fn toolchains(&self) -> Result<(), Failure> {
        TOOLCHAINS.iter().try_for_each(|path| self.bring(path))
    }

    /// Each at its own path, which toolchains have written into their files; of what lies above it there is nothing.
    fn listed(&self, policy: &Policy, listed: Vec<OwnedFd>) -> Result<(), Failure> {
        for (path, opened) in policy.toolchains.iter().zip(listed) {
            let path = path.to_string_lossy();
            let target = self.folder(&path)?;
            let source = format!("/proc/self/fd/{}", opened.as_raw_fd());
            mount_bind_recursive(source, &target).step(|| format!("bind {path}"))?;
        }
        Ok(())
    }

    fn etc(&self) -> Result<(), Failure> {
        self.folder("/etc")?;
        for name in ETC {
            self.bring(&format!("/etc/{name}"))?;
        }
        for path in self.more {
            self.bring(path)?;
        }
        for (name, content) in OWN {
            self.file(&format!("/etc/{name}"), content)?;
        }
        Ok(())
    }

    fn devices(&self) -> Result<(), Failure> {
        self.folder("/dev")?;
        for name in DEVICES {
            let path = format!("/dev/{name}");
            let target = self.file(&path, "")?;
            mount_bind(&path, &target).step(|| format!("bind {path}"))?;
        }
        for (name, target) in DEVICE_LINKS {
            symlink(target, self.at(&format!("/dev/{name}"))).step(|| format!("link /dev/{name}"))?;
        }
        Ok(())
    }

    fn proc(&self) -> Result<(), Failure> {
        let target = self.folder("/proc")?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("proc", &target, "proc", flags, None).step(|| "mount /proc".to_owned())?;
        for name in HIDDEN_FILES {
            let file = target.join(name);
            if file.exists() {
                mount_bind("/dev/null", &file).step(|| format!("hide /proc/{name}"))?;
            }
        }
        for name in HIDDEN_FOLDERS {
            let folder = target.join(name);
            if folder.exists() {
                mount("tmpfs", &folder, "tmpfs", flags, c"size=4k,nr_inodes=1,mode=755")
                    .step(|| format!("hide /proc/{name}"))?;
            }
        }
        // Bound on itself it can be made read-only apart from the rest.
        let settings = target.join("sys");
        mount_bind_recursive(&settings, &settings).step(|| "bind /proc/sys".to_owned())
    }

    /// The places a program may write to, and what a read-only `/proc` would break: a process writes to its own there.
    fn writable(&self, policy: &Policy) -> Result<Vec<PathBuf>, Failure> {
        let mut writable = vec![self.at("/proc")];
        for tmpfs in &policy.tmpfs {
            let target = self.folder(&tmpfs.target)?;
            mount_tmpfs(tmpfs, &target).step(|| format!("mount a tmpfs on {}", tmpfs.target))?;
            writable.push(target);
        }
        Ok(writable)
    }

    fn seal(&self, writable: &[PathBuf]) -> Result<(), Failure> {
        let text = fs::read_to_string("/proc/self/mountinfo").step(|| "read the list of mounts".to_owned())?;
        mounts::make_read_only(self.base, writable, &text).step(|| "make the root read-only".to_owned())?;
        rustix::process::chdir(self.base).step(|| "enter the new root".to_owned())?;
        // Both the same: the old root comes to lie on the new one, and is taken from there.
        rustix::process::pivot_root(".", ".").step(|| "change the root".to_owned())?;
        unmount(".", UnmountFlags::DETACH).step(|| "take the old root away".to_owned())?;
        rustix::process::chdir(CODE_DIR).step(|| format!("enter {CODE_DIR}"))
    }
}

fn mount_tmpfs(tmpfs: &Tmpfs, target: &Path) -> io::Result<()> {
    let mut flags = MountFlags::NOSUID | MountFlags::NODEV;
    if !tmpfs.exec {
        flags |= MountFlags::NOEXEC;
    }
    let (size, inodes, mode) = (tmpfs.size, tmpfs.inodes, tmpfs.mode);
    let options = format!("size={size},nr_inodes={inodes},mode={mode:o},uid={NOBODY},gid={NOBODY}");
    let options = std::ffi::CString::new(options)?;
    Ok(mount("tmpfs", target, "tmpfs", flags, options.as_c_str())?)
}
