//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::inject::{self, Plan, Setting};
use crate::meta::{Backend, Servers};

/// A small, honest FUSE filesystem to measure, with knobs that plant a known fault.
#[derive(Parser)]
#[command(name = "demofs", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Mount the filesystem and serve it until it is unmounted, or SIGINT or SIGTERM comes.
    Mount(Mount),
}

#[derive(Args)]
#[command(after_help = format!("Knobs of --inject, with an example value:\n{}", inject::help()))]
pub struct Mount {
    /// Where to mount: an empty directory.
    pub dir: PathBuf,

    /// Where data and metadata are kept; without it, in a temporary folder that is removed
    /// at the end.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Where metadata is kept.
    #[arg(long, value_enum, default_value = "sqlite")]
    pub meta_backend: Backend,

    #[command(flatten)]
    pub meta_servers: Servers,

    /// Keep data in this bucket of S3 (the folder is a cache then), for the account of AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY.
    #[arg(long, value_name = "http://HOST:PORT/BUCKET")]
    pub data_s3: Option<String>,

    /// Let other users in, as root always does; without root, fuse.conf must say user_allow_other.
    #[arg(long)]
    pub allow_other: bool,

    /// Plant known faults, separated by commas (see below).
    #[arg(long, value_name = "KNOB=VALUE", value_delimiter = ',', value_parser = inject::parse_setting)]
    pub inject: Vec<Setting>,
}

impl Mount {
    /// The faults to plant.
    pub fn plan(&self) -> Plan {
        Plan::new(&self.inject)
    }
}
