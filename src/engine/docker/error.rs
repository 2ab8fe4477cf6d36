//! bollard's errors in our words: the operation that failed, and one line of what the engine said.

use std::time::Duration;

use bollard::errors::Error;

use crate::engine::EngineError;

/// What one call to the engine may take. Generous: an engine under load is slow, but one that hangs must not hang us.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// The status of an answer that is an error.
pub(super) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// What the engine said, on one line.
pub(super) fn reason(error: &Error) -> String {
    let text = match error {
        Error::DockerResponseServerError { message, .. } if !message.trim().is_empty() => message.clone(),
        Error::DockerStreamError { error } if !error.trim().is_empty() => error.clone(),
        Error::DockerContainerWaitError { error, .. } if !error.is_empty() => error.clone(),
        Error::RequestTimeoutError => "no answer in time".to_owned(),
        other => chain(other),
    };
    one_line(&text)
}

/// An error with its causes, where the outer one does not say them.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

/// All on one line, bounded: it goes to a status bar.
pub(super) fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() > 600 {
        let cut = (0..=600).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
        line.truncate(cut);
        line.push('…');
    }
    line
}

/// An operation failed, with a reason of ours.
pub(super) fn failed(operation: impl Into<String>, reason: impl Into<String>) -> EngineError {
    EngineError::Failed { operation: operation.into(), reason: reason.into() }
}

/// A call to the engine within [`DEADLINE`].
pub(super) async fn within<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(DEADLINE, call).await.unwrap_or(Err(Error::RequestTimeoutError))
}

/// Why a container that was made would not start.
pub(super) fn start_failure(image: &str, command: &[String], name: &str, error: &Error) -> EngineError {
    let said = reason(error);
    let program = command.first().map_or("its command", String::as_str);
    let unusable = |reason: String| EngineError::ImageUnusable { image: image.to_owned(), reason };
    let lower = said.to_ascii_lowercase();
    // The runtime says "no such file" of much; only with `exec:` is it the program.
    let exec = lower.contains("exec: ") || lower.contains("exec user process");
    if exec && (lower.contains("no such file or directory") || lower.contains("not found in $path")) {
        let advice = if program.ends_with("sh") { "; use an image with a POSIX shell" } else { "" };
        unusable(format!("it has no {program}{advice}"))
    } else if lower.contains("exec format error") {
        unusable(format!("its {program} is for another kind of processor"))
    } else if exec && lower.contains("permission denied") {
        unusable(format!("its {program} may not be executed by an unprivileged user"))
    } else if lower.contains("oci runtime") {
        unusable(said)
    } else {
        failed(format!("start container {name} of {image}"), said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(message: &str) -> Error {
        Error::DockerResponseServerError { status_code: 400, message: message.to_owned() }
    }

    #[test]
    fn a_shell_that_is_not_there_is_said_clearly() {
        let error = server(
            "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container \
             process: exec: \"/bin/sh\": stat /bin/sh: no such file or directory: unknown",
        );
        let text = start_failure("img:1", &["/bin/sh".to_owned()], "c", &error).to_string();
        assert_eq!(text, "image img:1 cannot be used: it has no /bin/sh; use an image with a POSIX shell");
    }

    #[test]
    fn what_the_runtime_misses_elsewhere_is_not_taken_for_the_shell() {
        let error = server("OCI runtime create failed: mkdir /proc/x: no such file or directory: unknown");
        let text = start_failure("img:1", &["/bin/sh".to_owned()], "c", &error).to_string();
        assert!(text.ends_with("mkdir /proc/x: no such file or directory: unknown"), "{text}");
    }

    #[test]
    fn reasons_are_one_line() {
        assert_eq!(reason(&server("a\n  b\r\nc\t d")), "a b c d");
        assert!(reason(&server(&"ä".repeat(900))).len() < 610);
    }
}
