use std::process::ExitCode;

use clap::Parser;
use demofs::cli::{Cli, Command};
use demofs::{mount, telemetry};

fn main() -> ExitCode {
    let Command::Mount(arguments) = Cli::parse().command;
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demofs: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Ends by returning, whatever happens: profilers write their files when guards are dropped
/// and when the process exits in the ordinary way.
fn run(arguments: &demofs::cli::Mount) -> anyhow::Result<()> {
    let _profilers = telemetry::init()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(mount::serve(arguments))
}
