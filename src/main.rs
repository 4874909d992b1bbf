//! The `headwater` program.

fn main() -> anyhow::Result<()> {
    headwater::cli::run()
}
