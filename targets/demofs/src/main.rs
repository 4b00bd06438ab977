use std::process::ExitCode;

use clap::Parser;
use demofs::cli::{Cli, Command};
use demofs::mount;

/// Ends by returning, whatever happens: jemalloc writes its last heap profile when the
/// process exits in the ordinary way.
fn main() -> ExitCode {
    let Command::Mount(arguments) = Cli::parse().command;
    match mount::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demofs: {error:#}");
            ExitCode::FAILURE
        }
    }
}
