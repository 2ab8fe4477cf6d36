//! Open texts and their versions, and the way from a URI to a text. It knows nothing of runs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use tokio::io::AsyncReadExt;
use tower_lsp::ls_types::{self, TextDocumentContentChangeEvent, Uri};

use super::edits::Edit;
use crate::document::{Format, Page};
use crate::plan::SOURCE_LIMIT;
use crate::protocol::{Position, Range};
use crate::text::{Encoding, Text};

/// What stands for a document whatever way a client writes its URI: the percent signs decoded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key(String);

impl Key {
    /// The key of a URI.
    pub(crate) fn of(uri: &str) -> Self {
        let mut bytes = Vec::with_capacity(uri.len());
        let mut rest = uri.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            let digits = (first == b'%').then(|| after.get(..2)).flatten();
            let byte = digits
                .and_then(|digits| std::str::from_utf8(digits).ok())
                .and_then(|digits| u8::from_str_radix(digits, 16).ok());
            bytes.push(byte.unwrap_or(first));
            rest = if byte.is_some() { &after[2..] } else { after };
        }
        Self(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Key {
    /// The key as a path, for what stands at its end.
    pub(crate) fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }
}

/// Why a text cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// Not a URI.
    #[error("`{0}` is not a URI; a file's begins with file://")]
    NotUri(String),
    /// Not a file, and not open.
    #[error("{0} is not open, and only files can be read from disk")]
    NotOpen(String),
    /// The file system says no.
    #[error("failed to read {path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// Too large.
    #[error("{0} is larger than {limit} MiB, the most that one program may have", limit = SOURCE_LIMIT / crate::plan::MIB)]
    TooLarge(String),
    /// Bytes that are no text.
    #[error("{0} is not text in UTF-8")]
    NotText(String),
    /// A change could not be applied.
    #[error("the editor and Runpen disagree about the text of {0}; close it and open it again")]
    OutOfSync(String),
}

/// The text to run and all that is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The URI as the client wrote it when it opened the document, else as it was asked for.
    pub(crate) uri: String,
    /// Where it is kept, when it is a file.
    pub(crate) path: Option<PathBuf>,
    /// What the client calls its language.
    pub(crate) language_id: Option<String>,
    /// The text.
    pub(crate) text: Text,
    /// Its code blocks, once somebody has asked for them.
    pub(crate) blocks: Blocks,
}

impl Source {
    /// Its code blocks, when it is written in a format that has some.
    pub(crate) fn page(&self) -> Option<Arc<Page>> {
        let read = || {
            let key = Key::of(&self.uri);
            let format = Format::of(self.language_id.as_deref(), self.path.as_deref().unwrap_or(key.as_path()))?;
            Some(Arc::new(Page::read(format, &self.text)))
        };
        self.blocks.get_or_init(read).clone()
    }

    /// Name of the file, for people and for the sandbox.
    pub(crate) fn name(&self) -> String {
        name_of(&self.uri)
    }
}

/// The last part of a URI, for people.
pub(crate) fn name_of(uri: &str) -> String {
    let Key(decoded) = Key::of(uri);
    decoded.rsplit(['/', ':']).find(|part| !part.is_empty()).unwrap_or("the document").to_owned()
}

/// An open document.
#[derive(Debug)]
pub(crate) struct Document {
    /// The URI as the client wrote it.
    pub(crate) uri: String,
    /// The client's count of its changes.
    pub(crate) version: i32,
    /// The text.
    pub(crate) text: Text,
    language_id: String,
    state: State,
    page: Blocks,
}

/// The blocks of one version of a text: read when first asked for, once, outside of every lock.
pub(crate) type Blocks = Arc<OnceLock<Option<Arc<Page>>>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    /// A change could not be applied: the text is not what the editor shows until it sends all of it.
    OutOfSync,
    /// The text was not kept: nobody runs so much, and an editor may open a log of gigabytes.
    TooLarge,
}

impl Document {
    fn new(uri: String, language_id: String, version: i32, text: &str) -> Self {
        let mut document =
            Self { uri, version, text: Text::new(""), language_id, state: State::Good, page: Blocks::default() };
        document.replace(text);
        document
    }

    fn replace(&mut self, text: &str) {
        let fits = text.len() as u64 <= SOURCE_LIMIT;
        self.state = if fits { State::Good } else { State::TooLarge };
        self.text = Text::new(if fits { text } else { "" });
        self.page = Blocks::default();
    }

    /// Applies changes in their order, and says what they did to the text.
    fn change(&mut self, changes: &[TextDocumentContentChangeEvent], encoding: Encoding) -> Vec<Edit> {
        let mut edits = Vec::with_capacity(changes.len());
        for change in changes {
            let old = self.text.clone();
            if let Some(range) = change.range {
                if !self.is_known() {
                    continue;
                }
                let Some(bytes) = byte_range(&old, from_lsp(range), encoding) else {
                    tracing::warn!(uri = self.uri, ?range, "a change lies outside the document");
                    self.state = State::OutOfSync;
                    continue;
                };
                edits.push(Edit::new(old.as_str(), bytes.clone(), &change.text));
                self.replace(&[&old.as_str()[..bytes.start], &change.text, &old.as_str()[bytes.end..]].concat());
            } else {
                self.replace(&change.text);
                edits.push(Edit::between(old.as_str(), self.text.as_str()));
            }
        }
        edits
    }

    /// Whether the text is the one that the editor shows.
    pub(crate) fn is_known(&self) -> bool {
        self.state == State::Good
    }

    fn source(&self) -> Result<Source, SourceError> {
        match self.state {
            State::Good => Ok(Source {
                uri: self.uri.clone(),
                path: Uri::from_str(&self.uri).ok().as_ref().and_then(path_of),
                language_id: Some(self.language_id.clone()),
                text: self.text.clone(),
                blocks: Arc::clone(&self.page),
            }),
            State::OutOfSync => Err(SourceError::OutOfSync(name_of(&self.uri))),
            State::TooLarge => Err(SourceError::TooLarge(name_of(&self.uri))),
        }
    }
}

/// Bytes for a range that may end one past the last line, as whole documents do; `None` when it lies outside.
pub(crate) fn byte_range(text: &Text, range: Range, encoding: Encoding) -> Option<std::ops::Range<usize>> {
    let offset = |position: Position| {
        let end = (position.line == text.line_count()).then_some(text.as_str().len());
        text.offset(position, encoding).or(end)
    };
    let (start, end) = (offset(range.start)?, offset(range.end)?);
    (start <= end).then_some(start..end)
}

pub(crate) fn from_lsp(range: ls_types::Range) -> Range {
    let position = |position: ls_types::Position| Position { line: position.line, character: position.character };
    Range { start: position(range.start), end: position(range.end) }
}

/// All open documents.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    open: HashMap<Key, Document>,
}

impl Documents {
    /// Opens a document, or opens it again.
    pub(crate) fn open(&mut self, uri: String, language_id: String, version: i32, text: &str) -> &Document {
        let key = Key::of(&uri);
        let document = Document::new(uri, language_id, version, text);
        self.open.entry(key).insert_entry(document).into_mut()
    }

    /// Changes a document; `None` when it is not open.
    pub(crate) fn change(
        &mut self,
        key: &Key,
        version: i32,
        changes: &[TextDocumentContentChangeEvent],
        encoding: Encoding,
    ) -> Option<(&Document, Vec<Edit>)> {
        let document = self.open.get_mut(key)?;
        let edits = document.change(changes, encoding);
        document.version = version;
        Some((document, edits))
    }

    /// Closes a document.
    pub(crate) fn close(&mut self, key: &Key) {
        self.open.remove(key);
    }

    /// An open document.
    pub(crate) fn get(&self, key: &Key) -> Option<&Document> {
        self.open.get(key)
    }

    /// The text of a document as the editor shows it; `None` when it is not open.
    pub(crate) fn source(&self, uri: &str) -> Option<Result<Source, SourceError>> {
        self.source_of(&Key::of(uri))
    }

    /// All that have a text.
    pub(crate) fn sources(&self) -> Vec<Source> {
        self.open.values().filter_map(|document| document.source().ok()).collect()
    }

    /// The same by key.
    pub(crate) fn source_of(&self, key: &Key) -> Option<Result<Source, SourceError>> {
        self.open.get(key).map(Document::source)
    }
}

/// The path of a file's URI.
pub(crate) fn path_of(uri: &Uri) -> Option<PathBuf> {
    uri.scheme().as_str().eq_ignore_ascii_case("file").then(|| uri.to_file_path().map(Into::into)).flatten()
}

/// Reads a document that no editor has open.
pub(crate) async fn read(uri: &str) -> Result<Source, SourceError> {
    let parsed = Uri::from_str(uri).map_err(|_| SourceError::NotUri(uri.to_owned()))?;
    let path = path_of(&parsed).ok_or_else(|| SourceError::NotOpen(uri.to_owned()))?;
    let text = Text::new(read_text(&path).await?);
    Ok(Source { uri: uri.to_owned(), path: Some(path), language_id: None, text, blocks: Blocks::default() })
}

async fn read_text(path: &Path) -> Result<String, SourceError> {
    let shown = path.display().to_string();
    let unreadable = |reason: String| SourceError::Unreadable { path: shown.clone(), reason };
    // Asked first: opening a pipe would wait for somebody to write into it.
    let metadata = tokio::fs::metadata(path).await.map_err(|error| unreadable(error.to_string()))?;
    if metadata.is_dir() {
        return Err(unreadable("it is a folder".to_owned()));
    }
    if !metadata.is_file() {
        return Err(unreadable("it is not a regular file".to_owned()));
    }
    let file = tokio::fs::File::open(path).await.map_err(|error| unreadable(error.to_string()))?;
    let mut bytes = Vec::new();
    let read = file.take(SOURCE_LIMIT + 1).read_to_end(&mut bytes).await;
    read.map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > SOURCE_LIMIT {
        return Err(SourceError::TooLarge(shown));
    }
    String::from_utf8(bytes).map_err(|_| SourceError::NotText(shown))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn changed(text: &str, encoding: Encoding, changes: serde_json::Value) -> Result<String, SourceError> {
        let mut document = Document::new("file:///a.py".to_owned(), "python".to_owned(), 1, text);
        let changes: Vec<TextDocumentContentChangeEvent> = serde_json::from_value(changes).unwrap();
        document.change(&changes, encoding);
        document.source().map(|source| source.text.as_str().to_owned())
    }

    fn at(start: [u32; 2], end: [u32; 2], text: &str) -> serde_json::Value {
        let position = |[line, character]: [u32; 2]| json!({"line": line, "character": character});
        json!({"range": {"start": position(start), "end": position(end)}, "text": text})
    }

    #[test]
    fn changes_apply_one_after_the_other() {
        let changes = json!([at([0, 0], [0, 0], "x = 1\n"), at([1, 0], [1, 1], "b"), at([2, 0], [2, 0], "end")]);
        assert_eq!(changed("a\n", Encoding::Utf16, changes).unwrap(), "x = 1\nb\nend");
    }

    #[test]
    fn positions_count_as_agreed() {
        for (encoding, character) in [(Encoding::Utf8, 5), (Encoding::Utf16, 3), (Encoding::Utf32, 2)] {
            let changes = json!([at([0, character], [0, character + 1], "y")]);
            assert_eq!(changed("a😀x", encoding, changes).unwrap(), "a😀y");
        }
    }

    #[test]
    fn the_whole_text_may_end_one_line_past_the_last() {
        assert_eq!(changed("a\nb", Encoding::Utf16, json!([at([0, 0], [2, 0], "c")])).unwrap(), "c");
    }

    #[test]
    fn a_change_outside_needs_the_whole_text_again() {
        let outside = at([9, 0], [9, 1], "x");
        let error = changed("a\n", Encoding::Utf16, json!([outside, at([0, 0], [0, 1], "z")])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the editor and Runpen disagree about the text of a.py; close it and open it again"
        );
        assert_eq!(changed("a\n", Encoding::Utf16, json!([outside, {"text": "whole"}])).unwrap(), "whole");
    }

    #[test]
    fn one_document_has_one_key() {
        assert_eq!(Key::of("file:///c%3A/a%20b.py"), Key::of("file:///c:/a b.py"));
        assert_eq!(Key::of("file:///100%.py"), Key("file:///100%.py".to_owned()));
        assert_eq!(name_of("file:///home/me/my%20file.py"), "my file.py");
        assert_eq!(name_of("untitled:Untitled-1"), "Untitled-1");
    }

    #[tokio::test]
    async fn a_file_is_read_with_care() {
        let folder = tempfile::tempdir().unwrap();
        let uri = |name: &str| format!("file://{}", folder.path().join(name).display());
        std::fs::write(folder.path().join("good.py"), "print(1)").unwrap();
        std::fs::write(folder.path().join("bad.py"), b"\xff\xfe").unwrap();
        assert_eq!(read(&uri("good.py")).await.unwrap().text.as_str(), "print(1)");
        let error = async |uri: String| read(&uri).await.unwrap_err().to_string();
        assert!(error(uri("bad.py")).await.ends_with("bad.py is not text in UTF-8"));
        assert!(error(uri("none.py")).await.starts_with("failed to read "));
        assert!(error(uri("")).await.ends_with("it is a folder"));
        assert_eq!(error("a.py".to_owned()).await, "`a.py` is not a URI; a file's begins with file://");
        assert!(error("untitled:a".to_owned()).await.contains("is not open"));
    }
}
