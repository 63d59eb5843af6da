//! Demo
use clap::Args;
use std::process::ExitCode;
/// Options
#[derive(Debug, Args)]
pub struct DemoOptions {}
/// Run
pub async fn run(_o: DemoOptions) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
