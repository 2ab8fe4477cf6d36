//! Bytes of a stream → text, within its cap. Pure.

/// Joins characters that were split across chunks; bad bytes become U+FFFD.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    pending: Vec<u8>,
}

impl Decoder {
    /// Text of what came; an incomplete character at the end waits for the rest.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        let joined;
        let bytes = if self.pending.is_empty() {
            bytes
        } else {
            self.pending.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.pending);
            joined.as_slice()
        };
        let mut text = String::with_capacity(bytes.len());
        let mut rest = bytes;
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    return text;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    let Some(bad) = error.error_len() else {
                        self.pending = after.to_vec();
                        return text;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &after[bad..];
                }
            }
        }
    }

    /// What is left when the stream ends.
    pub(super) fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}

/// Counts a stream against its cap.
#[derive(Debug)]
pub(super) struct Cap {
    left: u64,
}

impl Cap {
    pub(super) fn new(limit: u64) -> Self {
        Self { left: limit }
    }

    /// How many of `length` bytes still fit; fewer means that the cap is reached.
    pub(super) fn take(&mut self, length: usize) -> usize {
        let taken = usize::try_from(self.left).unwrap_or(usize::MAX).min(length);
        self.left -= taken as u64;
        taken
    }
}

/// The last bytes of a stream, kept for the report.
#[derive(Debug, Default)]
pub(super) struct Tail {
    text: String,
    limit: usize,
}

impl Tail {
    pub(super) fn new(limit: usize) -> Self {
        Self { text: String::new(), limit }
    }

    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
        // Cut rarely, so that each byte is moved once on average.
        if self.text.len() > 2 * self.limit {
            let mut at = self.text.len() - self.limit;
            while !self.text.is_char_boundary(at) {
                at += 1;
            }
            self.text.drain(..at);
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn decoding_in_pieces_equals_decoding_at_once(
            bytes in proptest::collection::vec(prop_oneof![Just(0xf0_u8), Just(0x9f), Just(0x98), Just(0x80), any::<u8>()], 0..64),
            cut in 1_usize..8,
        ) {
            let mut decoder = Decoder::default();
            let mut text: String = bytes.chunks(cut).map(|chunk| decoder.push(chunk)).collect();
            text.push_str(&decoder.finish());
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes).into_owned());
        }
    }

    #[test]
    fn the_cap_cuts_at_the_byte() {
        let mut cap = Cap::new(10);
        assert_eq!((cap.take(7), cap.take(7), cap.take(1)), (7, 3, 0));
    }

    #[test]
    fn the_tail_keeps_the_end() {
        let mut tail = Tail::new(8);
        for _ in 0..100 {
            tail.push("0123456789é");
        }
        assert!(tail.as_str().ends_with("789é") && tail.as_str().len() <= 16 + 12);
    }
}
