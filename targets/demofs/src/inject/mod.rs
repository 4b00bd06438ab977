//! Known faults, planted on demand: `--inject extend-wait=4ms,copy-cpu=50us`.
//!
//! [`Plan`] is what was asked for, [`Faults`] decides when, and [`planted`] holds the
//! functions that do it, each with a span of its own.

mod faults;
mod parse;
pub mod planted;
mod spread;

use std::time::Duration;

pub use faults::Faults;

/// What to plant. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    pub extend_wait: Option<Duration>,
    pub copy_cpu: Option<Duration>,
    pub checksum_cpu: Option<Duration>,
    pub block: Option<Duration>,
    pub lock: Option<Duration>,
    /// Part of the write path's own time to add, 0.1 for 10 %.
    pub slow: Option<f64>,
    pub heap_bytes: Option<u64>,
    pub tasks: Option<u64>,
    pub self_wakes: Option<u64>,
    pub fail_after: Option<u64>,
    pub corrupt: Option<u64>,
    pub crash_after: Option<u64>,
    pub more_puts: Option<u64>,
    pub log_bytes_per_s: Option<u64>,
    pub start_delay: Option<Duration>,
    pub never_ready: bool,
    pub ignore_stop: bool,
}

/// A fault that can be planted: its name, a value to show, what it does, how it is read.
pub struct Knob {
    pub name: &'static str,
    pub example: &'static str,
    pub effect: &'static str,
    set: fn(&mut Plan, &str) -> Result<(), String>,
}

macro_rules! knob {
    ($name:literal, $example:literal, $effect:literal, $field:ident, $read:path) => {
        Knob {
            name: $name,
            example: $example,
            effect: $effect,
            set: |plan, value| {
                plan.$field = Some($read(value)?);
                Ok(())
            },
        }
    };
    ($name:literal, $effect:literal, $field:ident) => {
        Knob {
            name: $name,
            example: "",
            effect: $effect,
            set: |plan, value| {
                plan.$field = parse::switch(value)?;
                Ok(())
            },
        }
    };
}

/// All knobs there are.
pub const KNOBS: &[Knob] = &[
    knob!(
        "extend-wait",
        "4ms",
        "wait (suspended) in extend_file_size, on each write",
        extend_wait,
        parse::duration
    ),
    knob!(
        "copy-cpu",
        "50us",
        "CPU time burnt in burn_copy, on each write, on average",
        copy_cpu,
        parse::duration
    ),
    knob!(
        "checksum-cpu",
        "25us",
        "CPU time burnt in burn_checksum, on each write, on average",
        checksum_cpu,
        parse::duration
    ),
    knob!(
        "block",
        "2ms",
        "worker thread put to sleep in block_thread, on each write",
        block,
        parse::duration
    ),
    knob!("lock", "1ms", "one lock for all writes, held that long in hold_lock", lock, parse::duration),
    knob!(
        "slow",
        "10%",
        "CPU time burnt in slow_down, so much of the write's own wall time",
        slow,
        parse::share
    ),
    knob!("heap", "64MiB", "4 KiB objects kept by plant_heap, from the start", heap_bytes, parse::bytes),
    knob!("tasks", "100", "tasks spawned at the start that end with the mount", tasks, parse::count),
    knob!("self-wakes", "100", "times that one task wakes itself, at the start", self_wakes, parse::count),
    knob!(
        "fail-after",
        "100",
        "writes that succeed before all others fail with EIO",
        fail_after,
        parse::count
    ),
    knob!("corrupt", "1", "every Nth read returns one wrong byte", corrupt, parse::positive),
    knob!("crash-after", "100", "writes that succeed before the process aborts", crash_after, parse::count),
    knob!(
        "more-puts",
        "1",
        "PUTs of a file's last chunk more, on each upload to S3",
        more_puts,
        parse::count
    ),
    knob!("log", "30MB/s", "bytes written to standard error, a second", log_bytes_per_s, parse::rate),
    knob!("start-delay", "2s", "wait before mounting", start_delay, parse::duration),
    knob!("never-ready", "never mounts", never_ready),
    knob!("ignore-stop", "goes on at SIGINT and SIGTERM", ignore_stop),
];

/// One `name=value` of `--inject`, checked.
#[derive(Clone)]
pub struct Setting {
    knob: &'static Knob,
    value: String,
}

impl Plan {
    /// Later settings of the same knob win.
    pub fn new(settings: &[Setting]) -> Self {
        let mut plan = Self::default();
        for Setting { knob, value } in settings {
            (knob.set)(&mut plan, value).expect("settings are checked when they are read");
        }
        plan
    }
}

/// Reads `name=value`, or `name` alone for a knob without a value.
pub fn parse_setting(text: &str) -> Result<Setting, String> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let Some(knob) = KNOBS.iter().find(|knob| knob.name == name) else {
        return Err(format!("there is no knob {name:?}; known are\n{}", help()));
    };
    (knob.set)(&mut Plan::default(), value).map_err(|wrong| match knob.example {
        "" => wrong,
        example => format!("{wrong}, for example {name}={example}"),
    })?;
    Ok(Setting { knob, value: value.into() })
}

/// A line for each knob.
pub fn help() -> String {
    let line = |knob: &Knob| {
        let shown = match knob.example {
            "" => knob.name.to_string(),
            example => format!("{}={example}", knob.name),
        };
        format!("  {shown:<20} {}\n", knob.effect)
    };
    KNOBS.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(texts: &[&str]) -> Plan {
        let settings: Vec<_> = texts.iter().map(|text| parse_setting(text).ok().unwrap()).collect();
        Plan::new(&settings)
    }

    #[test]
    fn every_example_is_accepted() {
        for knob in KNOBS {
            let text = format!("{}={}", knob.name, knob.example);
            assert!(parse_setting(text.trim_end_matches('=')).is_ok(), "{text}");
        }
    }

    #[test]
    fn values_carry_their_units() {
        let read = plan(&["extend-wait=4ms", "heap=64MiB", "slow=10%", "log=30MB/s", "never-ready"]);
        assert_eq!(read.extend_wait, Some(Duration::from_millis(4)));
        assert_eq!(read.heap_bytes, Some(64 << 20));
        assert_eq!(read.slow, Some(0.1));
        assert_eq!(read.log_bytes_per_s, Some(30_000_000));
        assert!(read.never_ready);
        assert_eq!(plan(&[]), Plan::default());
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        let unknown = parse_setting("extend-wiat=4ms").err().unwrap();
        assert!(unknown.contains("extend-wiat") && unknown.contains("extend-wait=4ms"));
        let no_unit = parse_setting("extend-wait=4").err().unwrap();
        assert!(no_unit.contains("ms") && no_unit.contains("extend-wait=4ms"));
        for wrong in ["heap", "heap=-1MiB", "corrupt=0", "never-ready=yes", "slow=10", "tasks=1.5"] {
            assert!(parse_setting(wrong).is_err(), "{wrong}");
        }
    }
}
