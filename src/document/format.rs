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
}

/// Each format with its names in editors and its extensions.
const FORMATS: &[(Format, &[&str], &[&str])] = &[
    (Format::Markdown, &["markdown"], &["md", "markdown", "mdown", "mkd"]),
    (Format::Mdx, &["mdx"], &["mdx"]),
    (Format::Quarto, &["quarto", "rmd"], &["qmd", "rmd"]),
];

impl Format {
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
            Self::Markdown | Self::Mdx | Self::Quarto => true,
        }
    }

    /// Every extension, for messages.
    #[must_use]
    pub fn extensions() -> Vec<&'static str> {
        FORMATS.iter().flat_map(|row| row.2.iter().copied()).collect()
    }
}
