//! Names for things that are known by what is in them. It must not know what that is.

use sha2::{Digest as _, Sha256};

/// SHA-256 of a list of parts, in hexadecimal digits. The standard library's hasher would give another name with another
/// compiler, and names that somebody can make collide.
pub(crate) fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // With its length, so that no two lists of parts look alike.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_with_every_compiler_and_tells_lists_apart() {
        let of = |parts: &[&str]| fingerprint(parts.iter().map(|part| part.as_bytes()));
        // printf '\2\0\0\0\0\0\0\0ab' | sha256sum
        assert_eq!(of(&["ab"]), "5dff2b3fa79721a8181b9beb1db6bcce93b482f9aa3a5c9b864fc4429e31d5f2");
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
    }
}
