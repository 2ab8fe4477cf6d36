//! What a prune takes, and taking it.

use std::fmt::Write as _;
use std::time::Duration;

use super::list::Row;
use crate::engine::Engine;
use crate::engine::ledger::Ledger;
use crate::run::megabytes;

/// What goes.
pub(super) struct Rule {
    /// All that Runpen brought.
    pub(super) all: bool,
    /// What was not used for so long.
    pub(super) unused_for: Duration,
}

impl Rule {
    /// Why an image goes; `None` is that it stays.
    fn reason(&self, row: &Row) -> Option<&'static str> {
        // A derived one that the ledger does not know is another account's, or its ledger is lost.
        if !row.present || !(row.brought || row.derived && self.all) {
            return None;
        }
        if row.languages.is_empty() {
            return Some(if row.derived { "out of date" } else { "no language uses it" });
        }
        if row.unused_seconds.is_some_and(|seconds| seconds >= self.unused_for.as_secs()) {
            return Some("not used for long");
        }
        self.all.then_some("all was asked for")
    }
}

/// Takes what the rule says, or only tells of it: a line an image, and the sum. Says whether all went that should.
pub(super) async fn run(
    engine: &dyn Engine,
    ledger: &Ledger,
    rows: &[Row],
    rule: &Rule,
    dry_run: bool,
) -> (String, bool) {
    let mut text = String::new();
    let (mut freed, mut count, mut complete) = (0, 0, true);
    // Derived ones first: they hold their bases.
    let (derived, fetched): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.derived);
    for row in derived.into_iter().chain(fetched) {
        let Some(reason) = rule.reason(row) else { continue };
        let size = megabytes(row.unique.unwrap_or(row.size));
        if !dry_run {
            if let Err(error) = engine.remove_image(&row.image).await {
                complete = false;
                super::say(&error.to_string());
                continue;
            }
            ledger.forget(&engine.place(), &row.image);
        }
        count += 1;
        freed += row.unique.unwrap_or(row.size);
        let _ = writeln!(text, "{} {} ({size}, {reason})", if dry_run { "would remove" } else { "removed" }, row.image);
    }
    let images = if count == 1 { "image" } else { "images" };
    let verb = if dry_run { "would free" } else { "freed" };
    // Bytes that only images that go share with each other come on top.
    let _ = writeln!(text, "{count} {images}, {verb} {}", megabytes(freed));
    (text, complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(languages: &[&str], brought: bool, derived: bool, unused_seconds: Option<u64>) -> Row {
        Row {
            image: "x:1".to_owned(),
            languages: languages.iter().map(|&name| name.to_owned()).collect(),
            present: true,
            size: 10,
            shared: None,
            unique: None,
            unused_seconds,
            brought,
            derived,
        }
    }

    #[test]
    fn what_runpen_did_not_bring_never_goes() {
        for all in [false, true] {
            let rule = Rule { all, unused_for: Duration::ZERO };
            assert_eq!(rule.reason(&row(&[], false, false, Some(99))), None);
            assert_eq!(rule.reason(&row(&["python"], false, false, Some(99))), None);
            assert_eq!(rule.reason(&row(&[], false, true, None)).is_some(), all);
        }
    }

    #[test]
    fn what_it_brought_goes_when_nothing_needs_it() {
        let rule = Rule { all: false, unused_for: Duration::from_secs(60) };
        assert_eq!(rule.reason(&row(&["python"], true, false, Some(59))), None);
        assert_eq!(rule.reason(&row(&["python"], true, false, None)), None);
        assert_eq!(rule.reason(&row(&["python"], true, false, Some(60))), Some("not used for long"));
        assert_eq!(rule.reason(&row(&[], true, false, Some(1))), Some("no language uses it"));
        assert_eq!(rule.reason(&row(&[], true, true, None)), Some("out of date"));
        assert!(Rule { all: true, ..rule }.reason(&row(&["go"], true, true, Some(1))).is_some());
    }
}
