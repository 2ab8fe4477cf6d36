//! Where an engine may be: what `docker` itself would use, then the sockets that engines usually have. It reads the
//! environment and Docker's configuration folder; nothing is dialled here.
//!
//! The first of these that says anything is used, and no other: `docker-host` or `docker-context` in the user's own
//! settings, `DOCKER_HOST`, `DOCKER_CONTEXT`, the current context in Docker's `config.json`. A project has no say: who
//! chooses the engine chooses where code is sent. Only when none of them speaks are the usual sockets tried.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::tls::TlsFiles;
use crate::config::EngineWish;

/// A place where an engine may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `unix:///path`, `npipe://…`, `tcp://host:port` or `ssh://host`.
    pub endpoint: String,
    /// Who named it, for the doctor.
    pub source: String,
    /// Whether somebody named it, rather than that it is a usual place.
    pub(super) named: bool,
    pub(super) tls: Option<TlsFiles>,
    /// Why it cannot even be tried.
    pub(super) refused: Option<String>,
}

impl Place {
    /// A place that somebody named, without files of its own for TLS.
    #[must_use]
    pub fn new(endpoint: impl Into<String>, source: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), source: source.into(), named: false, tls: None, refused: None }
    }

    /// Whether it is on another machine, as far as its name tells.
    #[must_use]
    pub fn is_far(&self) -> bool {
        ["tcp://", "http://", "https://", "ssh://"].iter().any(|scheme| self.endpoint.starts_with(scheme))
    }
}

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// The one that was chosen by somebody: then nothing else is used.
    pub chosen: Option<Place>,
    /// The sockets that engines usually have, best first.
    pub usual: Vec<Place>,
}

impl Places {
    /// What a connection may use, best first.
    #[must_use]
    pub fn usable(&self) -> Vec<Place> {
        self.chosen.clone().map_or_else(|| self.usual.clone(), |chosen| vec![chosen])
    }
}

/// Looks around, as the user's settings wish.
#[must_use]
pub fn places(wish: &EngineWish) -> Places {
    let variable = |name: &str| std::env::var(name).ok().map(|value| value.trim().to_owned());
    let surroundings = Surroundings { variable: &variable, home: dirs::home_dir(), user: user_id() };
    surroundings.places(wish)
}

/// What is read of the machine, for tests to have another one.
struct Surroundings<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    home: Option<PathBuf>,
    user: Option<u32>,
}

impl Surroundings<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    fn places(&self, wish: &EngineWish) -> Places {
        let chosen = self.chosen(wish).map(|place| Place { named: true, ..place });
        Places { chosen, usual: self.usual() }
    }

    fn chosen(&self, wish: &EngineWish) -> Option<Place> {
        if let Some(host) = &wish.docker_host {
            return Some(self.host(host, "the setting docker-host"));
        }
        if let Some(context) = &wish.docker_context {
            return self.context(context, "the setting docker-context");
        }
        if let Some(host) = self.variable("DOCKER_HOST") {
            return Some(self.host(&host, "DOCKER_HOST"));
        }
        if let Some(context) = self.variable("DOCKER_CONTEXT") {
            return self.context(&context, "DOCKER_CONTEXT");
        }
        let folder = self.docker_folder()?;
        let file = folder.join("config.json");
        let text = std::fs::read_to_string(&file).ok()?;
        // A file that is no JSON is the `docker` command's to complain of: it names no engine.
        let config: Config = serde_json::from_str(&text).ok()?;
        if config.current.is_empty() {
            return None;
        }
        self.context(&config.current, &format!("the current context in {}", file.display()))
    }

    fn docker_folder(&self) -> Option<PathBuf> {
        self.variable("DOCKER_CONFIG").map(PathBuf::from).or_else(|| Some(self.home.as_ref()?.join(".docker")))
    }

    /// An endpoint by its address. TLS is as `docker` has it: when a variable asks for it.
    fn host(&self, host: &str, source: &str) -> Place {
        let host = if host.contains("://") { host.to_owned() } else { format!("tcp://{host}") };
        let asked = host.starts_with("https://")
            || ["DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH"].iter().any(|name| self.variable(name).is_some());
        let mut place = Place::new(host, source);
        if asked && place.is_far() && !place.endpoint.starts_with("ssh://") {
            let folder = self.variable("DOCKER_CERT_PATH").map(PathBuf::from).or_else(|| self.docker_folder());
            place.tls = Some(folder.map(|folder| TlsFiles::of_folder(&folder)).unwrap_or_default());
        }
        place
    }

    /// An endpoint by the name of a context. The one called `default` stands for the usual sockets.
    fn context(&self, name: &str, source: &str) -> Option<Place> {
        if name == "default" {
            return None;
        }
        let source = format!("context {name}, by {source}");
        let refused = |reason: String| {
            let mut place = Place::new(format!("context {name}"), source.clone());
            place.refused = Some(reason);
            Some(place)
        };
        let Some(contexts) = self.docker_folder().map(|folder| folder.join("contexts")) else {
            return refused("there is no home folder to find contexts in".to_owned());
        };
        let Some((id, meta)) = context_meta(&contexts, name) else {
            return refused(format!(
                "there is no such context in {}; `docker context ls` shows them",
                contexts.display()
            ));
        };
        let Some(endpoint) = meta.endpoints.get("docker").filter(|endpoint| !endpoint.host.is_empty()) else {
            return refused("it has no endpoint for docker".to_owned());
        };
        if endpoint.skip_verify {
            return refused(
                "it skips the check of the server's certificate, which Runpen does not; give the context a ca.pem"
                    .to_owned(),
            );
        }
        let mut place = Place::new(endpoint.host.clone(), source);
        let files = contexts.join("tls").join(id).join("docker");
        if files.is_dir() {
            place.tls = Some(TlsFiles::of_folder(&files));
        }
        Some(place)
    }

    /// The sockets of each platform and product.
    fn usual(&self) -> Vec<Place> {
        if cfg!(windows) {
            return ["docker_engine", "dockerDesktopLinuxEngine", "podman-machine-default"]
                .map(|pipe| Place::new(format!("npipe:////./pipe/{pipe}"), "named pipe"))
                .into();
        }
        let mut sockets = vec![(PathBuf::from("/var/run/docker.sock"), "Docker")];
        let runtime = self.variable("XDG_RUNTIME_DIR").map(PathBuf::from);
        let runtime = runtime.or_else(|| Some(PathBuf::from(format!("/run/user/{}", self.user?))));
        sockets.extend(runtime.iter().map(|folder| (folder.join("docker.sock"), "rootless Docker")));
        if let Some(home) = &self.home {
            sockets.push((home.join(".docker/run/docker.sock"), "Docker Desktop"));
            sockets.push((home.join(".docker/desktop/docker.sock"), "Docker Desktop"));
            sockets.extend(colima(home).into_iter().map(|socket| (socket, "Colima")));
            sockets.push((home.join(".orbstack/run/docker.sock"), "OrbStack"));
            sockets.push((home.join(".rd/docker.sock"), "Rancher Desktop"));
        }
        sockets.extend(runtime.iter().map(|folder| (folder.join("podman/podman.sock"), "Podman of this user")));
        sockets.push((PathBuf::from("/run/podman/podman.sock"), "Podman"));
        sockets.into_iter().map(|(path, product)| Place::new(format!("unix://{}", path.display()), product)).collect()
    }
}

/// Colima has a folder for each profile, here or in the newer place; the default one comes first.
fn colima(home: &Path) -> Vec<PathBuf> {
    let mut sockets = Vec::new();
    for folder in [home.join(".colima"), home.join(".config/colima")] {
        let named = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut profiles: Vec<String> = named.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        profiles.retain(|name| name != "default" && folder.join(name).join("docker.sock").exists());
        profiles.sort();
        sockets.extend(
            std::iter::once("default")
                .chain(profiles.iter().map(String::as_str))
                .map(|profile| folder.join(profile).join("docker.sock")),
        );
    }
    sockets
}

/// What counts of Docker's `config.json`.
#[derive(Deserialize)]
struct Config {
    #[serde(default, rename = "currentContext")]
    current: String,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Name")]
    name: String,
    #[serde(default, rename = "Endpoints")]
    endpoints: BTreeMap<String, MetaEndpoint>,
}

#[derive(Deserialize)]
struct MetaEndpoint {
    #[serde(default, rename = "Host")]
    host: String,
    #[serde(default, rename = "SkipTLSVerify")]
    skip_verify: bool,
}

/// A context and the name of its folder. The folder is called by a hash of the name; looking into each says the same.
fn context_meta(contexts: &Path, name: &str) -> Option<(String, Meta)> {
    let folders = std::fs::read_dir(contexts.join("meta")).ok()?;
    folders.flatten().find_map(|folder| {
        let text = std::fs::read_to_string(folder.path().join("meta.json")).ok()?;
        let meta: Meta = serde_json::from_str(&text).ok()?;
        (meta.name == name).then(|| (folder.file_name().to_string_lossy().into_owned(), meta))
    })
}

#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "other platforms have none")]
fn user_id() -> Option<u32> {
    Some(rustix::process::getuid().as_raw())
}

#[cfg(not(target_os = "linux"))]
fn user_id() -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(home: &Path, variables: &[(&str, &str)], wish: &EngineWish) -> Places {
        let variable =
            |name: &str| variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
        Surroundings { variable: &variable, home: Some(home.to_owned()), user: Some(7) }.places(wish)
    }

    fn chosen(home: &Path, variables: &[(&str, &str)]) -> Place {
        look(home, variables, &EngineWish::default()).chosen.unwrap()
    }

    /// A home with a context `big` over TLS, as `docker context create` writes it.
    fn home() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        let contexts = home.path().join(".docker/contexts");
        let write = |path: PathBuf, text: &str| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let meta = |host: &str, name: &str, skip: bool| {
            serde_json::json!({"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": skip}}})
                .to_string()
        };
        write(contexts.join("meta/aa/meta.json"), &meta("tcp://big:2376", "big", false));
        write(contexts.join("meta/bb/meta.json"), &meta("tcp://lax:2376", "lax", true));
        write(contexts.join("meta/cc/meta.json"), "{");
        write(contexts.join("tls/aa/docker/ca.pem"), "x");
        write(home.path().join(".docker/config.json"), r#"{"currentContext":"big","auths":{}}"#);
        write(home.path().join(".colima/work/docker.sock"), "");
        home
    }

    #[test]
    fn what_the_docker_command_would_use_is_used() {
        let home = home();
        let place = chosen(home.path(), &[]);
        assert_eq!(place.endpoint, "tcp://big:2376");
        assert!(place.source.starts_with("context big, by the current context in "), "{}", place.source);
        assert!(place.tls.is_some() && place.is_far());
        let place = chosen(home.path(), &[("DOCKER_HOST", "unix:///x.sock"), ("DOCKER_CONTEXT", "lax")]);
        assert_eq!((place.endpoint.as_str(), place.source.as_str()), ("unix:///x.sock", "DOCKER_HOST"));
        let default = look(home.path(), &[("DOCKER_CONTEXT", "default")], &EngineWish::default());
        assert_eq!(default.chosen, None);
        assert_eq!(default.usable(), default.usual);
    }

    #[test]
    fn a_setting_of_the_users_pins_one() {
        let home = home();
        let wish = EngineWish { docker_host: Some("ssh://big".to_owned()), ..EngineWish::default() };
        let places = look(home.path(), &[("DOCKER_HOST", "unix:///x.sock")], &wish);
        assert_eq!(places.usable(), [Place { named: true, ..Place::new("ssh://big", "the setting docker-host") }]);
        let wish = EngineWish { docker_context: Some("big".to_owned()), ..EngineWish::default() };
        let places = look(home.path(), &[("DOCKER_HOST", "unix:///x.sock")], &wish);
        assert_eq!(places.chosen.unwrap().endpoint, "tcp://big:2376");
    }

    #[test]
    fn a_context_that_cannot_be_used_says_why_and_nothing_takes_its_place() {
        let home = home();
        for (name, reason) in [("gone", "no such context in "), ("lax", "skips the check")] {
            let places = look(home.path(), &[("DOCKER_CONTEXT", name)], &EngineWish::default());
            let usable = places.usable();
            assert_eq!(usable.len(), 1);
            assert!(usable[0].refused.as_ref().unwrap().contains(reason), "{usable:?}");
        }
    }

    #[test]
    fn tls_is_used_when_a_variable_asks_for_it() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(chosen(home.path(), &[("DOCKER_HOST", "tcp://h:2375")]).tls, None);
        let files = chosen(home.path(), &[("DOCKER_HOST", "tcp://h:2376"), ("DOCKER_CERT_PATH", "/certs")]).tls;
        assert_eq!(files, Some(TlsFiles::of_folder(Path::new("/certs"))));
        let files = chosen(home.path(), &[("DOCKER_HOST", "h:2376"), ("DOCKER_TLS_VERIFY", "1")]).tls;
        assert_eq!(files, Some(TlsFiles::of_folder(&home.path().join(".docker"))));
        assert_eq!(chosen(home.path(), &[("DOCKER_HOST", "ssh://h"), ("DOCKER_TLS_VERIFY", "1")]).tls, None);
    }

    #[cfg(unix)]
    #[test]
    fn every_products_socket_is_known() {
        let home = home();
        let usual = look(home.path(), &[("XDG_RUNTIME_DIR", "/run/user/9")], &EngineWish::default()).usual;
        let at = |end: &str| {
            usual.iter().position(|place| place.endpoint.ends_with(end)).unwrap_or_else(|| panic!("{end}: {usual:?}"))
        };
        assert_eq!(at("unix:///var/run/docker.sock"), 0);
        let order = [
            "/run/user/9/docker.sock",
            "/.docker/run/docker.sock",
            "/.docker/desktop/docker.sock",
            "/.colima/default/docker.sock",
            "/.colima/work/docker.sock",
            "/.config/colima/default/docker.sock",
            "/.orbstack/run/docker.sock",
            "/.rd/docker.sock",
            "/run/user/9/podman/podman.sock",
            "unix:///run/podman/podman.sock",
        ]
        .map(at);
        assert!(order.is_sorted(), "{order:?}");
        let without = look(home.path(), &[], &EngineWish::default()).usual;
        assert!(without.iter().any(|place| place.endpoint == "unix:///run/user/7/docker.sock"), "{without:?}");
    }
}
