//! Which end belongs to which begin, as far as that can be said while the events go by.
//!
//! tracing-chrome writes the id of the *root* span with each event. Of the open spans with an end's root and place:
//! the only one is it; else the last begun with the very same arguments; else the last begun of those whose arguments
//! are all among the end's (it may have recorded more since), if that leaves one set of arguments. What remains, an
//! end that fits several or none and all that is open at last, is left to fuselab's `span_pairs`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;

use rustc_hash::FxHashMap;
use serde_json::value::RawValue;

use crate::columns::{Left, Spans};
use crate::slice::Event;

/// Spans of one root and place that are open at once and looked through, from the last begun: so no event takes long.
const LOOKED_THROUGH: usize = 64;

struct Open {
    ts_ns: i64,
    tid: i32,
    arguments: Box<[u8]>,
}

pub struct Pairing {
    open: FxHashMap<(u64, u32), Vec<Open>>,
    spans: Spans,
    left: Left,
}

impl Pairing {
    pub fn create(folder: &Path) -> io::Result<Pairing> {
        Ok(Pairing { open: FxHashMap::default(), spans: Spans::create(folder)?, left: Left::create(folder)? })
    }

    /// The next event of the file; `site` is its place's number in the whole trace.
    pub fn take(&mut self, event: &Event, site: u32, arguments: &[u8]) -> io::Result<()> {
        let key = (event.group, site);
        if event.opens {
            let open = Open { ts_ns: event.ts_ns, tid: event.tid, arguments: arguments.into() };
            self.open.entry(key).or_default().push(open);
            return Ok(());
        }
        let begun = self.open.get_mut(&key);
        let found = begun.and_then(|open| {
            let at = partner(open, arguments).filter(|&at| open[at].ts_ns <= event.ts_ns)?;
            Some((open.remove(at), open.is_empty()))
        });
        match found {
            Some((begin, last)) => {
                if last {
                    self.open.remove(&key);
                }
                self.spans.write(event.group, site, begin.tid, begin.ts_ns, event.ts_ns, arguments)
            }
            None => self.leave(key, event.tid, event.ts_ns, false, arguments),
        }
    }

    /// Whatever is open goes to what is left, in the order of time.
    pub fn finish(mut self) -> io::Result<()> {
        let mut open: Vec<_> = std::mem::take(&mut self.open)
            .into_iter()
            .flat_map(|(key, open)| {
                open.into_iter().enumerate().map(move |(number, begin)| (key, number, begin))
            })
            .collect();
        open.sort_unstable_by_key(|(key, number, begin)| (begin.ts_ns, *key, *number));
        for (key, _, begin) in open {
            self.leave(key, begin.tid, begin.ts_ns, true, &begin.arguments)?;
        }
        self.spans.finish()?;
        self.left.finish()
    }

    fn leave(
        &mut self,
        key: (u64, u32),
        tid: i32,
        ts_ns: i64,
        opens: bool,
        arguments: &[u8],
    ) -> io::Result<()> {
        let mut hasher = DefaultHasher::new();
        (key, arguments).hash(&mut hasher);
        self.left.write(key.0, key.1, tid, ts_ns, opens, hasher.finish(), arguments)
    }
}

/// The open span that an end with these arguments closes, if only one can be meant.
fn partner(open: &[Open], arguments: &[u8]) -> Option<usize> {
    if open.len() == 1 {
        return Some(0);
    }
    let skipped = open.len().saturating_sub(LOOKED_THROUGH);
    let near = &open[skipped..];
    if let Some(at) = near.iter().rposition(|begin| *begin.arguments == *arguments) {
        return Some(skipped + at);
    }
    let mut fitting = (0..near.len()).rev().filter(|&at| within(&near[at].arguments, arguments));
    let last = fitting.next()?;
    let alike = |at: usize| near[at].arguments == near[last].arguments;
    fitting.all(alike).then_some(skipped + last)
}

/// Whether every argument of the begin is one of the end's, with the same value.
fn within(begin: &[u8], end: &[u8]) -> bool {
    let Some(shared) = begin.strip_suffix(b"}") else { return begin.is_empty() };
    if end.strip_prefix(shared).is_some_and(|more| more.starts_with(b",")) {
        return true;
    }
    let (Some(begin), Some(end)) = (members(begin), members(end)) else { return false };
    begin.iter().all(|(name, value)| end.get(name).is_some_and(|other| other.get() == value.get()))
}

fn members(arguments: &[u8]) -> Option<FxHashMap<String, &RawValue>> {
    if arguments.is_empty() { Some(FxHashMap::default()) } else { serde_json::from_slice(arguments).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(arguments: &[&str]) -> Vec<Open> {
        arguments.iter().map(|text| Open { ts_ns: 0, tid: 0, arguments: text.as_bytes().into() }).collect()
    }

    #[test]
    fn the_only_open_span_is_meant_whatever_was_recorded_since() {
        assert_eq!(partner(&open(&[r#"{"state":"new"}"#]), br#"{"state":"done"}"#), Some(0));
    }

    #[test]
    fn of_equal_arguments_the_last_begun_is_meant() {
        assert_eq!(
            partner(&open(&[r#"{"n":"1"}"#, r#"{"n":"1"}"#, r#"{"n":"2"}"#]), br#"{"n":"1"}"#),
            Some(1)
        );
    }

    #[test]
    fn a_field_recorded_late_may_stand_before_after_or_between() {
        let begun = open(&[r#"{"b":"1","d":"2"}"#, r#"{"b":"2","d":"2"}"#]);
        for end in
            [r#"{"a":"","b":"1","d":"2"}"#, r#"{"b":"1","c":"","d":"2"}"#, r#"{"b":"1","d":"2","e":""}"#]
        {
            assert_eq!(partner(&begun, end.as_bytes()), Some(0), "{end}");
        }
    }

    #[test]
    fn what_fits_several_or_none_is_left() {
        let begun = open(&[r#"{"a":"1"}"#, r#"{"b":"1"}"#]);
        assert_eq!(partner(&begun, br#"{"a":"1","b":"1"}"#), None);
        assert_eq!(partner(&begun, br#"{"c":"1"}"#), None);
    }

    #[test]
    fn a_span_begun_without_arguments_fits_any_end() {
        assert!(within(b"", br#"{"a":"1"}"#));
        assert!(within(b"{}", br#"{"a":"1"}"#));
        assert!(!within(br#"{"a":"1"}"#, b""));
    }
}
