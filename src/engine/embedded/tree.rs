//! A filter of system calls by their numbers alone, as a binary search. The kernel runs a new filter once for every number
//! there is, to remember the answers; a search makes that ten times cheaper than `seccompiler`'s chain of comparisons, and
//! a sandbox starts almost a millisecond sooner.
//!
//! It must not know which calls are good or bad.

use seccompiler::{BpfProgram, sock_filter};

/// What the kernel does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is made.
    Allow,
    /// It fails with this error.
    Errno(u16),
    /// The process is killed.
    Kill,
}

impl Verdict {
    /// `SECCOMP_RET_*`.
    fn code(self) -> u32 {
        match self {
            Self::Allow => 0x7fff_0000,
            Self::Errno(number) => 0x0005_0000 | u32::from(number),
            Self::Kill => 0x8000_0000,
        }
    }
}

const LOAD: u16 = 0x20;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER_EQUAL: u16 = 0x35;
const RETURN: u16 = 0x06;
/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// `AUDIT_ARCH_*` of the architecture this is built for.
#[cfg(target_arch = "x86_64")]
const OWN: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const OWN: u32 = 0xc000_00b7;
#[cfg(target_arch = "riscv64")]
const OWN: u32 = 0xc000_00f3;
/// No such architecture: everything is killed. The engine refuses to be made there.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
const OWN: u32 = 0;

/// The filter that gives each listed number its verdict, any other `otherwise`, and kills for another architecture. The
/// numbers must be in order. `None` if the lists are longer than a jump.
pub(super) fn build(listed: &[(u32, Verdict)], otherwise: Verdict) -> Option<BpfProgram> {
    let mut program = vec![
        statement(LOAD, ARCHITECTURE),
        sock_filter { code: JUMP_EQUAL, jt: 1, jf: 0, k: OWN },
        statement(RETURN, Verdict::Kill.code()),
        statement(LOAD, NUMBER),
    ];
    program.extend(search(&ranges(listed, otherwise))?);
    Some(program)
}

/// Where each run of equal verdicts begins, from 0.
fn ranges(listed: &[(u32, Verdict)], otherwise: Verdict) -> Vec<(u32, Verdict)> {
    let mut ranges = vec![(0, otherwise)];
    for &(number, verdict) in listed {
        // The end of the run before is where this one begins: it was not an end.
        ranges.pop_if(|(start, _)| *start == number);
        ranges.extend([(number, verdict), (number + 1, otherwise)]);
    }
    ranges.dedup_by_key(|(_, verdict)| *verdict);
    ranges
}

fn search(ranges: &[(u32, Verdict)]) -> Option<BpfProgram> {
    let [_, _, ..] = ranges else { return Some(vec![statement(RETURN, ranges.first()?.1.code())]) };
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let below = search(low)?;
    let over = u8::try_from(below.len()).ok()?;
    let mut program = vec![sock_filter { code: JUMP_GREATER_EQUAL, jt: over, jf: 0, k: high.first()?.0 }];
    program.extend(below);
    program.extend(search(high)?);
    Some(program)
}

fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Runs a filter as the kernel would; returns the verdict's code and the steps it took.
    fn run(program: &BpfProgram, architecture: u32, number: u32) -> (u32, usize) {
        let (mut at, mut value, mut steps) = (0, 0, 0);
        loop {
            let line = &program[at];
            (at, steps) = (at + 1, steps + 1);
            match line.code {
                LOAD => value = if line.k == NUMBER { number } else { architecture },
                JUMP_EQUAL => at += usize::from(if value == line.k { line.jt } else { line.jf }),
                JUMP_GREATER_EQUAL => at += usize::from(if value >= line.k { line.jt } else { line.jf }),
                RETURN => return (line.k, steps),
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    /// The same for a call of this architecture.
    pub(in crate::engine::embedded) fn run_here(program: &BpfProgram, number: u32) -> (u32, usize) {
        run(program, OWN, number)
    }

    #[test]
    fn every_number_gets_its_verdict() {
        let listed = [
            (0, Verdict::Allow),
            (1, Verdict::Allow),
            (3, Verdict::Errno(1)),
            (4, Verdict::Allow),
            (700, Verdict::Allow),
        ];
        let program = build(&listed, Verdict::Errno(38)).unwrap();
        for number in (0..2000).chain([u32::MAX, 0x4000_0000, 0x4000_0001]) {
            let expected =
                listed.iter().find(|(own, _)| *own == number).map_or(Verdict::Errno(38), |(_, verdict)| *verdict);
            assert_eq!(run(&program, OWN, number).0, expected.code(), "system call {number}");
        }
    }

    #[test]
    fn neighbours_with_one_verdict_are_one_range() {
        let listed = [(0, Verdict::Allow), (1, Verdict::Allow), (2, Verdict::Allow), (9, Verdict::Allow)];
        let starts: Vec<u32> = ranges(&listed, Verdict::Kill).iter().map(|(start, _)| *start).collect();
        assert_eq!(starts, [0, 3, 9, 10]);
    }

    #[test]
    fn another_architecture_is_killed() {
        let program = build(&[(0, Verdict::Allow)], Verdict::Allow).unwrap();
        assert_eq!(run(&program, 0x4000_0003, 0).0, 0x8000_0000);
    }

    #[test]
    fn nothing_listed_is_one_answer() {
        assert_eq!(run(&build(&[], Verdict::Errno(1)).unwrap(), OWN, 7).0, 0x0005_0001);
    }
}
