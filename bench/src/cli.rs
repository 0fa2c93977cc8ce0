//! The command line of `bench`.

use std::path::PathBuf;

use clap::Parser;

use crate::series::Series;

/// Measures what a request costs component-runner, `wasmtime serve` and a native
/// server.
#[derive(Debug, Parser)]
#[command(name = "bench", long_about = None)]
pub(crate) struct Cli {
    /// What to measure, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_value = "main")]
    pub(crate) series: Vec<Series>,

    /// How often every server takes its turn [default: 5; with --quick, 2]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: Option<u32>,

    /// How long one turn lasts, after a second to warm up [default: 3; with --quick, 1]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seconds: Option<u32>,

    /// Short and rough: less than a minute for the main series
    #[arg(long)]
    pub(crate) quick: bool,

    /// The folder for tables, figures and plots [default: bench/results; with
    /// --quick, target/benchmark]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) results: Option<PathBuf>,

    /// Measure no series: search the pooling flags of `wasmtime serve` again, and
    /// print the best
    #[arg(long, conflicts_with = "series")]
    pub(crate) search: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(flags: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(["bench"].iter().chain(flags))
    }

    #[test]
    fn the_main_series_is_measured_when_none_is_named() {
        assert_eq!(parse(&[]).unwrap().series, [Series::Main]);
    }

    #[test]
    fn several_series_are_separated_by_commas() {
        let cli = parse(&["--series", "main,start"]).unwrap();
        assert_eq!(cli.series, [Series::Main, Series::Start]);
    }

    #[test]
    fn an_unknown_series_is_an_error_that_lists_the_known_ones() {
        let error = parse(&["--series", "speed"]).unwrap_err().to_string();
        assert!(
            error.contains("speed") && error.contains("connections"),
            "{error}"
        );
    }

    #[test]
    fn no_rounds_at_all_are_an_error() {
        assert!(parse(&["--rounds", "0"]).is_err());
    }
}
