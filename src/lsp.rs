//! The language server. The only code that names `tower_lsp`.
