//! Where cgroups can be made. It must not know what is made there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::engine::embedded::mounts::{self, Mount};

/// Parents of the cgroups to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::embedded) enum Place {
    /// One folder for all controllers.
    V2(PathBuf),
    /// A folder each.
    V1 {
        /// The memory controller's.
        memory: PathBuf,
        /// The pids controller's.
        pids: PathBuf,
        /// The cpu controller's.
        cpu: PathBuf,
        /// The cpuacct controller's.
        cpuacct: PathBuf,
    },
}

/// What is wanted, and what is enough: for an ordinary user, older systemd hands down all but cpu.
const CONTROLLERS: [&[&str]; 2] = [&["memory", "pids", "cpu"], &["memory", "pids"]];

impl Place {
    /// Where this process may make cgroups, or why nowhere.
    pub(in crate::engine::embedded) fn find() -> Result<Self, String> {
        let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"));
        let mounts = mounts::parse(&read("/proc/self/mountinfo")?);
        let own = read("/proc/self/cgroup")?;
        let place = match v2(&mounts, &own) {
            Some(result) => result?,
            None => v1(&mounts, &own)?,
        };
        place.try_out()?;
        Ok(place)
    }

    pub(super) fn folders(&self) -> Vec<&Path> {
        let mut folders: Vec<&Path> = match self {
            Self::V2(folder) => vec![folder],
            Self::V1 { memory, pids, cpu, cpuacct } => vec![memory, pids, cpu, cpuacct],
        };
        folders.sort_unstable();
        folders.dedup();
        folders
    }

    fn try_out(&self) -> Result<(), String> {
        for folder in self.folders() {
            let probe = folder.join(format!("{}probe", super::prefix()));
            let made = fs::create_dir(&probe).and_then(|()| fs::remove_dir(&probe));
            made.map_err(|error| format!("cannot make a cgroup in {}: {error}", folder.display()))?;
        }
        Ok(())
    }
}

/// The folder of our own cgroup, where `line` of `/proc/self/cgroup` puts it under `mount`.
fn own_folder(mount: &Mount, own: &str, matches: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let path = own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next()?;
        matches(controllers).then_some(fields.next()?)
    })?;
    // A mount inside a container may show a part of the tree only.
    let below = Path::new(path).strip_prefix(&mount.root).ok()?;
    Some(mount.target.join(below))
}

/// `None` where version 2 is not in use for what we need.
fn v2(mounts: &[Mount], own: &str) -> Option<Result<Place, String>> {
    let mount = mounts
        .iter()
        .find(|mount| mount.kind == "cgroup2" && has(&mount.target, "cgroup.controllers", CONTROLLERS[1]))?;
    let Some(folder) = own_folder(mount, own, str::is_empty) else {
        return Some(Err(format!("our own cgroup is not below {}", mount.target.display())));
    };
    let parents = folder.ancestors().take_while(|parent| parent.starts_with(&mount.target));
    let parents: Vec<&Path> = parents.filter(|parent| writable(parent)).collect();
    let found = parent_for(&parents, hand_down);
    Some(found.map(|parent| Place::V2(parent.to_path_buf())).ok_or_else(|| {
        format!("no cgroup from {} upwards is delegated to this user with memory and pids", folder.display())
    }))
}

/// The first parent that hands the controllers down or, with `hand_down`, can be made to.
fn parent_for<'a>(parents: &[&'a Path], hand_down: impl Fn(&Path, &[&str]) -> io::Result<()>) -> Option<&'a Path> {
    CONTROLLERS.iter().find_map(|wanted| {
        // Rather further up than to change how somebody else has set up a folder.
        let found = parents.iter().find(|parent| has(parent, "cgroup.subtree_control", wanted));
        found.or_else(|| parents.iter().find(|parent| hand_down(parent, wanted).is_ok())).copied()
    })
}

/// To make a child and to move a process of ours into it.
fn writable(folder: &Path) -> bool {
    access(folder, Access::WRITE_OK).is_ok() && access(folder.join("cgroup.procs"), Access::WRITE_OK).is_ok()
}

fn has(folder: &Path, file: &str, controllers: &[&str]) -> bool {
    fs::read_to_string(folder.join(file))
        .is_ok_and(|text| controllers.iter().all(|name| text.split_whitespace().any(|word| word == *name)))
}

/// Gives a folder's children the controllers. The kernel refuses where processes are in the folder itself, unless it is
/// the very top.
fn hand_down(folder: &Path, controllers: &[&str]) -> io::Result<()> {
    fs::write(folder.join("cgroup.subtree_control"), format!("+{}", controllers.join(" +")))
}

fn v1(mounts: &[Mount], own: &str) -> Result<Place, String> {
    let find = |controller: &str| {
        let has = |list: &str| list.split(',').any(|word| word == controller);
        let mount = mounts.iter().find(|mount| mount.kind == "cgroup" && has(&mount.super_options));
        let mount = mount.ok_or_else(|| format!("the {controller} controller is not mounted"))?;
        let folder = own_folder(mount, own, has);
        folder
            .filter(|folder| folder.is_dir())
            .ok_or_else(|| format!("our own {controller} cgroup is not below {}", mount.target.display()))
    };
    Ok(Place::V1 { memory: find("memory")?, pids: find("pids")?, cpu: find("cpu")?, cpuacct: find("cpuacct")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree that looks like a version-2 hierarchy with a delegated part.
    fn tree() -> tempfile::TempDir {
        let top = tempfile::tempdir().unwrap();
        let deep = top.path().join("user.slice/app.slice/editor.scope");
        fs::create_dir_all(&deep).unwrap();
        for folder in deep.ancestors().take_while(|folder| folder.starts_with(top.path())) {
            fs::write(folder.join("cgroup.procs"), "").unwrap();
            fs::write(folder.join("cgroup.controllers"), "cpuset cpu io memory pids\n").unwrap();
            fs::write(folder.join("cgroup.subtree_control"), "memory pids\n").unwrap();
        }
        top
    }

    fn mount(target: &Path, kind: &str, options: &str) -> Mount {
        Mount {
            root: "/".to_owned(),
            target: target.to_owned(),
            options: "rw".to_owned(),
            kind: kind.to_owned(),
            super_options: options.to_owned(),
        }
    }

    #[test]
    fn the_nearest_parent_that_hands_controllers_down_is_taken() {
        let top = tree();
        let app = top.path().join("user.slice/app.slice");
        // Only here are all three handed down; writing to the others is refused, as the kernel would.
        fs::write(app.join("cgroup.subtree_control"), "cpu memory pids\n").unwrap();
        fs::remove_file(app.join("editor.scope/cgroup.subtree_control")).unwrap();
        fs::create_dir(app.join("editor.scope/cgroup.subtree_control")).unwrap();
        let mounts = [mount(top.path(), "cgroup2", "rw")];
        let found = v2(&mounts, "0::/user.slice/app.slice/editor.scope\n").unwrap().unwrap();
        assert_eq!(found, Place::V2(app));
    }

    #[test]
    fn a_parent_without_cpu_is_better_than_none() {
        let top = tree();
        let app = top.path().join("user.slice/app.slice");
        assert!(has(&app, "cgroup.subtree_control", CONTROLLERS[1]));
        let refuses = |_: &Path, controllers: &[&str]| {
            if controllers.len() == 3 { Err(io::ErrorKind::InvalidInput.into()) } else { Ok(()) }
        };
        assert_eq!(parent_for(&[&app], refuses), Some(app.as_path()));
    }

    #[test]
    fn a_hybrid_machine_uses_version_1() {
        let top = tempfile::tempdir().unwrap();
        for name in ["memory/a", "pids", "both", "unified"] {
            fs::create_dir_all(top.path().join(name)).unwrap();
        }
        fs::write(top.path().join("unified/cgroup.controllers"), "\n").unwrap();
        let mounts = [
            mount(&top.path().join("unified"), "cgroup2", "rw"),
            mount(&top.path().join("memory"), "cgroup", "rw,memory"),
            mount(&top.path().join("pids"), "cgroup", "rw,pids"),
            mount(&top.path().join("both"), "cgroup", "rw,cpu,cpuacct"),
        ];
        let own = "4:memory:/a\n3:pids:/\n2:cpu,cpuacct:/\n0::/\n";
        assert!(v2(&mounts, own).is_none());
        let place = v1(&mounts, own).unwrap();
        assert_eq!(place.folders().len(), 3, "cpu and cpuacct share one");
        let Place::V1 { memory, .. } = place else { panic!() };
        assert_eq!(memory, top.path().join("memory/a"));
    }

    #[test]
    fn a_missing_controller_is_named() {
        assert_eq!(v1(&[], "").unwrap_err(), "the memory controller is not mounted");
    }
}
