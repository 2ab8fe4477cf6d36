//! What is said over a container's streams: the program goes in, its output and a trailer come out. Pure.
//!
//! # Theory of operation
//!
//! A container's command is [`entry`]: a shell that waits for one line. The line announces a script (`guest.sh` with a
//! stage's own values before it), the script takes a tar from the stream, unpacks it, runs the stage's command with what
//! is left of the stream as its standard input, and prints a trailer with a nonce to both streams: how the command ended,
//! CPU time, peak memory, processes killed for memory. When its stream ends before a program came, the shell exits, so a
//! server that was killed leaves nothing waiting.
//!
//! # What the trailer is worth
//!
//! A program never sees the nonce, but it has the same user id as the shell: where the kernel lets processes of one user read each
//! other's memory, a hostile one could forge its own trailer. It would lie about its own exit code and usage and end its
//! own run; limits, deadlines and removal never depend on the trailer.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use crate::language::BootKind;
use crate::plan::{CODE_DIR, SourceFile, Stage};

/// Bytes of a tar record.
const RECORD: usize = 10_240;

/// Unit in which the script is announced.
const BLOCK: usize = 512;

/// Starts and ends a trailer.
const SEPARATOR: u8 = 0x1e;

const SCRIPT: &str = include_str!("guest.sh");
const PYTHON: &str = include_str!("boot/python.py");
const NODE: &str = include_str!("boot/node.js");
const RUBY: &str = include_str!("boot/ruby.rb");

/// Reads the script that is announced, and goes on as it says.
const LISTEN: &str = r#"read -r n && eval "$(dd bs=512 count="$n" iflag=fullblock 2>/dev/null)""#;

/// The command of a container that waits for a program.
#[must_use]
pub fn entry() -> Vec<String> {
    ["/bin/sh", "-c", LISTEN].map(str::to_owned).into()
}

/// Everything to be written before the program's own input: the script for `stage`, and `tar`, filled up to whole records.
/// With `alone`, the container may outlive whoever would end it in time, and does so itself.
#[must_use]
pub fn opening(stage: &Stage, nonce: &str, tar: &[Bytes], alone: bool) -> Vec<Bytes> {
    let length: usize = tar.iter().map(Bytes::len).sum();
    let records = length.div_ceil(RECORD);
    let mut opening =
        vec![script(nonce, records, alone.then_some(stage.timeout), &stage.artifacts, &stage.env, &stage.command, "")];
    opening.extend(tar.iter().cloned());
    opening.push(Bytes::from(vec![0; records * RECORD - length]));
    opening
}

/// An interpreter that comes up ahead of its program and waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// What kind of interpreter.
    pub kind: BootKind,
    /// The interpreter, its flags, and the file that it will run.
    pub command: Vec<String>,
    /// Its environment.
    pub env: Vec<(String, String)>,
    /// The longest its program may run.
    pub timeout: Duration,
}

impl Boot {
    /// For a run stage whose command is an interpreter, its flags and a file; anything else has to start when it is asked for.
    /// The file's name is part of it: only an interpreter that was started with the very name runs a program without a
    /// trace of having waited.
    #[must_use]
    pub fn of(kind: BootKind, stage: &Stage, file: &SourceFile) -> Option<Self> {
        // Ruby takes options from this line before anything waits.
        if kind == BootKind::Ruby && file.content.starts_with(b"#!") {
            return None;
        }
        let at = stage.command.iter().position(|word| *word == file.path)?;
        let command = stage.command[..=at].to_vec();
        (at > 0).then(|| Self { kind, command, env: stage.env.clone(), timeout: stage.timeout })
    }
}

/// What an interpreter says on standard error when it is up and waits.
pub const READY: &[u8] = b"\x1eready\x1e";

/// What the shell says instead when this version of the interpreter has to start with its program, and the shell itself waits.
pub const PLAIN: &[u8] = b"\x1eplain\x1e";

/// What starts the interpreter of a [`Boot`], written as soon as its container runs; `alone` as in [`opening`].
#[must_use]
pub fn arming(boot: &Boot, nonce: &str, alone: bool) -> Bytes {
    let (folder, name, text) = match boot.kind {
        BootKind::Python => ("/tmp/.runpen", "sitecustomize.py", PYTHON),
        BootKind::Node => ("/var/tmp/.runpen", "boot.js", NODE),
        BootKind::Ruby => ("/tmp/.runpen", "boot.rb", RUBY),
    };
    let variable = match boot.kind {
        BootKind::Python => format!("PYTHONPATH={folder}${{PYTHONPATH:+:$PYTHONPATH}}"),
        BootKind::Node => format!(r#"NODE_OPTIONS="--require={folder}/{name}${{NODE_OPTIONS:+ $NODE_OPTIONS}}""#),
        BootKind::Ruby => format!(r#"RUBYOPT="-r{folder}/{name} -r{folder}/{name}${{RUBYOPT:+ $RUBYOPT}}""#),
    };
    let text = quote(text);
    let mut before = String::new();
    if let (BootKind::Ruby, [interpreter @ .., file]) = (boot.kind, boot.command.as_slice()) {
        let interpreter = words(interpreter);
        // From 3.4 on Ruby has read the whole file before it loads a library.
        let _ = writeln!(before, r#"case "$({interpreter} -v)" in ruby\ 3.[1-3].*) ;;"#);
        let _ = writeln!(before, r"*) printf '\036plain\036' >&2; {LISTEN}; exit ;; esac");
        // Ruby finds nothing to read in a file without a byte.
        let _ = writeln!(before, "echo >{}", quote(&format!("{CODE_DIR}/{file}")));
    }
    // A file where Python would keep what it compiled: that is not worth keeping here.
    let uncached = if boot.kind == BootKind::Python { " && : >/tmp/.runpen/__pycache__" } else { "" };
    let _ = writeln!(before, "mkdir {folder} && printf %s {text} >{folder}/{name}{uncached}\nexport {variable}");
    script(nonce, 0, alone.then_some(boot.timeout), &[], &boot.env, &boot.command, &before)
}

/// The program for an interpreter that waits: its file's name and arguments, and the tar.
#[must_use]
pub fn program(file: &str, args: &[String], tar: &[Bytes]) -> Vec<Bytes> {
    let words = std::iter::once(file).chain(args.iter().map(String::as_str)).collect::<Vec<_>>().join("\0");
    let length: usize = tar.iter().map(Bytes::len).sum();
    let head = Bytes::from(format!("{:15} {length:15}\n{words}", words.len()));
    std::iter::once(head).chain(tar.iter().cloned()).collect()
}

/// The script, announced by its length.
fn script(
    nonce: &str,
    records: usize,
    limit: Option<Duration>,
    artifacts: &[String],
    env: &[(String, String)],
    command: &[String],
    before: &str,
) -> Bytes {
    let mut script = String::with_capacity(SCRIPT.len() + 1024);
    let _ = writeln!(script, "N={nonce} K={records} T={}", limit.map_or(0, |limit| limit.as_secs() + 1));
    let artifacts: Vec<String> = artifacts.iter().map(|path| quote(path)).collect();
    let _ = writeln!(script, "OUT={}", quote(&artifacts.join(" ")));
    for (name, value) in env {
        let _ = writeln!(script, "export {name}={}", quote(value));
    }
    script.push_str(before);
    script.push_str(&code_of(SCRIPT).replace("CMD", &words(command)));
    let blocks = script.len().div_ceil(BLOCK);
    script.extend(std::iter::repeat_n('\n', blocks * BLOCK - script.len()));
    Bytes::from(format!("{blocks}\n{script}"))
}

/// The script without its comments: the shell need not read them in every run.
fn code_of(script: &str) -> String {
    let code = script.lines().filter(|line| !line.trim_start().starts_with('#') && !line.is_empty());
    code.fold(String::new(), |code, line| code + line.trim_start() + "\n")
}

/// A word as the shell reads it back unchanged.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A command as the shell reads it back unchanged.
fn words(command: &[String]) -> String {
    command.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

/// The source files as a tar.
pub fn pack(files: &[SourceFile]) -> std::io::Result<Bytes> {
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, &file.path, file.content.as_slice())?;
    }
    Ok(archive.into_inner()?.into())
}

/// How a stage's command ended, as the waiting side tells it.
#[derive(Debug, Clone, PartialEq)]
pub enum Trailer {
    /// The command was run.
    Done {
        /// Its exit status; 128 + N for signal N.
        status: i32,
        /// Whether a signal ended it.
        signaled: bool,
        /// CPU time of the command in milliseconds.
        cpu_ms: Option<f64>,
        /// Peak memory of the container in bytes.
        peak_memory_bytes: Option<u64>,
        /// Processes killed because of the memory limit.
        oom_kills: Option<u64>,
    },
    /// The waiting side failed at this step; standard error says why.
    Failed(String),
}

impl Trailer {
    fn parse(text: &str) -> Self {
        let mut words = text.split(' ');
        if words.next() != Some("done") {
            return Self::Failed(text.strip_prefix("failed ").unwrap_or(text).to_owned());
        }
        let status = words.next().and_then(|word| word.parse().ok()).unwrap_or(-1);
        // The shell says nothing of SIGINT and SIGPIPE, the two that it takes for a user's wish.
        let signaled = words.next() == Some("signal") || matches!(status, 130 | 141);
        let number = |name: &str| -> Option<u64> {
            text.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
        };
        #[expect(clippy::cast_precision_loss, reason = "nanoseconds of CPU time fit 52 bits for 52 days")]
        let cpu_ms = number("C").zip(number("B")).map(|(end, start)| end.saturating_sub(start) as f64 / 1e6);
        Self::Done { status, signaled, cpu_ms, peak_memory_bytes: number("M"), oom_kills: number("O") }
    }

    /// Forgets what was counted: where a container has no memory limit of its own, the counts are those of whatever it
    /// lies in, perhaps of the whole machine.
    pub fn forget_counts(&mut self) {
        if let Self::Done { cpu_ms, peak_memory_bytes, oom_kills, .. } = self {
            (*cpu_ms, *peak_memory_bytes, *oom_kills) = (None, None, None);
        }
    }

    /// The trailer as the waiting side prints it.
    #[must_use]
    pub fn print(nonce: &str, text: &str) -> Vec<u8> {
        let separator = char::from(SEPARATOR);
        format!("{separator}{nonce} {text}{separator}").into_bytes()
    }
}

/// Longest trailer that is believed.
const TRAILER_LIMIT: usize = 4096;

/// Tells one stream's output from its trailer.
#[derive(Debug)]
pub struct Scanner {
    marker: Vec<u8>,
    held: BytesMut,
    done: bool,
}

impl Scanner {
    /// A scanner for trailers with this nonce.
    #[must_use]
    pub fn new(nonce: &str) -> Self {
        let mut marker = vec![SEPARATOR];
        marker.extend_from_slice(nonce.as_bytes());
        marker.push(b' ');
        Self { marker, held: BytesMut::new(), done: false }
    }

    /// Takes what came; gives what the program printed, and the trailer when it is complete. After the trailer nothing is
    /// the program's: what survives it may print, and is not heard. Only bytes that may begin the trailer are held back.
    pub fn push(&mut self, bytes: Bytes) -> (Bytes, Option<Trailer>) {
        if self.done {
            return (Bytes::new(), None);
        }
        let bytes = if self.held.is_empty() {
            bytes
        } else {
            self.held.extend_from_slice(&bytes);
            std::mem::take(&mut self.held).freeze()
        };
        let Some(at) = self.find(&bytes) else { return (bytes, None) };
        let body = at + self.marker.len();
        let end = bytes.get(body..).and_then(|body| memchr::memchr(SEPARATOR, body));
        match end {
            Some(end) => {
                self.done = true;
                let text = String::from_utf8_lossy(&bytes[body..body + end]);
                (bytes.slice(..at), Some(Trailer::parse(&text)))
            }
            None if bytes.len() - at > TRAILER_LIMIT => (bytes, None),
            None => {
                self.held = BytesMut::from(&bytes[at..]);
                (bytes.slice(..at), None)
            }
        }
    }

    /// Where the marker, or a beginning of it that the next bytes may complete, starts.
    fn find(&self, bytes: &[u8]) -> Option<usize> {
        if let Some(at) = memmem::find(bytes, &self.marker) {
            return Some(at);
        }
        let tail = bytes.len().saturating_sub(self.marker.len() - 1);
        memchr::memchr_iter(SEPARATOR, &bytes[tail..])
            .map(|at| tail + at)
            .find(|&at| self.marker.starts_with(&bytes[at..]))
    }

    /// What was held back when the stream ended without a trailer.
    pub fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.held).freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONCE: &str = "0123456789abcdef0123456789abcdef";

    fn scan(pieces: &[&[u8]]) -> (Vec<u8>, Option<Trailer>) {
        let mut scanner = Scanner::new(NONCE);
        let (mut output, mut trailer) = (Vec::new(), None);
        for piece in pieces {
            let (bytes, found) = scanner.push(Bytes::copy_from_slice(piece));
            output.extend_from_slice(&bytes);
            trailer = trailer.or(found);
        }
        output.extend_from_slice(&scanner.finish());
        (output, trailer)
    }

    #[test]
    fn a_trailer_is_told_from_the_output_before_it_and_ends_it() {
        let mut stream = b"hello\x1eworld".to_vec();
        stream.extend(Trailer::print(NONCE, "done 3  B=1000000 C=3500000 M=4096 O=0"));
        stream.extend(b"a survivor");
        let expected = Trailer::Done {
            status: 3,
            signaled: false,
            cpu_ms: Some(2.5),
            peak_memory_bytes: Some(4096),
            oom_kills: Some(0),
        };
        assert_eq!(scan(&[&stream]), (b"hello\x1eworld".to_vec(), Some(expected)));
    }

    #[test]
    fn a_signal_and_missing_measures_are_understood() {
        let print = Trailer::print(NONCE, "done 139 signal B= C= M= O=");
        let expected =
            Trailer::Done { status: 139, signaled: true, cpu_ms: None, peak_memory_bytes: None, oom_kills: None };
        assert_eq!(scan(&[&print]).1, Some(expected));
        let print = Trailer::print(NONCE, "failed unpack");
        assert_eq!(scan(&[&print]).1, Some(Trailer::Failed("unpack".to_owned())));
    }

    #[test]
    fn counts_of_something_larger_are_forgotten_and_the_end_is_not() {
        let print = Trailer::print(NONCE, "done 3  B=1000000 C=3500000 M=4096 O=7");
        let mut trailer = scan(&[&print]).1.unwrap();
        trailer.forget_counts();
        let expected =
            Trailer::Done { status: 3, signaled: false, cpu_ms: None, peak_memory_bytes: None, oom_kills: None };
        assert_eq!(trailer, expected);
    }

    #[test]
    fn words_survive_the_shell() {
        for word in ["", "a b", "it's", "$(id)`id`", "\\", "-n", "é\n\t*"] {
            let output = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quote(word))])
                .output()
                .expect("sh runs");
            assert_eq!(String::from_utf8_lossy(&output.stdout), word);
        }
    }

    proptest! {
        #[test]
        fn output_comes_out_whole_however_it_is_cut(
            output in proptest::collection::vec(prop_oneof![Just(0x1e_u8), Just(b'0'), any::<u8>()], 0..200),
            cuts in proptest::collection::vec(1_usize..40, 1..20),
            ends in any::<bool>(),
        ) {
            let mut stream = output.clone();
            if ends {
                stream.extend(Trailer::print(NONCE, "done 0  B=1 C=2 M=3 O=0"));
            }
            let mut pieces: Vec<&[u8]> = Vec::new();
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            let (seen, trailer) = scan(&pieces);
            prop_assert_eq!(seen, output);
            prop_assert_eq!(trailer.is_some(), ends);
        }
    }
}
