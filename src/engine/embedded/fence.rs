//! Landlock: a second fence behind the mounts, where the kernel has it. A program may read and execute what it sees,
//! write to the writable places and to null devices, make no devices, and reach no UNIX socket or process outside.
//!
//! It must not know what is mounted.

use std::io;

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};

use super::policy::Policy;

/// The newest version whose rights are handled. Older kernels handle fewer of them.
const NEWEST: ABI = ABI::V6;

/// Devices that may be written to.
const DEVICES: [&str; 3] = ["/dev/null", "/dev/zero", "/dev/full"];

/// A fence that is not closed yet.
pub(super) struct Fence(RulesetCreated);

/// Builds the fence. The root is entered already.
pub(super) fn build(policy: &Policy) -> io::Result<Fence> {
    let all = AccessFs::from_all(NEWEST);
    let devices = AccessFs::MakeChar | AccessFs::MakeBlock;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        .and_then(|ruleset| ruleset.scope(Scope::AbstractUnixSocket | Scope::Signal))
        .and_then(Ruleset::create)
        .map_err(io::Error::other)?;
    let mut allow = |path: &str, access: BitFlags<AccessFs>| -> io::Result<()> {
        let path = PathFd::new(path).map_err(io::Error::other)?;
        let more = (&mut ruleset).add_rule(PathBeneath::new(path, access)).map(|_| ());
        more.map_err(io::Error::other)
    };
    allow("/", AccessFs::from_read(NEWEST))?;
    for tmpfs in &policy.tmpfs {
        let execute = if tmpfs.exec { BitFlags::EMPTY } else { AccessFs::Execute.into() };
        allow(&tmpfs.target, all & !devices & !execute)?;
    }
    for device in DEVICES {
        allow(device, AccessFs::WriteFile | AccessFs::ReadFile)?;
    }
    Ok(Fence(ruleset))
}

impl Fence {
    /// Closes it behind this process, and says how far the kernel holds it.
    pub(super) fn close(self) -> io::Result<String> {
        let status = self.0.restrict_self().map_err(io::Error::other)?;
        Ok(match (status.ruleset, status.landlock) {
            (RulesetStatus::NotEnforced, LandlockStatus::NotImplemented) => "none: not in this kernel".to_owned(),
            (RulesetStatus::NotEnforced, _) => "none: switched off in this kernel".to_owned(),
            (held, LandlockStatus::Available { effective_abi, .. }) => {
                let partly = if held == RulesetStatus::FullyEnforced { "" } else { ", partly" };
                format!("version {}{partly}", effective_abi as i32)
            }
            (_, other) => format!("{other:?}"),
        })
    }
}
