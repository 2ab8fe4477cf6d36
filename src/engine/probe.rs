//! The live probe of a sandbox: what `runpen doctor` shows. It starts a container with the full policy and a shell
//! script that tries what must be refused, and holds what it saw against the sandbox that was asked for.
//!
//! It works through any engine and any image with a POSIX shell, and knows neither. Nothing it tries reaches another
//! machine.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;

use super::{Engine, EngineError, Spec};
use crate::plan::{CODE_DIR, NOBODY, Network, Sandbox};
use crate::protocol::{Receipt, Stream};

/// How long a probe may take. It fills folders and makes processes on half a core.
const DEADLINE: Duration = Duration::from_secs(60);

/// The longest answer that is read.
const ANSWER: usize = 256 * 1024;

const SCRIPT: &str = include_str!("probe.sh");

/// One control: what should be seen, and what was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// The control.
    pub control: String,
    /// What should be seen.
    pub expected: String,
    /// What was seen.
    pub seen: String,
    /// Whether that is good enough.
    pub ok: bool,
    /// The engine does not give this control, and says so with the way to get it: see the receipt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// What was seen from inside.
    pub probes: Vec<Probe>,
    /// What the engine says it holds.
    pub receipt: Option<Receipt>,
}

/// Tries every control in a container of its own.
pub async fn probe(engine: &dyn Engine, image: &str, sandbox: Sandbox) -> Result<Vec<Probe>, EngineError> {
    Ok(examine(engine, image, sandbox, sandbox).await?.probes)
}

/// Starts one sandbox and holds it against `asked`. The two differ only where a test shows that the probes see what is
/// loose.
pub async fn examine(
    engine: &dyn Engine,
    image: &str,
    sandbox: Sandbox,
    asked: Sandbox,
) -> Result<Findings, EngineError> {
    let command = vec!["/bin/sh".to_owned(), "-c".to_owned(), SCRIPT.to_owned()];
    let mut container = engine.start(&Spec { image: image.to_owned(), command, sandbox }).await?;
    // What the engine says of the container decides what can be seen in it.
    let receipt = container.handle.receipt().await.ok();
    let own_kernel = receipt.as_ref().is_some_and(|receipt| receipt.runtime.contains("runsc"));
    let mut missing: Vec<&str> = receipt
        .iter()
        .flat_map(|receipt| &receipt.missing)
        .filter_map(|missing| missing.split_once(": ").map(|(control, _)| control))
        .flat_map(|control| match control {
            "cpus" => vec!["CPU"],
            "pids" => vec!["processes"],
            "nofile" => vec!["open files"],
            "core" => vec!["core files"],
            "memory" => vec!["memory", "memory without end"],
            other => vec![other],
        })
        .collect();
    if missing.contains(&"memory") {
        // Without a cgroup the whole sandbox is killed, and its answer with it.
        missing.push("memory without end");
    }
    // Making files takes gVisor so long that one folder of them is a minute.
    let most = if own_kernel { 0 } else { 2 * sandbox.tmp.inodes.max(sandbox.code.inodes) };
    let kernel = if own_kernel { "own" } else { "shared" };
    let memory = if missing.contains(&"memory") { "unbounded" } else { "bounded" };
    let _ = container.stdin.write_all(format!("{kernel} {most} {memory}\n").as_bytes()).await;
    let _ = container.stdin.shutdown().await;
    let mut answer = Vec::new();
    let read = async {
        while let Some(chunk) = container.output.recv().await {
            if chunk.stream == Stream::Stdout && answer.len() < ANSWER {
                answer.extend_from_slice(&chunk.bytes);
            }
        }
    };
    let in_time = tokio::time::timeout(DEADLINE, read).await.is_ok();
    container.handle.remove().await?;
    // Of its cgroup a program sees nothing where there is no `/sys`; the engine has read it back.
    let embedded = receipt.as_ref().filter(|receipt| receipt.engine == "embedded");
    let shows = |control: &str| match control {
        "memory" | "CPU" => embedded.is_none(),
        _ => true,
    };
    let expected = expectations(&asked)
        .into_iter()
        .filter(|(control, _)| shows(control) && (!own_kernel || shows_in_gvisor(control)));
    let mut probes = judge(&String::from_utf8_lossy(&answer), expected, &missing);
    if let Some(receipt) = embedded {
        probes.extend(held_by_cgroup(receipt, &asked, &missing));
    }
    if let Some(receipt) = receipt.as_ref().filter(|_| own_kernel) {
        probes.extend(held_outside(receipt, &asked));
    }
    if !in_time {
        let seen = format!("no end within {} s", DEADLINE.as_secs());
        probes.push(Probe {
            control: "probe".to_owned(),
            expected: "ends".to_owned(),
            seen,
            ok: false,
            missing: false,
        });
    }
    Ok(Findings { probes, receipt })
}

/// What a program sees of a control that gVisor keeps. The rest it keeps unseen: it is the filter of system calls itself, takes
/// privileges to be unobtainable, and its namespaces and mounts are its own inventions.
fn shows_in_gvisor(control: &str) -> bool {
    let unseen = [
        "loopback device",
        "new privileges",
        "system-call filter",
        "mounting",
        "new namespaces",
        "memory",
        "swap",
        "CPU",
        "processes",
        "memory without end",
    ];
    !unseen.contains(&control)
}

/// What encloses an own kernel from outside, by the engine's word: the limits with its head room.
fn held_outside(receipt: &Receipt, asked: &Sandbox) -> Vec<Probe> {
    let row = |control: &str, name: &str, expected: String, good: &dyn Fn(&str) -> bool| {
        let seen = receipt.controls.get(name).cloned().unwrap_or_else(|| "nothing".to_owned());
        Probe { control: format!("{control}, by the engine"), ok: good(&seen), expected, seen, missing: false }
    };
    let within = |least: u64, most: u64| {
        move |seen: &str| seen.parse::<u64>().is_ok_and(|number| number >= least && number <= most)
    };
    let (memory, room) = (asked.memory, 128 << 20);
    let pids = u64::from(asked.pids);
    vec![
        row("memory", "memory", format!("{memory} and at most {room} for gVisor"), &within(memory, memory + room)),
        row("swap", "swap", "off".to_owned(), &|seen| seen == "off"),
        row("CPU", "cpus", format!("{} thousandths of a core", asked.milli_cpus), &|seen| {
            seen.parse::<f64>().is_ok_and(|cores| (cores * 1000.0 - f64::from(asked.milli_cpus)).abs() < 1.0)
        }),
        row("threads", "pids", format!("{pids} and at most 256 for gVisor"), &within(pids, pids + 256)),
    ]
}

/// The same for a cgroup that cannot be seen from inside.
fn held_by_cgroup(receipt: &Receipt, asked: &Sandbox, missing: &[&str]) -> Vec<Probe> {
    let cpus = f64::from(asked.milli_cpus) / 1000.0;
    [("memory", "memory", asked.memory.to_string()), ("CPU", "cpus", cpus.to_string())]
        .map(|(control, name, expected)| {
            let seen = receipt.controls.get(name).cloned().unwrap_or_else(|| "nothing".to_owned());
            let (ok, missing) = (seen == expected, missing.contains(&control));
            Probe { control: control.to_owned(), expected, seen, ok, missing }
        })
        .into()
}

/// Holds the lines of an answer against what was asked.
fn judge(answer: &str, expected: impl Iterator<Item = (String, Expected)>, missing: &[&str]) -> Vec<Probe> {
    let seen: BTreeMap<&str, &str> =
        answer.lines().filter_map(|line| line.split_once('\t')).map(|(control, seen)| (control, seen.trim())).collect();
    expected
        .map(|(control, expected)| {
            let seen = seen.get(control.as_str()).copied();
            let ok = seen.is_some_and(|seen| expected.holds(seen));
            let missing = missing.contains(&control.as_str());
            Probe { control, expected: expected.text(), seen: seen.unwrap_or("nothing").to_owned(), ok, missing }
        })
        .collect()
}

/// What an answer may be.
enum Expected {
    /// Exactly this.
    Is(String),
    /// `refused`, or the image has no tool to try it with.
    Refused,
    /// A number, at most this and more than nothing.
    AtMost(u64),
    /// A number close below this.
    About(u64),
    /// Anything but this.
    Not(&'static str),
}

impl Expected {
    fn holds(&self, seen: &str) -> bool {
        let number = seen.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
        match self {
            Self::Is(expected) => expected == seen,
            Self::Refused => seen == "refused" || seen.starts_with("untried"),
            Self::AtMost(most) => number.is_some_and(|number| number > 0 && number <= *most),
            Self::About(most) => number.is_some_and(|number| number > most / 2 && number <= *most),
            Self::Not(unwanted) => !seen.is_empty() && seen != *unwanted,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Is(expected) => expected.clone(),
            Self::Refused => "refused".to_owned(),
            Self::AtMost(most) | Self::About(most) => format!("at most {most}"),
            Self::Not(unwanted) => format!("not {unwanted}"),
        }
    }
}

fn expectations(sandbox: &Sandbox) -> Vec<(String, Expected)> {
    let is = |text: &str| Expected::Is(text.to_owned());
    let mut rows = Vec::new();
    let mut row = |control: &str, expected| rows.push((control.to_owned(), expected));
    match sandbox.network {
        Network::None => {
            row("network interfaces", is("lo"));
            row("network routes", is("none"));
        }
        Network::Bridge => row("network interfaces", Expected::Not("lo")),
    }
    row("loopback device", is("up"));
    row("user", Expected::Is(format!("{NOBODY}:{NOBODY}")));
    row("supplementary groups", is("none"));
    row("capabilities", is("none"));
    row("new privileges", is("refused"));
    row("system-call filter", is("on"));
    row("mounting", Expected::Refused);
    row("new namespaces", Expected::Refused);
    row("root file system", is("read-only"));
    row("writing elsewhere", is("refused"));
    row("kernel settings", is("refused"));
    row("engine socket", is("absent"));
    row("other processes", is("unseen"));
    for (path, tmpfs) in
        [("/tmp", sandbox.tmp), ("/var/tmp", sandbox.var_tmp), ("/dev/shm", sandbox.shm), (CODE_DIR, sandbox.code)]
    {
        row(&format!("{path} bytes"), Expected::About(tmpfs.size));
        row(&format!("{path} files"), Expected::About(tmpfs.inodes));
        row(&format!("{path} execution"), is(if tmpfs.exec { "allowed" } else { "refused" }));
    }
    row("memory", Expected::Is(sandbox.memory.to_string()));
    row("swap", is("off"));
    row("CPU", Expected::Is(format!("{} thousandths of a core", sandbox.milli_cpus)));
    row("processes", Expected::AtMost(u64::from(sandbox.pids)));
    row("open files", Expected::Is(sandbox.nofile.to_string()));
    row("core files", is("0"));
    row("memory without end", is("killed"));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::MIB;

    #[test]
    fn an_answer_that_lacks_a_line_is_not_good() {
        let expected = expectations(&Sandbox::new(64 * MIB, 500)).into_iter();
        let probes = judge("user\t65534:65534\nprocesses\t64\n/tmp bytes\t1000000000\n", expected, &["swap"]);
        let of = |control: &str| probes.iter().find(|probe| probe.control == control).unwrap();
        assert!(of("user").ok);
        assert!(of("processes").ok);
        assert!(!of("/tmp bytes").ok, "more than was asked for");
        assert!(!of("capabilities").ok);
        assert_eq!(of("capabilities").seen, "nothing");
        assert!(of("swap").missing && !of("user").missing);
    }

    #[test]
    fn every_control_has_a_line_in_the_script() {
        for (control, _) in expectations(&Sandbox::new(64 * MIB, 500)) {
            let known = SCRIPT.contains(&format!("say \"{control}\""));
            assert!(known || control.starts_with('/'), "{control}");
        }
    }
}
