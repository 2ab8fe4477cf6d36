//! Sizes (`64M`), durations (`10s`) and CPU shares (`0.5`) as people write them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of bytes: `512K`, `64M`, `1G`, or a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

/// A duration: `500ms`, `10s`, `2m`, `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A share of CPU in cores: `0.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cpus(u32);

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not {expected}")]
pub struct UnitError {
    value: String,
    expected: &'static str,
}

const SIZE: &str = "a size: write it like 64M or 1G, from 1M up";
const OUTPUT: &str = "a size: write it like 64K or 1M, from 1K up";
const SPAN: &str = "a duration: write it like 500ms, 10s or 2m, above zero";
const CPUS: &str = "a number of CPUs: write it like 0.5 or 2, from 0.01 to 512";

impl Size {
    /// So many mebibytes.
    #[must_use]
    pub const fn mib(mebibytes: u64) -> Self {
        Self(mebibytes * 1024 * 1024)
    }

    /// So many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl Span {
    /// As the standard library has it.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl Cpus {
    /// From thousandths of a core.
    #[must_use]
    pub const fn from_milli(milli: u32) -> Self {
        Self(milli)
    }

    /// In thousandths of a core.
    #[must_use]
    pub const fn milli(self) -> u32 {
        self.0
    }
}

/// Splits `10s` into its number and its unit.
fn split(value: &str) -> Option<(f64, &str)> {
    let value = value.trim();
    let end = value.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(value.len());
    let number = value[..end].parse::<f64>().ok().filter(|number| number.is_finite())?;
    Some((number, value[end..].trim()))
}

impl Size {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked against both bounds before")]
    fn parse(value: &str, least: f64, expected: &'static str) -> Result<Self, UnitError> {
        let error = || UnitError { value: value.to_owned(), expected };
        let (number, unit) = split(value).ok_or_else(error)?;
        let factor = match unit.trim_end_matches(['b', 'B']).trim_end_matches('i').to_ascii_lowercase().as_str() {
            "" => 1.0,
            "k" => 1024.0,
            "m" => 1024.0 * 1024.0,
            "g" => 1024.0 * 1024.0 * 1024.0,
            _ => return Err(error()),
        };
        let bytes = number * factor;
        if !(least..=1e15).contains(&bytes) {
            return Err(error());
        }
        Ok(Self(bytes as u64))
    }
}

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(value: &str) -> Result<Self, UnitError> {
        Self::parse(value, 1024.0 * 1024.0, SIZE)
    }
}

/// A limit of output, which may be much smaller than one of memory.
pub(super) fn output_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Size>, D::Error> {
    let Some(value) = Option::<NumberOrText>::deserialize(deserializer)? else { return Ok(None) };
    Size::parse(&value.text(), 1024.0, OUTPUT).map(Some).map_err(serde::de::Error::custom)
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(value: &str) -> Result<Self, UnitError> {
        let error = || UnitError { value: value.to_owned(), expected: SPAN };
        let (number, unit) = split(value).ok_or_else(error)?;
        let factor = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => return Err(error()),
        };
        let seconds = number * factor;
        if !(0.001..=1e7).contains(&seconds) {
            return Err(error());
        }
        Ok(Self(Duration::from_secs_f64(seconds)))
    }
}

impl FromStr for Cpus {
    type Err = UnitError;

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked against both bounds before")]
    fn from_str(value: &str) -> Result<Self, UnitError> {
        let error = || UnitError { value: value.to_owned(), expected: CPUS };
        let cpus = value.trim().parse::<f64>().map_err(|_| error())?;
        if !(0.01..=512.0).contains(&cpus) {
            return Err(error());
        }
        Ok(Self((cpus * 1000.0).round() as u32))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes % (1 << 30) == 0 => write!(f, "{}G", bytes >> 30),
            bytes if bytes % (1 << 20) == 0 => write!(f, "{}M", bytes >> 20),
            bytes if bytes % (1 << 10) == 0 => write!(f, "{}K", bytes >> 10),
            bytes => write!(f, "{bytes}"),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        match milliseconds {
            _ if !milliseconds.is_multiple_of(1000) => write!(f, "{milliseconds}ms"),
            _ if !milliseconds.is_multiple_of(60_000) => write!(f, "{}s", milliseconds / 1000),
            _ => write!(f, "{}m", milliseconds / 60_000),
        }
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.0) / 1000.0)
    }
}

/// A value that may be written as a number or as a text.
#[derive(Deserialize)]
#[serde(untagged, expecting = "it is written as a number or a text")]
enum NumberOrText {
    Integer(i64),
    Float(f64),
    Text(String),
}

impl NumberOrText {
    fn text(self) -> String {
        match self {
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Text(text) => text,
        }
    }
}

macro_rules! as_text {
    ($type:ident, $pattern:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                NumberOrText::deserialize(deserializer)?.text().parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": ["string", "number"], "pattern": $pattern })
            }
        }
    };
}

as_text!(Size, r"^[0-9.]+ *([kKmMgG]i?)?[bB]?$");
as_text!(Span, r"^[0-9.]+ *(ms|s|m|min|h)$");
as_text!(Cpus, r"^[0-9.]+$");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_read_as_people_write_them() {
        assert_eq!("64M".parse(), Ok(Size::mib(64)));
        assert_eq!("1GiB".parse(), Ok(Size::mib(1024)));
        assert_eq!("500ms".parse(), Ok(Span(Duration::from_millis(500))));
        assert_eq!("2m".parse(), Ok(Span(Duration::from_secs(120))));
        assert_eq!("0.5".parse(), Ok(Cpus::from_milli(500)));
        for text in ["64M", "1G", "1536K"] {
            assert_eq!(text.parse::<Size>().map(|size| size.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn nonsense_is_refused_with_a_word_on_what_is_wanted() {
        for text in ["", "M", "-5M", "0", "64X", "1e3M", "NaN", "999999999999G"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        for text in ["", "0", "0s", "10", "-1s", "inf", "5y"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        for text in ["", "0", "-1", "NaN", "inf", "1000"] {
            assert!(text.parse::<Cpus>().is_err(), "{text}");
        }
    }
}
