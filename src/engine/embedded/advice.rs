//! Why this machine cannot have a sandbox, and what to do. It must not know how one is made.

use std::fs;

use super::wire::Failure;
use crate::engine::EngineError;

/// Switches of the machine that forbid sandboxes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Switches {
    /// `user.max_user_namespaces` is 0.
    none_allowed: bool,
    /// `kernel.unprivileged_userns_clone` is 0 (Debian's own).
    unprivileged_off: bool,
    /// `kernel.apparmor_restrict_unprivileged_userns` is 1 (Ubuntu 23.10 and later).
    apparmor: bool,
}

impl Switches {
    /// As they are now.
    pub(super) fn read() -> Self {
        let is = |path: &str, value: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == value);
        Self {
            none_allowed: is("/proc/sys/user/max_user_namespaces", "0"),
            unprivileged_off: is("/proc/sys/kernel/unprivileged_userns_clone", "0"),
            apparmor: is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),
        }
    }
}

/// The error for a first sandbox that failed: the machine cannot have any.
pub(super) fn unusable(failure: &Failure, switches: Switches) -> EngineError {
    let (reason, advice) = explain(failure, switches);
    EngineError::Unreachable { tried: format!("embedded ({reason})"), advice }
}

fn explain(failure: &Failure, switches: Switches) -> (String, String) {
    let denied = failure.errno == libc::EPERM || failure.errno == libc::EACCES;
    let docker = "or install Docker or Podman";
    if switches.none_allowed {
        return (
            "user namespaces are switched off: user.max_user_namespaces is 0".to_owned(),
            format!("allow them with 'sudo sysctl user.max_user_namespaces=15000', {docker}"),
        );
    }
    if denied && switches.unprivileged_off {
        return (
            "user namespaces are switched off for ordinary users: kernel.unprivileged_userns_clone is 0".to_owned(),
            format!("allow them with 'sudo sysctl kernel.unprivileged_userns_clone=1', {docker}"),
        );
    }
    if denied && switches.apparmor {
        return (
            format!("AppArmor forbids user namespaces to programs it does not know ({failure})"),
            format!(
                "add a profile for runpen with 'userns,' in it to /etc/apparmor.d, \
                 or 'sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0', {docker}"
            ),
        );
    }
    if failure.step == "mount /proc" && denied {
        return (
            "a new /proc is refused, as inside most containers, where parts of /proc are hidden".to_owned(),
            "run this container with '--security-opt systempaths=unconfined', or runpen outside of it".to_owned(),
        );
    }
    if failure.errno == libc::ENOSYS && failure.step == "close inherited files" {
        return ("the kernel is older than Linux 5.9".to_owned(), format!("use a newer one, {docker}"));
    }
    if failure.step == "make namespaces" {
        return match failure.errno {
            libc::ENOSYS => (
                "clone3 is refused: the kernel is older than 5.9, or a container's system call filter hides it".to_owned(),
                format!("use a newer kernel, run the container with '--security-opt seccomp=unconfined', {docker}"),
            ),
            libc::EPERM | libc::EACCES => (
                format!("namespaces are refused ({})", failure.reason),
                "inside a container, start that with '--security-opt seccomp=unconfined'; else ask who runs the machine \
                 to allow user namespaces"
                    .to_owned(),
            ),
            libc::ENOSPC | libc::EUSERS => (
                "no more user namespaces are allowed on this machine".to_owned(),
                "raise user.max_user_namespaces and the other limits under /proc/sys/user".to_owned(),
            ),
            libc::EINVAL => (
                "the kernel is built without one of the namespaces (user, mount, PID, network, IPC, UTS, cgroup)".to_owned(),
                format!("use a distribution's kernel, {docker}"),
            ),
            _ => (failure.to_string(), "use Docker or Podman".to_owned()),
        };
    }
    (failure.to_string(), "use Docker or Podman, and report this".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(step: &str, errno: i32) -> Failure {
        Failure::new(step, &std::io::Error::from_raw_os_error(errno))
    }

    #[test]
    fn each_switch_has_its_own_advice() {
        let off = Switches { none_allowed: true, ..Switches::default() };
        let text = unusable(&failure("make namespaces", libc::ENOSPC), off).to_string();
        assert!(text.contains("user.max_user_namespaces is 0") && text.contains("sudo sysctl"), "{text}");
        let debian = Switches { unprivileged_off: true, ..Switches::default() };
        let text = unusable(&failure("make namespaces", libc::EPERM), debian).to_string();
        assert!(text.contains("unprivileged_userns_clone=1"), "{text}");
        let ubuntu = Switches { apparmor: true, ..Switches::default() };
        let text = unusable(&failure("bring up the loopback device", libc::EPERM), ubuntu).to_string();
        assert!(text.contains("/etc/apparmor.d"), "{text}");
    }

    #[test]
    fn a_container_is_told_apart_from_a_machine() {
        let text = unusable(&failure("mount /proc", libc::EPERM), Switches::default()).to_string();
        assert!(text.contains("systempaths=unconfined"), "{text}");
        let text = unusable(&failure("make namespaces", libc::ENOSYS), Switches::default()).to_string();
        assert!(text.contains("5.9"), "{text}");
    }

    #[test]
    fn a_failure_without_a_known_cause_is_told_as_it_is() {
        let text = unusable(&failure("link /bin", libc::EIO), Switches::default()).to_string();
        assert!(text.contains("link /bin: Input/output error"), "{text}");
    }
}
