//! The command line of `bench`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, ValueEnum};

use crate::series::Series;

/// Measures the cost of a request to component-runner, `wasmtime serve` and a native server.
#[derive(Debug, Parser)]
#[command(name = "bench", long_about = None)]
pub(crate) struct Cli {
    /// Series to measure, separated by commas
    #[arg(long, value_delimiter = ',', default_value = ALL, value_parser = choice())]
    series: Vec<Choice>,

    /// Number of turns of every server [default: 5 in the main series, 3 in the others; with
    /// --quick, 2 and 1]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: Option<u32>,

    /// Length of a turn, after a second of warm-up [default: 3 in the main series, 2 in the others;
    /// with --quick, 1]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seconds: Option<u32>,

    /// Fewer and shorter turns: about a minute for the main series
    #[arg(long)]
    pub(crate) quick: bool,

    /// Folder of the results [default: bench/results; with --quick, target/benchmark]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) results: Option<PathBuf>,

    /// Search the best flags of `wasmtime serve` instead of measuring, and print them
    #[arg(long, conflicts_with = "series")]
    pub(crate) search: bool,
}

/// The word for every series.
const ALL: &str = "all";

/// The series of one word of `--series`.
#[derive(Debug, Clone)]
struct Choice(Vec<Series>);

fn choice() -> impl TypedValueParser<Value = Choice> {
    let series = Series::value_variants();
    let names = series.iter().filter_map(Series::to_possible_value);
    PossibleValuesParser::new(names.chain([ALL.into()])).map(|word| {
        let one = Series::from_str(&word, false);
        Choice(one.map_or_else(|_| series.to_vec(), |one| vec![one]))
    })
}

impl Cli {
    /// The series to measure, without duplicates.
    pub(crate) fn series(&self) -> Vec<Series> {
        let mut series = Vec::new();
        for &one in self.series.iter().flat_map(|Choice(series)| series) {
            if !series.contains(&one) {
                series.push(one);
            }
        }
        series
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(flags: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(["bench"].iter().chain(flags))
    }

    #[test]
    fn series_defaults_to_all() {
        let all = parse(&[]).unwrap().series();
        assert_eq!(all, Series::value_variants());
        assert_eq!(parse(&["--series", "all"]).unwrap().series(), all);
    }

    #[test]
    fn a_duplicate_series_is_measured_once() {
        let cli = parse(&["--series", "start,all,start"]).unwrap();
        assert_eq!(cli.series().len(), Series::value_variants().len());
        assert_eq!(cli.series()[0], Series::Start);
    }

    #[test]
    fn series_are_separated_by_commas() {
        let cli = parse(&["--series", "main,start"]).unwrap();
        assert_eq!(cli.series(), [Series::Main, Series::Start]);
    }

    #[test]
    fn an_unknown_series_is_an_error_with_the_known_ones() {
        let error = parse(&["--series", "speed"]).unwrap_err().to_string();
        assert!(
            error.contains("speed") && error.contains("contention"),
            "{error}"
        );
    }

    #[test]
    fn rounds_0_is_an_error() {
        assert!(parse(&["--rounds", "0"]).is_err());
    }
}
