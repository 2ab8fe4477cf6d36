//! The language server over its own wire, in memory, with the scripted engine: a file a feature.
//!
//! A program here is a script of [`runpen::engine::fake`]: `out 42` prints a line, `hang` never ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod blocks;
mod commands;
mod diagnostics;
mod documents;
mod events;
mod harness;
mod health;
mod initialize;
mod lifecycle;
mod outputs;
mod progress;
mod protocol_document;
mod pulls;
mod results;
mod settings;
