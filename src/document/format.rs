//! Which documents have blocks, by what an editor calls them or by their extension.

use std::path::Path;

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `CommonMark` and GFM.
    Markdown,
    /// Markdown with JSX.
    Mdx,
    /// Quarto and R Markdown.
    Quarto,
    /// reStructuredText.
    Restructured,
    /// `AsciiDoc`.
    AsciiDoc,
    /// Org.
    Org,
    /// Typst.
    Typst,
    /// HTML.
    Html,
    /// Rust, for its doc comments.
    Rust,
    /// Python, for its docstrings.
    Python,
    /// Go, for its comments.
    Go,
    /// JavaScript, for its `JSDoc`.
    JavaScript,
    /// TypeScript, for the same.
    TypeScript,
}

/// Each format with its names in editors and its extensions.
const FORMATS: &[(Format, &[&str], &[&str])] = &[
    (Format::Markdown, &["markdown"], &["md", "markdown", "mdown", "mkd"]),
    (Format::Mdx, &["mdx"], &["mdx"]),
    (Format::Quarto, &["quarto", "rmd"], &["qmd", "rmd"]),
    (Format::Restructured, &["restructuredtext", "rst"], &["rst", "rest"]),
    (Format::AsciiDoc, &["asciidoc", "asciidoctor"], &["adoc", "asciidoc", "asc"]),
    (Format::Org, &["org"], &["org"]),
    (Format::Typst, &["typst"], &["typ"]),
    (Format::Html, &["html"], &["html", "htm", "xhtml"]),
    (Format::Rust, &["rust"], &["rs"]),
    (Format::Python, &["python"], &["py", "pyi"]),
    (Format::Go, &["go"], &["go"]),
    (Format::JavaScript, &["javascript", "javascriptreact"], &["js", "mjs", "cjs", "jsx"]),
    (Format::TypeScript, &["typescript", "typescriptreact"], &["ts", "mts", "cts", "tsx"]),
];

impl Format {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Markdown,
        Self::Mdx,
        Self::Quarto,
        Self::Restructured,
        Self::AsciiDoc,
        Self::Org,
        Self::Typst,
        Self::Html,
        Self::Rust,
        Self::Python,
        Self::Go,
        Self::JavaScript,
        Self::TypeScript,
    ];

    /// What an editor's name or a path's extension says.
    #[must_use]
    pub fn of(language_id: Option<&str>, path: &Path) -> Option<Self> {
        let by_name = |name: &str| FORMATS.iter().find(|(_, names, _)| names.contains(&name)).map(|row| row.0);
        let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
        let by_extension = extension
            .and_then(|extension| FORMATS.iter().find(|row| row.2.contains(&extension.as_str())).map(|row| row.0));
        // An editor calls MDX and Quarto Markdown where it knows no better, so the extension is asked first.
        by_extension.or_else(|| by_name(&language_id?.to_ascii_lowercase()))
    }

    /// Whether it is a text with code in it, as against code with text in its comments.
    #[must_use]
    pub fn is_prose(self) -> bool {
        match self {
            Self::Markdown
            | Self::Mdx
            | Self::Quarto
            | Self::Restructured
            | Self::AsciiDoc
            | Self::Org
            | Self::Typst
            | Self::Html => true,
            Self::Rust | Self::Python | Self::Go | Self::JavaScript | Self::TypeScript => false,
        }
    }

    /// Every extension, for messages.
    #[must_use]
    pub fn extensions() -> Vec<&'static str> {
        FORMATS.iter().flat_map(|row| row.2.iter().copied()).collect()
    }
}
