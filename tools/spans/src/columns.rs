//! The files that fuselab reads: for each column one file of little-endian numbers, and for arguments the texts end to
//! end in `*.args` with the end of each in `*.args_end` (no text: no arguments).

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Spans with begin and end, in the order of their ends.
pub struct Spans {
    group: Column,
    site: Column,
    tid: Column,
    start_ns: Column,
    end_ns: Column,
    arguments: Texts,
}

/// Events without a partner.
pub struct Left {
    group: Column,
    site: Column,
    tid: Column,
    ts_ns: Column,
    opens: Column,
    key: Column,
    arguments: Texts,
}

impl Spans {
    pub fn create(folder: &Path) -> io::Result<Spans> {
        let column = |name| Column::create(folder, name);
        Ok(Spans {
            group: column("spans.group")?,
            site: column("spans.site")?,
            tid: column("spans.tid")?,
            start_ns: column("spans.start_ns")?,
            end_ns: column("spans.end_ns")?,
            arguments: Texts::create(folder, "spans")?,
        })
    }

    pub fn write(
        &mut self,
        group: u64,
        site: u32,
        tid: i32,
        start_ns: i64,
        end_ns: i64,
        arguments: &[u8],
    ) -> io::Result<()> {
        self.group.0.write_all(&group.to_le_bytes())?;
        self.site.0.write_all(&site.to_le_bytes())?;
        self.tid.0.write_all(&tid.to_le_bytes())?;
        self.start_ns.0.write_all(&start_ns.to_le_bytes())?;
        self.end_ns.0.write_all(&end_ns.to_le_bytes())?;
        self.arguments.write(arguments)
    }

    pub fn finish(self) -> io::Result<()> {
        let Spans { group, site, tid, start_ns, end_ns, arguments } = self;
        [group, site, tid, start_ns, end_ns].into_iter().try_for_each(Column::finish)?;
        arguments.finish()
    }
}

impl Left {
    pub fn create(folder: &Path) -> io::Result<Left> {
        let column = |name| Column::create(folder, name);
        Ok(Left {
            group: column("left.group")?,
            site: column("left.site")?,
            tid: column("left.tid")?,
            ts_ns: column("left.ts_ns")?,
            opens: column("left.opens")?,
            key: column("left.key")?,
            arguments: Texts::create(folder, "left")?,
        })
    }

    /// `key` is a hash of root, place and arguments.
    #[expect(clippy::too_many_arguments, reason = "one for each column")]
    pub fn write(
        &mut self,
        group: u64,
        site: u32,
        tid: i32,
        ts_ns: i64,
        opens: bool,
        key: u64,
        arguments: &[u8],
    ) -> io::Result<()> {
        self.group.0.write_all(&group.to_le_bytes())?;
        self.site.0.write_all(&site.to_le_bytes())?;
        self.tid.0.write_all(&tid.to_le_bytes())?;
        self.ts_ns.0.write_all(&ts_ns.to_le_bytes())?;
        self.opens.0.write_all(&[u8::from(opens)])?;
        self.key.0.write_all(&key.to_le_bytes())?;
        self.arguments.write(arguments)
    }

    pub fn finish(self) -> io::Result<()> {
        let Left { group, site, tid, ts_ns, opens, key, arguments } = self;
        [group, site, tid, ts_ns, opens, key].into_iter().try_for_each(Column::finish)?;
        arguments.finish()
    }
}

struct Column(BufWriter<File>);

impl Column {
    fn create(folder: &Path, name: &str) -> io::Result<Column> {
        Ok(Column(BufWriter::with_capacity(1 << 16, File::create(folder.join(name))?)))
    }

    fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

struct Texts {
    texts: Column,
    ends: Column,
    written: u64,
}

impl Texts {
    fn create(folder: &Path, table: &str) -> io::Result<Texts> {
        let texts = Column::create(folder, &format!("{table}.args"))?;
        Ok(Texts { texts, ends: Column::create(folder, &format!("{table}.args_end"))?, written: 0 })
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        self.written += text.len() as u64;
        self.texts.0.write_all(text)?;
        self.ends.0.write_all(&self.written.to_le_bytes())
    }

    fn finish(self) -> io::Result<()> {
        self.texts.finish()?;
        self.ends.finish()
    }
}
