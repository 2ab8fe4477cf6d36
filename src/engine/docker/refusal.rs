//! Why an image could not be fetched: the engine's words → what to do, and whether trying again may help. Pure.
//!
//! An engine passes on what a registry, a resolver or a disk said, in words that have been the same for years and in no other
//! form. What is not recognised is final, so that nobody waits for attempts that cannot succeed.

use super::credentials::registry;
use super::image::missing;
use crate::engine::EngineError;

/// Words of answers that another attempt may change.
const PASSING: &[&str] = &[
    "toomanyrequests",
    "too many requests",
    " 429",
    "status: 5",
    "internal server error",
    "bad gateway",
    "service unavailable",
    "gateway timeout",
    "unexpected eof",
    "connection reset",
    "broken pipe",
    "tls handshake timeout",
    "client.timeout",
    "timeout exceeded",
    "awaiting headers",
    "filesystem layer verification failed",
    "download failed after attempts",
    "unexpected http response",
    "server closed",
    "server misbehaving",
];

/// Words that say that nobody was reached.
const OFFLINE: &[&str] = &[
    "no such host",
    "network is unreachable",
    "no route to host",
    "connection refused",
    "name resolution",
    "dial tcp",
    "i/o timeout",
];

/// What the engine said when it could not fetch `reference`; `no_login` is why the user's credentials could not be had.
pub(super) fn of(reference: &str, said: &str, no_login: Option<&str>) -> EngineError {
    let lower = said.to_ascii_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let host = registry(reference).unwrap_or("Docker Hub");
    let refused =
        |reason: String, advice: String| EngineError::ImageMissing { image: reference.to_owned(), reason, advice };
    if any(&["no space left", "disk quota"]) {
        let advice = "free some space; `runpen images prune --dry-run` shows what of it is Runpen's".to_owned();
        return refused(format!("the engine's disk is full ({said})"), advice);
    }
    if any(&["toomanyrequests", "too many requests", " 429"]) {
        return EngineError::PullInterrupted {
            image: reference.to_owned(),
            reason: format!("{host} lets this machine fetch no more for now ({said})"),
            advice: "try again later, or log in with `docker login` for a higher limit".to_owned(),
        };
    }
    if any(&["manifest unknown", "name unknown", "not found: manifest"]) {
        return refused(said.to_owned(), format!("{host} has no such image: check its name and tag"));
    }
    if any(&["unauthorized", "authentication required", "no basic auth", "denied", "401", "403"]) {
        let login =
            registry(reference).map_or_else(|| "docker login".to_owned(), |host| format!("docker login {host}"));
        let why = no_login.map(|why| format!(" ({why})")).unwrap_or_default();
        return refused(said.to_owned(), format!("check its name, or log in with `{login}`{why}"));
    }
    if any(OFFLINE) {
        let advice =
            format!("this machine seems to be offline, or {host} is: images that are here run without a network");
        return refused(format!("{host} cannot be reached ({said})"), advice);
    }
    if any(PASSING) || lower == "eof" || lower.ends_with(": eof") {
        let advice = format!("{host} or the way to it has a fault: try again");
        return EngineError::PullInterrupted { image: reference.to_owned(), reason: said.to_owned(), advice };
    }
    missing(reference, said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_advice_and_only_passing_ones_are_tried_again() {
        for (said, passing, word) in [
            ("manifest for a.io/x:1 not found: manifest unknown: manifest unknown", false, "check its name and tag"),
            ("unauthorized: authentication required", false, "`docker login a.io`"),
            (
                "pull access denied for x, repository does not exist or may require 'docker login'",
                false,
                "check its name",
            ),
            ("toomanyrequests: You have reached your pull rate limit", true, "later"),
            ("received unexpected HTTP status: 500 Internal Server Error", true, "try again"),
            ("received unexpected HTTP status: 503 Service Unavailable", true, "try again"),
            ("Get \"http://a.io/v2/\": EOF", true, "try again"),
            ("unexpected EOF", true, "try again"),
            ("read tcp 1.2.3.4:5->6.7.8.9:443: read: connection reset by peer", true, "try again"),
            ("filesystem layer verification failed for digest sha256:00", true, "try again"),
            ("Get \"https://a.io/v2/\": dial tcp: lookup a.io: no such host", false, "offline"),
            ("Get \"https://a.io/v2/\": dial tcp 10.0.0.1:443: connect: network is unreachable", false, "offline"),
            ("failed to register layer: write /x: no space left on device", false, "free some space"),
            ("archive/tar: invalid tar header", false, "docker pull"),
        ] {
            let error = of("a.io/x:1", said, None);
            assert_eq!(matches!(error, EngineError::PullInterrupted { .. }), passing, "{said}");
            let text = error.to_string();
            assert!(text.contains(word) && text.contains("a.io/x:1") && !text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn credentials_that_could_not_be_had_are_named_where_they_were_needed() {
        let text = of("a.io/x:1", "unauthorized: authentication required", Some("docker-credential-x is missing"));
        assert!(text.to_string().contains("docker-credential-x is missing"), "{text}");
    }
}
