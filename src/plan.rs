//! Snippet + language + settings → [`Plan`]: image, stages, sandboxes. Pure data.
//!
//! The plan is the only description of hardening in the crate. One file per engine translates it, so that a test can read
//! what will be enforced, ask the engine whether it is, and ask the kernel from inside.
//!
//! A compiled language has two stages, each in a fresh container of its own: what the compiler built leaves the first over
//! its standard output as a tar, which goes unread into the second. So each stage has its own limits, a compiler that was
//! subverted cannot reach the program's container, and only the second may execute from the code's folder.

use std::time::Duration;

use crate::config::{Isolation, Settings};
use crate::language::{Language, Step};
use crate::protocol::PhaseName;
use crate::snippet::Snippet;

/// Bytes in a mebibyte.
pub const MIB: u64 = 1024 * 1024;

/// Where the code lies in every sandbox. No image has anything there, so the engine makes the folder and its mode is ours.
pub const CODE_DIR: &str = "/runpen";

/// User and group `nobody`.
pub const NOBODY: u32 = 65534;

/// The most a single program's source may have, in bytes.
pub const SOURCE_LIMIT: u64 = 8 * MIB;

/// What one run will do.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Name of the language.
    pub language: String,
    /// Reference of the image.
    pub image: String,
    /// Files sent to the first stage.
    pub files: Vec<SourceFile>,
    /// One or two stages, in order.
    pub stages: Vec<Stage>,
}

/// A file sent into the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Path relative to [`CODE_DIR`], without `..`.
    pub path: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// One command in one fresh container.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// [`PhaseName::Compile`] or [`PhaseName::Run`].
    pub phase: PhaseName,
    /// The command, found through the image's `PATH`; its folder is [`CODE_DIR`].
    pub command: Vec<String>,
    /// Environment beside the image's own.
    pub env: Vec<(String, String)>,
    /// What encloses it.
    pub sandbox: Sandbox,
    /// Wall time it may take.
    pub timeout: Duration,
    /// Bytes it may print on each of its streams.
    pub output_limit: u64,
    /// Paths, relative to [`CODE_DIR`], that go on to the next stage. Empty for the last one.
    pub artifacts: Vec<String>,
}

/// Network of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// The loopback device and nothing else.
    #[default]
    None,
    /// The engine's default network. Only the user's own settings can ask for it.
    Bridge,
}

/// A bounded tmpfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tmpfs {
    /// Bytes.
    pub size: u64,
    /// Inodes.
    pub inodes: u64,
    /// Whether files in it may be executed.
    pub exec: bool,
}

/// Everything that encloses one stage. Always: no capabilities, no new privileges, read-only root, user `nobody`, private
/// IPC, no swap, no core files, no log, an own container that is never used twice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sandbox {
    /// What stands between it and the machine's kernel.
    pub isolation: Isolation,
    /// Network.
    pub network: Network,
    /// Memory of all processes and tmpfs together, in bytes. Swap is off.
    pub memory: u64,
    /// CPU share in thousandths of a core.
    pub milli_cpus: u32,
    /// Processes and threads together.
    pub pids: u32,
    /// Open files of one process.
    pub nofile: u32,
    /// Backstop beside `pids`; the kernel counts it per user id across all containers of the machine, so it must hold a
    /// full pool of them.
    pub nproc: u32,
    /// `/tmp`.
    pub tmp: Tmpfs,
    /// `/var/tmp`.
    pub var_tmp: Tmpfs,
    /// [`CODE_DIR`].
    pub code: Tmpfs,
    /// `/dev/shm`.
    pub shm: Tmpfs,
}

impl Sandbox {
    /// A sandbox whose tmpfs together stay below the memory limit, since what is in them counts towards it: a full
    /// `/tmp` must say "no space left" and not get the program killed. An inode counts too, about 1 KiB each.
    #[must_use]
    pub fn new(memory: u64, milli_cpus: u32) -> Self {
        let tmpfs = |size: u64, bytes_an_inode: u64| Tmpfs {
            size: size / 4096 * 4096,
            inodes: (memory / bytes_an_inode).clamp(64, 16_384),
            exec: false,
        };
        Self {
            isolation: Isolation::None,
            network: Network::None,
            memory,
            milli_cpus,
            pids: 64,
            nofile: 64,
            nproc: 4096,
            tmp: tmpfs((100 * MIB).min(memory / 2), 32 * 1024),
            var_tmp: tmpfs((10 * MIB).min(memory / 16), 256 * 1024),
            code: tmpfs((64 * MIB).min(memory / 4), 64 * 1024),
            shm: tmpfs((4 * MIB).min(memory / 16), 512 * 1024),
        }
    }
}

impl Plan {
    /// Plans one run of `snippet`. `args` go to the program.
    #[must_use]
    pub fn new(snippet: &Snippet, language: &Language, settings: &Settings, args: &[String]) -> Self {
        Self::with_files(snippet, language, settings, args, &[])
    }

    /// The same with files that lie beside the program. One of the program's own name gives way to it.
    #[must_use]
    pub fn with_files(
        snippet: &Snippet,
        language: &Language,
        settings: &Settings,
        args: &[String],
        beside: &[SourceFile],
    ) -> Self {
        let beside: Vec<SourceFile> = beside.iter().filter(|file| file.path != snippet.file_name).cloned().collect();
        let sources: Vec<String> =
            beside.iter().filter(|file| is_source(&file.path, language)).map(|file| file.path.clone()).collect();
        let fill = |step: &Step| fill(step, snippet, args, &sources);
        let mut stages = Vec::new();
        if let Some(compile) = &language.steps.compile {
            let mut sandbox = Sandbox::new(language.compile.memory.bytes(), settings.compile_milli_cpus());
            sandbox.isolation = settings.isolation;
            sandbox.pids = language.compile.pids;
            sandbox.nofile = language.compile.nofile;
            sandbox.nproc = sandbox.nproc.max(language.compile.pids * 64);
            sandbox.code.size = 64 * MIB;
            sandbox.tmp.size = sandbox.memory / 2;
            sandbox.tmp.inodes = 65_536;
            stages.push(Stage {
                phase: PhaseName::Compile,
                command: fill(compile),
                env: environment(language),
                sandbox,
                timeout: settings.compile_timeout.duration(),
                output_limit: settings.output_limit.bytes(),
                // What lies beside the program is there when it runs, too.
                artifacts: fill(&language.artifacts)
                    .into_iter()
                    .chain(beside.iter().map(|file| format!("./{}", file.path)))
                    .collect(),
            });
        }
        let mut sandbox = Sandbox::new(settings.memory_for(language).bytes(), settings.cpus.milli());
        sandbox.isolation = settings.isolation;
        sandbox.network = settings.network;
        sandbox.pids = settings.pids_for(language);
        sandbox.nofile = language.nofile;
        sandbox.code.exec = language.exec;
        let mut env = environment(language);
        env.extend(settings.env.iter().map(|(name, value)| (name.clone(), value.clone())));
        stages.push(Stage {
            phase: PhaseName::Run,
            command: fill(&language.steps.run),
            env,
            sandbox,
            timeout: settings.timeout.duration(),
            output_limit: settings.output_limit.bytes(),
            artifacts: Vec::new(),
        });
        Self {
            language: language.name.clone(),
            image: language.image.clone(),
            files: std::iter::once(SourceFile {
                path: snippet.file_name.clone(),
                content: snippet.program.as_str().as_bytes().to_vec(),
            })
            .chain(beside)
            .collect(),
            stages,
        }
    }
}

/// The language's environment, over a home that exists and can be written: `nobody` has none.
fn environment(language: &Language) -> Vec<(String, String)> {
    let home = ("HOME".to_owned(), "/tmp".to_owned());
    std::iter::once(home).chain(language.env()).collect()
}

/// Whether a file beside the program is one of its sources: in the same folder, with an extension of the language, and with
/// a name that no tool takes for a flag.
fn is_source(path: &str, language: &Language) -> bool {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension);
    !path.contains('/')
        && !path.starts_with('-')
        && extension.is_some_and(|extension| extension != "h" && language.extensions.iter().any(|own| own == extension))
}

/// Replaces `{file}`, `{class}`, `{args}` and `{files}` in a step. `{args}` as a word of its own becomes one word an argument,
/// `{files}` the file and the sources beside it.
fn fill(step: &Step, snippet: &Snippet, args: &[String], sources: &[String]) -> Vec<String> {
    let mut words = Vec::with_capacity(step.len() + args.len());
    for word in step {
        if word == "{args}" {
            words.extend(args.iter().cloned());
        } else if word == "{files}" {
            words.push(snippet.file_name.clone());
            words.extend(sources.iter().cloned());
        } else {
            words.push(word.replace("{file}", &snippet.file_name).replace("{class}", &snippet.entry));
        }
    }
    words
}
