//! Spells mangled Rust names, one a line, as the demangler of the Rust project does: without hashes.
//!
//!     fuselab-names < MANGLED
//!
//! Answers every line with one line: the name, or nothing where it is no Rust name.

use std::io::{self, BufRead, BufWriter, Write};

fn main() -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line = line?;
        match rustc_demangle::try_demangle(&line) {
            Ok(name) => writeln!(out, "{name:#}")?,
            Err(_) => writeln!(out)?,
        }
    }
    out.flush()
}
