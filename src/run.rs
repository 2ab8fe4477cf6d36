//! Runs: ids, stages, deadlines, caps, cancellation. It knows no LSP, and not which engine it is.
//!
//! # Theory of operation
//!
//! [`Manager::start`] makes a run id, spawns the run's task and returns a [`RunHandle`] at once. The task owns the run:
//! it finds the engine and the image, takes a container for each stage, sends the program, and puts everything that
//! happens into one bounded queue of [`Event`](crate::protocol::Event)s, the end included. Dropping the receiver of that
//! queue cancels the run. Deadlines and cancellation do not wait for a slow receiver.

mod bakery;
pub mod guest;
mod manager;
mod output;
mod pool;
mod pulls;
mod stage;
mod task;
#[cfg(test)]
mod tests;
mod verdict;

pub use bakery::derived;
pub use manager::{InputError, Manager, RunHandle, RunRequest, Stdin};
pub use pulls::{Pulling, Ticket, megabytes};
