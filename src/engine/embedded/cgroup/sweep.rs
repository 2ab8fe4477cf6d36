//! Names of cgroups, and removal of those whose launcher is gone. It must not know their limits.

use std::fs;
use std::path::{Path, PathBuf};

use super::find::Place;

const NAME: &str = "runpen-";

/// The start of the names of all cgroups of this process: its id, and when it started, as ids come again.
pub(in crate::engine::embedded) fn prefix() -> String {
    let pid = std::process::id();
    format!("{NAME}{pid}-{}-", started(pid).unwrap_or(0))
}

/// When a process started, in ticks since boot.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything, parentheses too.
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

/// Removes the cgroups of launchers that are gone, and says how many sandboxes they were of. An empty cgroup can be
/// removed, one with a process in it cannot, so nothing living is ever touched.
pub(in crate::engine::embedded) fn sweep(place: &Place) -> usize {
    let mut names = std::collections::BTreeSet::new();
    for folder in place.folders() {
        for left in left_in(folder) {
            if fs::remove_dir(&left).is_ok() {
                names.extend(left.file_name().map(ToOwned::to_owned));
            }
        }
    }
    names.len()
}

fn left_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_str().is_some_and(is_left)).map(|entry| entry.path()).collect()
}

fn is_left(name: &str) -> bool {
    let mut fields = name.strip_prefix(NAME).into_iter().flat_map(|rest| rest.split('-'));
    let number = |field: Option<&str>| field.and_then(|field| field.parse::<u64>().ok());
    let (Some(pid), Some(start)) = (number(fields.next()), number(fields.next())) else { return false };
    u32::try_from(pid).ok().and_then(started) != Some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_dead_launcher_left_is_swept() {
        let top = tempfile::tempdir().unwrap();
        let ours = format!("{}1", prefix());
        for name in [ours.as_str(), "runpen-1-99-7", "runpen-4194999-5-1", "docker", "runpen-x"] {
            fs::create_dir(top.path().join(name)).unwrap();
        }
        assert_eq!(sweep(&Place::V2(top.path().to_owned())), 2);
        assert!(top.path().join(ours).exists());
        assert!(top.path().join("docker").exists() && top.path().join("runpen-x").exists());
    }
}
