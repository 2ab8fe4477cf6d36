//! Runpen runs code from an editor inside a hardened, single-use sandbox.
//!
//! # Map
//!
//! Data flows one way: request → [`snippet`] → [`plan`] → [`run`] → [`engine`] → events ([`protocol`]) → output, diagnostics, lens.
//!
//! | module | owns | must not know |
//! |---|---|---|
//! | [`text`] | positions of LSP ↔ byte offsets | anything else |
//! | [`document`] | code blocks of documents, what they say, what the page promises of their output | engines, LSP |
//! | [`snippet`] | what is run, and the way back from its lines to the document's | engines, LSP |
//! | [`language`] | the table of languages, data in `languages.toml` | engines, LSP |
//! | [`config`] | layered settings, and what a project may not loosen | engines, LSP |
//! | [`plan`] | snippet + language + settings → stages with their sandboxes, pure data | how an engine enforces them |
//! | [`engine`] | the [`engine::Engine`] trait; each engine translates a sandbox in one file | languages, LSP, reports |
//! | [`run`] | run ids, stages, deadlines, caps, cancellation | LSP, which engine it is |
//! | [`report`] | what tools print → located messages | engines, LSP |
//! | [`protocol`] | the wire: events, commands, fields (serde only) | everything else |
//! | [`lsp`] | the only code that names `tower_lsp` | engines |
//! | `files` | opening and writing files that others are at work on | what is in them |
//! | `fingerprint` | names made of what is in a thing | what that is |
//! | [`folder`] | the files beside a program | engines, LSP |
//! | [`metrics`] | what was counted since the process began | engines, LSP |
//! | [`status`] | what a server tells its user beside the editor: a socket, Prometheus | LSP |
//! | [`cli`] | one file a subcommand | |
//!
//! # Invariants
//!
//! 1. `document`, `snippet`, `language`, `plan`, `report`, `text` are pure: no I/O, clock or async.
//! 2. Positions become byte offsets on entry and return to LSP form on exit.
//! 3. No handler awaits a run or a client reply. Running returns a run id; the manager owns the task.
//! 4. Everything a run says goes through one queue, the end included: `finished` is an event.
//! 5. A run ends in exactly one way ([`protocol::Outcome`]), matched without a wildcard.
//! 6. Every container carries our label and owner, and is removed on every path; a sweep removes what a crash left.
//! 7. Deadlines and cancellation never wait for a slow client.
//! 8. Only a [`plan::Plan`] describes hardening, and one file per engine translates it.
//! 9. stdout belongs to the protocol.

pub mod cli;
pub mod config;
pub mod document;
pub mod engine;
mod files;
mod fingerprint;
pub mod folder;
pub mod language;
pub mod lsp;
pub mod metrics;
pub mod plan;
pub mod protocol;
pub mod report;
pub mod run;
pub mod snippet;
pub mod status;
pub mod text;
