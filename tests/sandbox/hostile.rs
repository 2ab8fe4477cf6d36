//! Images made to loosen the sandbox, or to look like ours.

use runpen::engine::{Engine, Image};
use serde_json::json;

use crate::support::{
    ALPINE, Bench, PYTHON, Ran, at_home, at_home_with, carry, docker, elsewhere, finish, inspect, probe, sandbox, spec,
};

/// An image that is removed with this.
struct Hostile(String);

impl Hostile {
    /// An image with other metadata on top of a good one.
    fn changed(bench: &Bench, base: &str, changes: &[&str]) -> Self {
        let name = format!("runpen-hostile/{}:1", bench.owner.id());
        let container = at_home(&["create", "--network", "none", base, "true"]);
        let mut arguments = vec!["commit"];
        for change in changes {
            arguments.extend(["--change", *change]);
        }
        arguments.extend([container.trim(), &name]);
        at_home(&arguments);
        at_home(&["rm", "-v", container.trim()]);
        carry(&name);
        Self(name)
    }

    /// An image with other content.
    fn built(bench: &Bench, base: &str, command: &str) -> Self {
        let name = format!("runpen-hostile/{}:1", bench.owner.id());
        let recipe = format!("FROM {base}\nRUN {command}\n");
        at_home_with(&["build", "--network", "none", "--force-rm", "-t", &name, "-"], &recipe);
        carry(&name);
        Self(name)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        at_home(&["rmi", "-f", &self.0]);
        if elsewhere() {
            docker(&["rmi", "-f", &self.0]);
        }
    }
}

fn volumes() -> usize {
    docker(&["volume", "ls", "-q"]).lines().count()
}

/// Runs a shell script in an image.
async fn script(bench: &Bench, image: &Hostile, script: &str) -> Ran {
    bench.run(&image.0, &["/bin/sh", "-c", script], sandbox()).await
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn declared_volumes_are_no_writable_disk() {
    let bench = Bench::new().await;
    let before = volumes();
    let changes = ["VOLUME /data", "VOLUME /var/lib/x/../y/", "VOLUME /tmp", "VOLUME /runpen", "VOLUME /etc/deep"];
    let image = Hostile::changed(&bench, PYTHON, &changes);
    let container = bench.start(&image.0, &probe("writes", ""), sandbox()).await;
    let held = inspect(container.handle.name());
    for mount in held["Mounts"].as_array().unwrap() {
        let own = ["/tmp", "/runpen"].iter().any(|path| mount["Destination"] == **path);
        assert!(mount["Type"] == "tmpfs" || own, "{mount}");
    }
    let ran = finish(container).await;
    let seen: serde_json::Value = serde_json::from_str(ran.stdout.trim()).unwrap();
    let found: Vec<_> = seen["found"].as_array().unwrap().iter().filter(|folder| *folder != "/dev/mqueue").collect();
    assert_eq!(found, [&json!("/dev/shm"), &json!("/runpen"), &json!("/tmp"), &json!("/var/tmp")]);
    assert_eq!(seen["mounts"]["/tmp"]["type"], "tmpfs");
    assert_eq!(seen["mounts"]["/runpen"]["type"], "tmpfs");
    for path in ["/data", "/var/lib/y", "/etc/deep"] {
        let options = seen["mounts"][path]["options"].as_array().unwrap();
        assert!(options.contains(&json!("ro")), "{path}: {options:?}");
        assert!(ran.receipt.controls[path].starts_with("tmpfs ro"), "{path}: {}", ran.receipt.controls[path]);
    }
    assert_eq!(volumes(), before, "anonymous volumes were left");
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn volumes_over_what_the_kernel_shows_only_spoil_the_image_itself() {
    let bench = Bench::new().await;
    for volume in ["/proc/sys", "/"] {
        let image = Hostile::changed(&bench, ALPINE, &[&format!("VOLUME {volume}")]);
        let start = bench.engine.start(&spec(&image.0, &["/bin/sh", "-c", "cat"], sandbox())).await;
        let Err(error) = start else { panic!("{volume}: it started") };
        println!("{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
        assert_eq!(bench.left(), Vec::<String>::new());
    }
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn entry_point_command_user_folder_and_health_check_do_not_count() {
    let bench = Bench::new().await;
    let changes = [
        r#"ENTRYPOINT ["/bin/sh", "-c", "echo hijacked"]"#,
        r#"CMD ["echo", "hijacked"]"#,
        "USER root",
        "WORKDIR /evil/folder",
        "HEALTHCHECK --interval=1s CMD echo checked > /tmp/health",
        "ONBUILD RUN echo hijacked",
        "EXPOSE 8080",
    ];
    let image = Hostile::changed(&bench, ALPINE, &changes);
    let container = bench.start(&image.0, &["/bin/sh", "-c", "sleep 2.5; id -u; pwd; ls -A /tmp"], sandbox()).await;
    let held = inspect(container.handle.name());
    assert_eq!(held["Config"]["User"], "65534:65534");
    assert_eq!(held["Config"]["Healthcheck"]["Test"], json!(["NONE"]));
    let health = &held["State"]["Health"];
    assert!(health.is_null() || health["Status"] == "" && health["Log"].is_null(), "{health}");
    assert!(["SIGKILL", "9"].contains(&held["Config"]["StopSignal"].as_str().unwrap()));
    assert_eq!(finish(container).await.stdout, "65534\n/\n");
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn labels_of_an_image_cannot_imitate_ours() {
    let bench = Bench::new().await;
    let dead = "00000000deadbee5";
    let lock = bench.folder.path().join(format!("{dead}.lock"));
    std::fs::write(&lock, format!("{}\n", bench.engine.endpoint())).unwrap();
    let label = format!("LABEL dev.runpen.owner={dead} dev.runpen.version=9");
    let image = Hostile::changed(&bench, ALPINE, &[&label]);
    let container = bench.start(&image.0, &["/bin/sh", "-c", "cat"], sandbox()).await;
    let held = inspect(container.handle.name());
    assert_eq!(held["Config"]["Labels"]["dev.runpen.owner"], bench.owner.id());
    assert_eq!(held["Config"]["Labels"]["dev.runpen.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(bench.engine.sweep().await.unwrap(), 0, "a living server's container was swept");
    finish(container).await;
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn folders_that_are_links_or_there_already_stay_bounded() {
    let bench = Bench::new().await;
    let command = "rm -rf /tmp /var/tmp && ln -s /etc /tmp && ln -s ../opt /var/tmp && mkdir /runpen && \
                   chmod 777 /runpen && echo planted > /runpen/planted && rm -f /etc/passwd /etc/group";
    let image = Hostile::built(&bench, PYTHON, command);
    let ran = bench.run(&image.0, &probe("writes", ""), sandbox()).await;
    let seen: serde_json::Value =
        serde_json::from_str(ran.stdout.trim()).unwrap_or_else(|_| panic!("{}{}", ran.stdout, ran.stderr));
    for folder in seen["found"].as_array().unwrap() {
        let folder = folder.as_str().unwrap();
        let mount = &seen["mounts"][folder];
        if folder == "/dev/mqueue" {
            continue;
        }
        assert_eq!(mount["type"], "tmpfs", "{folder} is writable and no tmpfs: {mount}");
        let options = mount["options"].as_array().unwrap();
        assert!(options.iter().any(|option| option.as_str().unwrap().starts_with("size=")), "{folder}: {mount}");
        assert!(options.contains(&json!("noexec")), "{folder}: {mount}");
    }
    let stdout = script(&bench, &image, "ls -A /runpen; id -u; id -G").await.stdout;
    assert_eq!(stdout, "65534\n65534\n", "what the image planted in the code's folder must not show");
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn a_setuid_program_gains_nothing() {
    let bench = Bench::new().await;
    let command = "cp $(readlink -f $(command -v python3)) /suid && chown 0:0 /suid && chmod 6755 /suid";
    let image = Hostile::built(&bench, PYTHON, command);
    let code =
        "import os; print(os.geteuid(), os.getegid(), open('/proc/self/status').read().split('CapEff:')[1].split()[0])";
    let ran = script(&bench, &image, &format!("/suid -I -c \"{code}\"; stat -c %a /suid")).await;
    assert_eq!(ran.stdout, "65534 65534 0000000000000000\n6755\n", "{}", ran.stderr);
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn the_environment_of_an_image_stays_its_own_affair() {
    let bench = Bench::new().await;
    let image = Hostile::changed(&bench, ALPINE, &["ENV LD_PRELOAD=/nothing.so", "ENV SEEN=yes"]);
    let ran = script(&bench, &image, "echo $SEEN; id -u").await;
    assert_eq!(ran.stdout, "yes\n65534\n");
    assert_eq!(ran.receipt.controls["user"], "65534:65534");
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn an_image_is_started_by_what_it_was_when_looked_up() {
    let bench = Bench::new().await;
    let image = Hostile::changed(&bench, ALPINE, &["ENV SEEN=yes"]);
    let Image { digest, reference, size } = bench.engine.image(&image.0).await.unwrap().unwrap();
    assert_eq!(reference, image.0);
    let held = inspect(&image.0);
    let id = held["Id"].as_str().unwrap();
    assert!(digest == id || held["RepoDigests"].to_string().contains(&digest), "{digest}: {held}");
    assert!(size > 0);
    let container = bench.start(&image.0, &["/bin/sh", "-c", "cat"], sandbox()).await;
    assert_eq!(inspect(container.handle.name())["Image"], json!(id));
    finish(container).await;
}
