//! Bytes → message bodies. It knows `Content-Length` and nothing of JSON.
//!
//! tower-lsp's own reader ends the server at the first malformed message; this one says what was wrong and finds the
//! next message.

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// The most that one message may have in bytes.
pub(crate) const BODY_LIMIT: u64 = 128 * 1024 * 1024;

/// The most that one header line may have.
const LINE_LIMIT: u64 = 4 * 1024;

/// Something that is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// No header where one must be.
    #[error("what came is no message: each begins with Content-Length")]
    Garbage,
    /// A number that is none.
    #[error("the Content-Length is not a number")]
    BadLength,
    /// Too much.
    #[error("a message of {0} bytes is too large; the most is {BODY_LIMIT}")]
    TooLarge(u64),
}

/// Reads messages.
pub(crate) struct Frames<R> {
    input: BufReader<R>,
    /// Garbage was reported, and no header has come since.
    lost: bool,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input: BufReader::with_capacity(16 * 1024, input), lost: false }
    }

    /// The next body; `None` at the end of the input.
    pub(crate) async fn next(&mut self) -> std::io::Result<Option<Result<Vec<u8>, FrameError>>> {
        let mut length = None;
        loop {
            let Some(line) = read_line(&mut self.input).await? else { return Ok(None) };
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            if let Some(value) = content_length(line) {
                self.lost = false;
                length = Some(value.trim().parse::<u64>());
            } else if line.is_empty() {
                match length {
                    // A blank line between messages harms nobody.
                    None => {}
                    Some(Err(_)) => return Ok(Some(Err(FrameError::BadLength))),
                    Some(Ok(length)) => return self.body(length).await.map(Some),
                }
            } else if length.is_none() && !line.starts_with("Content-Type:") && !self.lost {
                self.lost = true;
                return Ok(Some(Err(FrameError::Garbage)));
            }
        }
    }

    async fn body(&mut self, length: u64) -> std::io::Result<Result<Vec<u8>, FrameError>> {
        let mut body = (&mut self.input).take(length);
        if length > BODY_LIMIT {
            tokio::io::copy(&mut body, &mut tokio::io::sink()).await?;
            return Ok(Err(FrameError::TooLarge(length)));
        }
        // Not reserved: a length that is a lie costs nothing.
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes).await?;
        if (bytes.len() as u64) < length {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Ok(bytes))
    }
}

/// The value of a `Content-Length` header, also where garbage without a line end stands before it.
fn content_length(line: &str) -> Option<&str> {
    const NAME: &str = "content-length:";
    let at = line.to_ascii_lowercase().find(NAME)?;
    line.get(at + NAME.len()..)
}

/// A line, or a piece of an endless one; `None` at the end of the input.
async fn read_line(input: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let read = input.take(LINE_LIMIT).read_until(b'\n', &mut line).await?;
    Ok((read > 0).then_some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(input: &str) -> Vec<Result<String, FrameError>> {
        let mut frames = Frames::new(input.as_bytes());
        let mut all = Vec::new();
        while let Ok(Some(frame)) = frames.next().await {
            all.push(frame.map(|body| String::from_utf8(body).unwrap()));
        }
        all
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the decoder gives it")]
    fn body(text: &str) -> Result<String, FrameError> {
        Ok(text.to_owned())
    }

    #[tokio::test]
    async fn reads_messages_whatever_their_headers() {
        let input = "Content-Length: 2\r\n\r\nab\r\ncontent-length:3\nContent-Type: x; charset=utf-8\n\nabcContent-Length: 0\r\n\r\n";
        assert_eq!(read(input).await, [body("ab"), body("abc"), body("")]);
    }

    #[tokio::test]
    async fn garbage_is_reported_once_and_the_next_message_is_found() {
        let input = "hello\nworld\n{\"a\": 1}Content-Length: 2\r\n\r\nab";
        assert_eq!(read(input).await, [Err(FrameError::Garbage), body("ab")]);
    }

    #[tokio::test]
    async fn a_bad_length_does_not_end_the_reading() {
        let input = "Content-Length: ten\r\n\r\nabcdefghij\r\nContent-Length: 2\r\n\r\nab";
        assert_eq!(read(input).await, [Err(FrameError::BadLength), Err(FrameError::Garbage), body("ab")]);
        assert_eq!(read("Content-Length: 18446744073709551615\r\n\r\nab").await, [Err(FrameError::TooLarge(u64::MAX))]);
    }

    #[tokio::test]
    async fn a_message_cut_short_is_the_end() {
        assert_eq!(read("Content-Length: 9\r\n\r\nab").await, []);
    }
}
