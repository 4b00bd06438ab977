//! Values of knobs: numbers with their unit.

use std::time::Duration;

const TIMES: &[(&str, f64)] = &[("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3), ("s", 1.0)];
const SIZES: &[(&str, f64)] = &[
    ("KiB", 1024.0),
    ("MiB", 1048576.0),
    ("GiB", 1073741824.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("B", 1.0),
];
const SHARES: &[(&str, f64)] = &[("%", 0.01)];

pub fn duration(text: &str) -> Result<Duration, String> {
    scaled(text, TIMES).map(Duration::from_secs_f64)
}

pub fn bytes(text: &str) -> Result<u64, String> {
    scaled(text, SIZES).map(|bytes| bytes as u64)
}

pub fn rate(text: &str) -> Result<u64, String> {
    bytes(text.strip_suffix("/s").ok_or_else(|| format!("{text:?} does not end with /s"))?)
}

pub fn share(text: &str) -> Result<f64, String> {
    scaled(text, SHARES)
}

pub fn count(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is not a whole number"))
}

pub fn positive(text: &str) -> Result<u64, String> {
    match count(text)? {
        0 => Err("0 is not at least 1".into()),
        number => Ok(number),
    }
}

pub fn switch(text: &str) -> Result<bool, String> {
    match text {
        "" => Ok(true),
        _ => Err(format!("it takes no value, but got {text:?}")),
    }
}

fn scaled(text: &str, units: &[(&str, f64)]) -> Result<f64, String> {
    let wrong = || {
        let names: Vec<_> = units.iter().map(|(unit, _)| *unit).collect();
        format!("{text:?} is not a number followed by {}", names.join(", "))
    };
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').ok_or_else(wrong)?;
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let scale = units.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
    Ok(number * scale)
}
