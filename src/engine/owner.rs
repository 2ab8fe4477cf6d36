//! Who a container belongs to: an id and a lock file that says whether its server still lives.
//!
//! # Theory of operation
//!
//! Every process that makes containers claims an [`Owner`]: a random id, and an exclusive lock on `<id>.lock` that it
//! holds as long as it lives. The kernel drops the lock with the process, however it dies. So a file that exists in our
//! folder and is not locked names a server that is gone, and what it left may be swept; an id without a file in our folder
//! belongs to another user or another machine that shares the engine, and is left alone.
//!
//! The file's lines are the endpoints its owner made containers at: a sweep at one endpoint must not forget what the
//! same owner left at another.
//!
//! Every container is noted before it is asked for, until its engine has confirmed that it is gone. One whose engine stopped
//! answering is *owed*. An owner that ends before all is confirmed leaves its file, so the next sweep finds it like one that
//! crashed.
//!
//! This module knows no engine. It must not know what a container is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Extension of a socket beside a lock: see [`Owner::socket`].
pub const SOCKET: &str = "sock";

/// A claim on containers, as long as it lives.
#[derive(Debug)]
pub struct Owner {
    id: String,
    /// Absent when no folder could be written to: then nothing but ourselves will ever sweep what we make.
    lock: Option<Mutex<Lock>>,
    /// Counts names, over all connections: one that broke must not begin anew.
    named: AtomicU64,
    books: Mutex<Books>,
}

/// Names of containers, by endpoint.
#[derive(Debug, Default)]
struct Books {
    /// All whose end was not confirmed.
    open: BTreeMap<String, BTreeSet<String>>,
    /// Of these, the ones that were given up on.
    owed: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug)]
struct Lock {
    path: PathBuf,
    file: File,
    endpoints: BTreeSet<String>,
}

/// An owner whose process is gone. The lock is held meanwhile, so that two sweeps do not meet.
#[derive(Debug)]
pub struct Dead {
    /// Its id.
    pub id: String,
    lock: Lock,
}

/// Our folder in the user's cache folder, or in `RUNPEN_CACHE_DIR` where that is set.
#[must_use]
pub fn cache_folder() -> Option<PathBuf> {
    let cache = std::env::var_os("RUNPEN_CACHE_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    Some(cache.or_else(dirs::cache_dir)?.join("runpen"))
}

/// The folder of lock files, in [`cache_folder`].
#[must_use]
pub fn folder() -> Option<PathBuf> {
    Some(cache_folder()?.join("owners"))
}

impl Owner {
    fn new(id: String, lock: Option<Mutex<Lock>>) -> Self {
        Self { id, lock, named: AtomicU64::new(0), books: Mutex::default() }
    }

    /// A name that no other container has: the owner's part is random, the number counts.
    #[must_use]
    pub fn next_name(&self) -> String {
        format!("{}{}", self.name_prefix(), self.named.fetch_add(1, Ordering::Relaxed))
    }

    /// Claims a new id. It works without a folder too, only that a crash is then swept by nobody.
    #[must_use]
    pub fn claim() -> Self {
        match folder() {
            None => {
                tracing::warn!("no cache folder: containers left by a crash will not be found again");
                Self::new(random_id::<8>(), None)
            }
            Some(folder) => Self::claim_in(&folder).unwrap_or_else(|error| {
                let folder = folder.display();
                tracing::warn!("cannot lock in {folder}: {error}; what a crash leaves will not be found again");
                Self::new(random_id::<8>(), None)
            }),
        }
    }

    /// Claims a new id in a folder.
    pub fn claim_in(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        // Whoever may enter it may ask the servers what runs.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
        }
        let id = random_id::<8>();
        // Locked under another name first: a sweep that looks between creating and locking would take it for dead.
        let hidden = folder.join(format!(".{id}"));
        let path = folder.join(format!("{id}.lock"));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&hidden)?;
        file.lock()?;
        std::fs::rename(&hidden, &path)?;
        Ok(Self::new(id, Some(Mutex::new(Lock { path, file, endpoints: BTreeSet::new() }))))
    }

    /// The id: 16 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The start of every name this owner gives.
    #[must_use]
    pub fn name_prefix(&self) -> String {
        name_prefix(&self.id)
    }

    /// The folder of its lock, where others' locks lie too.
    #[must_use]
    pub fn folder(&self) -> Option<PathBuf> {
        let lock = self.lock.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        lock.path.parent().map(Path::to_owned)
    }

    /// A path beside its lock for a socket, which goes with it.
    #[must_use]
    pub fn socket(&self) -> Option<PathBuf> {
        let lock = self.lock.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(lock.path.with_extension(SOCKET))
    }

    /// Notes, before the first container is made there, that this owner uses an endpoint.
    pub fn uses(&self, endpoint: &str) -> io::Result<()> {
        let Some(lock) = &self.lock else { return Ok(()) };
        let mut lock = lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.endpoints.insert(one_line(endpoint)) { lock.write() } else { Ok(()) }
    }

    /// Notes a container that is about to be asked for at an endpoint.
    pub fn opens(&self, endpoint: &str, name: &str) {
        self.books().open.entry(one_line(endpoint)).or_default().insert(name.to_owned());
    }

    /// Notes that one is given up on, though its end was not confirmed.
    pub fn owe(&self, endpoint: &str, name: &str) {
        self.opens(endpoint, name);
        self.books().owed.entry(one_line(endpoint)).or_default().insert(name.to_owned());
    }

    /// Notes that one is gone, or never came to be.
    pub fn closes(&self, endpoint: &str, name: &str) {
        let books = &mut *self.books();
        for page in [&mut books.open, &mut books.owed] {
            if let Some(names) = page.get_mut(&one_line(endpoint)) {
                names.remove(name);
            }
            page.retain(|_, names| !names.is_empty());
        }
    }

    /// What is owed at an endpoint.
    #[must_use]
    pub fn owed(&self, endpoint: &str) -> Vec<String> {
        self.books().owed.get(&one_line(endpoint)).into_iter().flatten().cloned().collect()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let all_confirmed = self.books().open.is_empty();
        if let Some(lock) = &self.lock {
            let mut lock = lock.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = std::fs::remove_file(lock.path.with_extension(SOCKET));
            if all_confirmed {
                let _ = std::fs::remove_file(&lock.path);
            } else {
                // As it is, with the time of our end: see `Dead::age`.
                let _ = lock.write();
            }
        }
    }
}

/// The name of this machine.
#[must_use]
pub fn host_name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        #[cfg(target_os = "linux")]
        let name = Some(rustix::system::uname().nodename().to_string_lossy().into_owned());
        #[cfg(not(target_os = "linux"))]
        let name = ["COMPUTERNAME", "HOSTNAME"].iter().find_map(|name| std::env::var(name).ok());
        name.filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned())
    })
}

impl Dead {
    /// Says that nothing is left of it at an endpoint; its file goes with the last one.
    pub fn swept(mut self, endpoint: &str) -> io::Result<()> {
        self.lock.endpoints.remove(&one_line(endpoint));
        let _ = std::fs::remove_file(self.lock.path.with_extension(SOCKET));
        if self.lock.endpoints.is_empty() { std::fs::remove_file(&self.lock.path) } else { self.lock.write() }
    }

    /// How long ago it wrote its file last; long ago where nobody knows.
    #[must_use]
    pub fn age(&self) -> Duration {
        let written = self.lock.file.metadata().and_then(|metadata| metadata.modified());
        written.ok().and_then(|written| written.elapsed().ok()).unwrap_or(Duration::MAX)
    }

    /// The start of every name it gave.
    #[must_use]
    pub fn name_prefix(&self) -> String {
        name_prefix(&self.id)
    }
}

impl Lock {
    fn write(&mut self) -> io::Result<()> {
        let text: String = self.endpoints.iter().flat_map(|endpoint| [endpoint.as_str(), "\n"]).collect();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text.as_bytes())?;
        // Cut last: a process that ends in between must not leave an empty file, which would say that it made nothing.
        self.file.set_len(text.len() as u64)
    }
}

/// The owners of a folder that are gone and made containers at an endpoint.
pub fn dead_in(folder: &Path, endpoint: &str) -> io::Result<Vec<Dead>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let endpoint = one_line(endpoint);
    let mut dead = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let Some(id) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".lock"))
        else {
            continue;
        };
        if !is_id(id) {
            continue;
        }
        let id = id.to_owned();
        // It may be gone by now: its owner ended well, or another sweep was quicker.
        let Ok(mut file) = OpenOptions::new().read(true).write(true).open(&path) else { continue };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let endpoints: BTreeSet<String> = text.lines().map(str::to_owned).collect();
        let lock = Lock { path, file, endpoints };
        if lock.endpoints.is_empty() {
            // It died before it made anything.
            let _ = std::fs::remove_file(lock.path.with_extension(SOCKET));
            let _ = std::fs::remove_file(&lock.path);
        } else if lock.endpoints.contains(&endpoint) {
            dead.push(Dead { id, lock });
        }
    }
    Ok(dead)
}

/// So many random bytes, in hexadecimal.
pub(crate) fn random_id<const BYTES: usize>() -> String {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    bytes.iter().fold(String::new(), |id, byte| id + &format!("{byte:02x}"))
}

fn is_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn name_prefix(id: &str) -> String {
    format!("runpen-{}-", &id[..8])
}

fn one_line(endpoint: &str) -> String {
    endpoint.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_living_owner_is_not_dead() {
        let folder = tempfile::tempdir().unwrap();
        let owner = Owner::claim_in(folder.path()).unwrap();
        owner.uses("unix:///a").unwrap();
        assert!(dead_in(folder.path(), "unix:///a").unwrap().is_empty());
        assert!(is_id(owner.id()));
        drop(owner);
        assert_eq!(files(folder.path()), 0, "a clean end leaves no file");
    }

    #[test]
    fn a_dead_owner_is_found_where_it_made_something() {
        let folder = tempfile::tempdir().unwrap();
        let id = "00112233445566aa";
        std::fs::write(folder.path().join(format!("{id}.lock")), "unix:///a\nunix:///b\n").unwrap();
        assert!(dead_in(folder.path(), "unix:///c").unwrap().is_empty());
        let mut dead = dead_in(folder.path(), "unix:///a").unwrap();
        assert_eq!(dead.len(), 1);
        assert!(dead_in(folder.path(), "unix:///a").unwrap().is_empty(), "one sweep at a time");
        let one = dead.remove(0);
        assert_eq!((one.id.as_str(), one.name_prefix().as_str()), (id, "runpen-00112233-"));
        one.swept("unix:///a").unwrap();
        assert!(dead_in(folder.path(), "unix:///a").unwrap().is_empty());
        for one in dead_in(folder.path(), "unix:///b").unwrap() {
            one.swept("unix:///b").unwrap();
        }
        assert_eq!(files(folder.path()), 0);
    }

    #[test]
    fn an_owner_that_ends_too_soon_is_swept_like_one_that_crashed() {
        let folder = tempfile::tempdir().unwrap();
        let owner = Owner::claim_in(folder.path()).unwrap();
        owner.uses("tcp://a").unwrap();
        owner.owe("tcp://a", "one");
        owner.opens("tcp://a", "two");
        assert_ne!(owner.next_name(), owner.next_name());
        assert_eq!(owner.owed("tcp://a"), ["one"], "the other one may be in use");
        owner.closes("tcp://a", "one");
        drop(owner);
        let dead = dead_in(folder.path(), "tcp://a").unwrap();
        assert_eq!(dead.len(), 1);
        assert!(dead[0].age() < Duration::from_secs(60));
        for one in dead {
            one.swept("tcp://a").unwrap();
        }
        let owner = Owner::claim_in(folder.path()).unwrap();
        owner.uses("tcp://a").unwrap();
        owner.opens("tcp://a", "three");
        owner.closes("tcp://a", "three");
        drop(owner);
        assert_eq!(files(folder.path()), 0, "all was confirmed");
    }

    #[test]
    fn a_dead_owner_that_made_nothing_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("00112233445566aa.lock"), "").unwrap();
        std::fs::write(folder.path().join("notes.lock"), "").unwrap();
        assert!(dead_in(folder.path(), "unix:///a").unwrap().is_empty());
        assert_eq!(files(folder.path()), 1, "a file that is not ours stays");
    }

    #[test]
    fn no_folder_means_no_dead() {
        assert!(dead_in(Path::new("/nonexistent/owners"), "x").unwrap().is_empty());
    }
}
