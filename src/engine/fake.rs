//! A scripted engine, for tests.
