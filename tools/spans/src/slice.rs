//! A part of the file, parsed: texts become numbers of the slice's own tables, arguments stay where they lie.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The place of a span in the program. Without locations in the trace, file is empty and line 0.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Site<'a> {
    pub name: Cow<'a, str>,
    pub target: Cow<'a, str>,
    pub file: Cow<'a, str>,
    pub line: u32,
}

/// The begin or end of a span.
pub struct Event {
    /// Since the trace began.
    pub ts_ns: i64,
    /// Root span id (async style) or thread (threaded style).
    pub group: u64,
    pub tid: i32,
    /// Number in the slice's `sites`.
    pub site: u32,
    pub opens: bool,
    arguments: (u32, u32),
}

pub struct Slice {
    bytes: Vec<u8>,
    pub events: Vec<Event>,
    pub sites: Vec<Site<'static>>,
    /// Names of threads.
    pub threads: Vec<(i32, String)>,
    pub threaded: bool,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default)]
    ph: Cow<'a, str>,
    #[serde(default)]
    ts: f64,
    #[serde(default)]
    id: u64,
    #[serde(default)]
    tid: i32,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    cat: Cow<'a, str>,
    #[serde(borrow, default, rename = ".file")]
    file: Cow<'a, str>,
    #[serde(default, rename = ".line")]
    line: u32,
    #[serde(borrow, default)]
    args: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ThreadName {
    name: String,
}

impl Slice {
    /// Parse the records in bytes `start` to `end`. The error names the byte of the file.
    pub fn read(file: &File, start: u64, end: u64) -> io::Result<Slice> {
        let mut bytes = vec![0; usize::try_from(end - start).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, start)?;
        let mut parser = Parser::new(&bytes);
        parser
            .run()
            .map_err(|(at, why)| io::Error::other(format!("at byte {}: {why}", start + at as u64)))?;
        let Parser { events, threads, threaded, sites, .. } = parser;
        let mut numbered: Vec<_> = sites.into_iter().collect();
        numbered.sort_unstable_by_key(|(_, number)| *number);
        let sites = numbered.into_iter().map(|(site, _)| site.owned()).collect();
        Ok(Slice { bytes, events, sites, threads, threaded })
    }

    /// JSON text of the event's arguments, empty if it has none.
    pub fn arguments(&self, event: &Event) -> &[u8] {
        let (start, length) = event.arguments;
        &self.bytes[start as usize..][..length as usize]
    }
}

impl Site<'_> {
    fn owned(self) -> Site<'static> {
        let owned = |text: Cow<str>| Cow::Owned(text.into_owned());
        Site { name: owned(self.name), target: owned(self.target), file: owned(self.file), line: self.line }
    }
}

struct Parser<'a> {
    bytes: &'a [u8],
    events: Vec<Event>,
    sites: FxHashMap<Site<'a>, u32>,
    threads: Vec<(i32, String)>,
    threaded: bool,
}

impl<'a> Parser<'a> {
    fn new(bytes: &'a [u8]) -> Parser<'a> {
        let events = Vec::with_capacity(bytes.len() / 128);
        Parser { bytes, events, sites: FxHashMap::default(), threads: Vec::new(), threaded: false }
    }

    /// Values with a comma between each two, as in an array. On failure: the byte, and why.
    fn run(&mut self) -> Result<(), (usize, String)> {
        let mut at = self.blank(0);
        while at < self.bytes.len() {
            let mut values = serde_json::Deserializer::from_slice(&self.bytes[at..]).into_iter::<Record>();
            match values.next() {
                Some(Ok(record)) => self.take(record).map_err(|why| (at, why))?,
                Some(Err(error)) => return Err((at, error.to_string())),
                None => break,
            }
            at = self.blank(at + values.byte_offset());
            match self.bytes.get(at) {
                None => break,
                Some(b',') => at = self.blank(at + 1),
                Some(_) => return Err((at, "a comma is missing".into())),
            }
        }
        Ok(())
    }

    fn blank(&self, at: usize) -> usize {
        at + self.bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
    }

    fn take(&mut self, record: Record<'a>) -> Result<(), String> {
        let (opens, group) = match record.ph.as_ref() {
            "b" => (true, record.id),
            "e" => (false, record.id),
            "B" | "E" => {
                self.threaded = true;
                (record.ph == "B", u64::try_from(record.tid).map_err(|error| error.to_string())?)
            }
            "M" => {
                if let Some(Ok(thread)) =
                    record.args.map(|args| serde_json::from_str::<ThreadName>(args.get()))
                {
                    self.threads.push((record.tid, thread.name));
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        let site = Site { name: record.name, target: record.cat, file: record.file, line: record.line };
        let site = self.number(site)?;
        let arguments = self.extent(record.args)?;
        let ts_ns = (record.ts * 1000.0).round() as i64;
        self.events.push(Event { ts_ns, group, tid: record.tid, site, opens, arguments });
        Ok(())
    }

    fn number(&mut self, site: Site<'a>) -> Result<u32, String> {
        let next = u32::try_from(self.sites.len()).map_err(|error| error.to_string())?;
        Ok(*self.sites.entry(site).or_insert(next))
    }

    /// Where in the slice the arguments lie.
    fn extent(&self, args: Option<&'a RawValue>) -> Result<(u32, u32), String> {
        let Some(args) = args else { return Ok((0, 0)) };
        let start = args.get().as_ptr().addr() - self.bytes.as_ptr().addr();
        let number = |value: usize| u32::try_from(value).map_err(|error| error.to_string());
        Ok((number(start)?, number(args.get().len())?))
    }
}
