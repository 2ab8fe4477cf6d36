//! Runpen runs code from an editor inside a hardened, single-use sandbox.
