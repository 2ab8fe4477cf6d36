//! One file for each thing a client asks. Handlers decode, look up, start and return; none waits for a run or for the
//! client, save the one whose caller asked to wait and `output`, for a moment.

pub(crate) mod block;
pub(crate) mod code_action;
pub(crate) mod command;
pub(crate) mod hint;
pub(crate) mod hover;
pub(crate) mod lens;
pub(crate) mod output;
pub(crate) mod settings;
pub(crate) mod status;
pub(crate) mod sync;
