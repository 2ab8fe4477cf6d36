//! Files beside which other people and programs are at work: opened without waiting, written whole or not at all.
//! It must not know what is in them.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::engine::owner::random_id;

/// Opens a file for reading. A pipe that nobody writes into is not waited for, and a link is followed only when `links`
/// says so. Whether it is a regular file is to be asked of what is open: something else may have taken its place meanwhile.
#[cfg(target_os = "linux")]
pub(crate) fn open(path: &Path, links: bool) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC | if links { 0 } else { libc::O_NOFOLLOW };
    File::options().read(true).custom_flags(flags).open(path)
}

/// The same where the kernel cannot be told: what is there is looked at first.
#[cfg(not(target_os = "linux"))]
pub(crate) fn open(path: &Path, links: bool) -> io::Result<File> {
    let metadata = if links { fs::metadata(path)? } else { fs::symlink_metadata(path)? };
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    File::open(path)
}

/// Puts a file in its place whole: who reads it at the same moment sees the old one or the new one.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_file_name(format!(".{}", random_id::<8>()));
    fs::write(&fresh, bytes).and_then(|()| fs::rename(&fresh, path)).inspect_err(|_| {
        let _ = fs::remove_file(&fresh);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_take_its_place_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        fs::create_dir(folder.path().join("taken")).unwrap();
        write_whole(&folder.path().join("taken"), b"x").unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
