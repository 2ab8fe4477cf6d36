//! The user's Docker credentials for a registry: what `docker login` left, so that nobody logs in twice.
//!
//! Read anew for each pull, from `config.json` in `DOCKER_CONFIG` or `~/.docker`: a helper of the registry (`credHelpers`), the
//! helper of all (`credsStore`), else `auths`. A helper is a program of the user's own machine, `docker-credential-NAME`, and
//! is asked as the `docker` command asks it. Secrets go to the engine with the pull and nowhere else: not to a log, not
//! into an error.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// How Docker's own registry is called in the file.
const HUB: &str = "https://index.docker.io/v1/";

/// How long a helper may take: it may ask a key ring that asks the user.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest answer of a helper, and longest file, that is read.
const LIMIT: u64 = 1 << 20;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct File {
    auths: HashMap<String, Login>,
    cred_helpers: HashMap<String, String>,
    creds_store: String,
}

/// What `auths` has of a registry.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Login {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

/// What a helper prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Secret {
    username: String,
    secret: String,
}

/// The registry of a reference; `None` is Docker's own.
pub(super) fn registry(reference: &str) -> Option<&str> {
    let (first, _) = reference.split_once('/')?;
    let named = first.contains(['.', ':']) || first == "localhost";
    (named && !["docker.io", "index.docker.io", "registry-1.docker.io"].contains(&first)).then_some(first)
}

/// Credentials for the registry of a reference, where the user has some. The error is a line for a person.
pub(super) async fn of(reference: &str) -> Result<Option<DockerCredentials>, String> {
    let Some(path) = path() else { return Ok(None) };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(warned(format!("{} cannot be read: {error}", path.display()))),
    };
    // The parser's own words could quote a secret.
    let file: File = serde_json::from_str(&text).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        warned(format!("{} is not what Docker writes, at {place}", path.display()))
    })?;
    find(&file, registry(reference).unwrap_or(HUB)).await.map_err(warned)
}

fn warned(why: String) -> String {
    tracing::warn!("registry credentials: {why}");
    why
}

fn path() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    Some(folder.or_else(|| Some(dirs::home_dir()?.join(".docker")))?.join("config.json"))
}

async fn find(file: &File, server: &str) -> Result<Option<DockerCredentials>, String> {
    let helper = file.cred_helpers.get(server).or(Some(&file.creds_store)).filter(|helper| !helper.is_empty());
    if let Some(helper) = helper {
        return ask(helper, server).await;
    }
    let bare =
        |name: &str| name.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/').to_owned();
    let entry = file.auths.get(server).or_else(|| {
        let found = file.auths.iter().find(|(name, _)| bare(name) == bare(server));
        found.map(|(_, auth)| auth)
    });
    entry.map_or(Ok(None), |auth| decode(auth, server))
}

fn decode(auth: &Login, server: &str) -> Result<Option<DockerCredentials>, String> {
    let (mut username, mut password) = (auth.username.clone(), auth.password.clone());
    if !auth.auth.is_empty() {
        let wrong = || format!("the entry of {server} in Docker's configuration is damaged; log in again");
        let bytes = STANDARD.decode(auth.auth.trim()).map_err(|_| wrong())?;
        let pair = String::from_utf8(bytes).map_err(|_| wrong())?;
        let (name, secret) = pair.split_once(':').ok_or_else(wrong)?;
        (username, password) = (name.to_owned(), secret.trim_end_matches('\0').to_owned());
    }
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let credentials = DockerCredentials {
        username: some(&username),
        password: some(&password),
        identitytoken: some(&auth.identitytoken),
        registrytoken: some(&auth.registrytoken),
        serveraddress: Some(server.to_owned()),
        ..DockerCredentials::default()
    };
    let empty = username.is_empty() && auth.identitytoken.is_empty() && auth.registrytoken.is_empty();
    Ok((!empty).then_some(credentials))
}

/// Asks a helper.
async fn ask(helper: &str, server: &str) -> Result<Option<DockerCredentials>, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !helper.bytes().all(plain) {
        return Err("the credential helper in Docker's configuration has a strange name".to_owned());
    }
    let program = format!("docker-credential-{helper}");
    let asking = async {
        let mut child = tokio::process::Command::new(&program)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that does not read has its own idea of what to print.
            let _ = stdin.write_all(server.as_bytes()).await;
        }
        let mut text = String::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(LIMIT).read_to_string(&mut text).await?;
        }
        Ok::<_, std::io::Error>((child.wait().await?.success(), text))
    };
    let (good, text) = match tokio::time::timeout(PATIENCE, asking).await {
        Err(_) => return Err(format!("{program} did not answer within {} s", PATIENCE.as_secs())),
        Ok(Err(error)) => return Err(format!("{program} could not be asked: {error}")),
        Ok(Ok(answer)) => answer,
    };
    if !good {
        // It has none for this registry, which is no mistake.
        return if text.contains("not found") { Ok(None) } else { Err(format!("{program} failed")) };
    }
    let secret: Secret =
        serde_json::from_str(&text).map_err(|_| format!("{program} printed something else than credentials"))?;
    let token = secret.username == "<token>";
    Ok(Some(DockerCredentials {
        username: (!token).then_some(secret.username),
        password: (!token).then(|| secret.secret.clone()),
        identitytoken: token.then_some(secret.secret),
        serveraddress: Some(server.to_owned()),
        ..DockerCredentials::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> File {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_registry_is_the_first_part_when_it_is_a_host() {
        for (reference, host) in [
            ("alpine:3.22", None),
            ("library/alpine", None),
            ("docker.io/library/alpine", None),
            ("ghcr.io/a/b:1", Some("ghcr.io")),
            ("localhost/a", Some("localhost")),
            ("127.0.0.1:5055/a@sha256:00", Some("127.0.0.1:5055")),
        ] {
            assert_eq!(registry(reference), host, "{reference}");
        }
    }

    #[tokio::test]
    async fn what_docker_login_left_is_found() {
        let file = file(
            r#"{"auths": {"https://index.docker.io/v1/": {"auth": "dXNlcjpwYTpzcw=="}, "https://a.io": {"auth": "dTpw"},
                "t.io": {"identitytoken": "tok"}, "empty.io": {}, "bad.io": {"auth": "%%"}}, "HttpHeaders": {}}"#,
        );
        let hub = find(&file, HUB).await.unwrap().unwrap();
        assert_eq!((hub.username.as_deref(), hub.password.as_deref()), (Some("user"), Some("pa:ss")));
        assert_eq!(find(&file, "a.io").await.unwrap().unwrap().password.as_deref(), Some("p"));
        assert_eq!(find(&file, "t.io").await.unwrap().unwrap().identitytoken.as_deref(), Some("tok"));
        assert!(find(&file, "empty.io").await.unwrap().is_none());
        assert!(find(&file, "b.io").await.unwrap().is_none());
        let why = find(&file, "bad.io").await.unwrap_err();
        assert!(why.contains("bad.io") && !why.contains("%%"), "{why}");
    }

    #[tokio::test]
    async fn a_helper_that_is_missing_or_strange_is_said() {
        let why = find(&file(r#"{"credsStore": "runpen-no-such"}"#), HUB).await.unwrap_err();
        assert!(why.starts_with("docker-credential-runpen-no-such could not be asked"), "{why}");
        let why = find(&file(r#"{"credHelpers": {"a.io": "../x"}}"#), "a.io").await.unwrap_err();
        assert!(why.contains("strange name"), "{why}");
    }
}
