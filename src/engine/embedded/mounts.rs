//! `/proc/self/mountinfo`, and making every mount below a folder read-only. It must not know what is mounted why.

use std::io;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount_remount};

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// Folder of the file system that is mounted.
    pub(super) root: String,
    /// Where.
    pub(super) target: PathBuf,
    /// Its own options.
    pub(super) options: String,
    /// Type of the file system.
    pub(super) kind: String,
    /// Options of the file system.
    pub(super) super_options: String,
}

/// The mounts of a `mountinfo` file.
pub(super) fn parse(text: &str) -> Vec<Mount> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Mount> {
    let (own, file_system) = line.split_once(" - ")?;
    let own: Vec<&str> = own.split(' ').collect();
    let file_system: Vec<&str> = file_system.split(' ').collect();
    Some(Mount {
        root: unescape(own.get(3)?),
        target: PathBuf::from(unescape(own.get(4)?)),
        options: (*own.get(5)?).to_owned(),
        kind: (*file_system.first()?).to_owned(),
        super_options: (*file_system.get(2)?).to_owned(),
    })
}

/// The kernel writes space, tab, line feed and backslash as three octal digits.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        let (character, length) = code.map_or(('\\', 1), |code| (char::from(code), 4));
        out.push(character);
        rest = &rest[at + length..];
    }
    out + rest
}

impl Mount {
    /// Its flags: the kernel refuses to take away one that the machine's owner gave it.
    fn flags(&self) -> MountFlags {
        self.options.split(',').fold(MountFlags::empty(), |flags, option| {
            flags
                | match option {
                    "nosuid" => MountFlags::NOSUID,
                    "nodev" => MountFlags::NODEV,
                    "noexec" => MountFlags::NOEXEC,
                    "noatime" => MountFlags::NOATIME,
                    "nodiratime" => MountFlags::NODIRATIME,
                    "relatime" => MountFlags::RELATIME,
                    _ => MountFlags::empty(),
                }
        })
    }
}

/// Makes every mount at or below `top` read-only, without set-user-id programs, except those in `writable`. A bind takes
/// the mounts below its source with it, and flags given to it hold for the topmost only: so each is done by itself.
pub(super) fn make_read_only(top: &Path, writable: &[PathBuf], mountinfo: &str) -> io::Result<()> {
    for mount in parse(mountinfo) {
        if !mount.target.starts_with(top) || writable.contains(&mount.target) {
            continue;
        }
        let mut flags = mount.flags() | MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID;
        // The device nodes are binds of the host's, and the only ones. A device can still be written to.
        if mount.target.parent() != Some(&top.join("dev")) {
            flags |= MountFlags::NODEV;
        }
        mount_remount(&mount.target, flags, "").map_err(|error| {
            let error = io::Error::from(error);
            io::Error::new(error.kind(), format!("{}: {error}", mount.target.display()))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
25 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
40 25 0:40 /a\\040b /mnt/with\\040space ro,noexec - tmpfs none rw
";

    #[test]
    fn a_line_has_optional_fields_and_escapes() {
        let mounts = parse(TEXT);
        assert_eq!(mounts.len(), 3);
        assert_eq!((mounts[1].kind.as_str(), mounts[1].super_options.as_str()), ("cgroup", "rw,cpu,cpuacct"));
        assert_eq!((mounts[2].root.as_str(), mounts[2].target.as_path()), ("/a b", Path::new("/mnt/with space")));
        assert_eq!(mounts[2].flags(), MountFlags::NOEXEC);
        assert_eq!(mounts[0].flags(), MountFlags::RELATIME);
    }

    #[test]
    fn nonsense_is_skipped() {
        assert!(parse("\n- \nx y z\n").is_empty());
        assert_eq!(unescape(r"a\9z\"), r"a\9z\");
    }
}
