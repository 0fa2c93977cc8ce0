//! The command line of `bench`.

use std::path::PathBuf;

use clap::Parser;
use clap::builder::PossibleValuesParser;

use crate::measure::Rounds;
use crate::programs::{scratch, workspace};
use crate::series;

/// The word for every series.
const ALL: &str = "all";

/// Measures the cost of a request to component-runner, `wasmtime serve` and a native server.
#[derive(Debug, Parser)]
#[command(name = "bench", long_about = None)]
pub(crate) struct Cli {
    /// Series to measure, separated by commas
    #[arg(long, value_delimiter = ',', default_value = ALL, value_parser = known())]
    series: Vec<String>,

    /// Number of turns of every server [default: 5 in the main series, 3 in the others; with
    /// --quick, 2 and 1]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,

    /// Length of a turn, after a second of warm-up [default: 3 in the main series, 2 in the others;
    /// with --quick, 1]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    seconds: Option<u32>,

    /// Fewer and shorter turns: about a minute for the main series
    #[arg(long)]
    quick: bool,

    /// Folder of the results [default: bench/results; with --quick, target/benchmark]
    #[arg(long, value_name = "FOLDER")]
    results: Option<PathBuf>,

    /// Search the best flags of `wasmtime serve` instead of measuring, and print them
    #[arg(long, conflicts_with = "series")]
    pub(crate) search: bool,
}

fn known() -> PossibleValuesParser {
    PossibleValuesParser::new([series::names(), vec![ALL]].concat())
}

impl Cli {
    /// The series to measure, without duplicates.
    pub(crate) fn series(&self) -> Vec<&'static str> {
        let mut chosen = Vec::new();
        for word in &self.series {
            for name in series::names() {
                if (name == word || word == ALL) && !chosen.contains(&name) {
                    chosen.push(name);
                }
            }
        }
        chosen
    }

    /// Number and length of the turns of a series. The main series has more and longer ones: small
    /// differences matter there.
    pub(crate) fn turns(&self, series: &str) -> Rounds {
        let (rounds, seconds) = match (series == series::MAIN, self.quick) {
            (true, false) => (5, 3),
            (true, true) => (2, 1),
            (false, false) => (3, 2),
            (false, true) => (1, 1),
        };
        Rounds {
            rounds: self.rounds.unwrap_or(rounds),
            seconds: self.seconds.unwrap_or(seconds),
        }
    }

    /// The folder of the results. Rough figures do not replace precise ones.
    pub(crate) fn results(&self) -> PathBuf {
        let default = || {
            if self.quick {
                scratch()
            } else {
                workspace().join("bench/results")
            }
        };
        self.results.clone().unwrap_or_else(default)
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
        assert_eq!(all, series::names());
        assert_eq!(parse(&["--series", "all"]).unwrap().series(), all);
    }

    #[test]
    fn a_duplicate_series_is_measured_once() {
        let cli = parse(&["--series", "audit,all,audit"]).unwrap();
        assert_eq!(cli.series().len(), series::names().len());
        assert_eq!(cli.series()[0], "audit");
    }

    #[test]
    fn series_are_separated_by_commas() {
        let cli = parse(&["--series", "main,audit"]).unwrap();
        assert_eq!(cli.series(), ["main", "audit"]);
    }

    #[test]
    fn an_unknown_series_is_an_error_with_the_known_ones() {
        let error = parse(&["--series", "speed"]).unwrap_err().to_string();
        let is_complete = error.contains("speed") && error.contains("contention");
        assert!(is_complete, "{error}");
    }

    #[test]
    fn rounds_0_is_an_error() {
        assert!(parse(&["--rounds", "0"]).is_err());
    }

    #[test]
    fn the_main_series_has_more_and_longer_turns() {
        let cli = parse(&[]).unwrap();
        let (main, other) = (cli.turns("main"), cli.turns("echo"));
        assert!(main.rounds > other.rounds && main.seconds > other.seconds);
    }

    #[test]
    fn rounds_applies_to_every_series() {
        let cli = parse(&["--quick", "--rounds", "7"]).unwrap();
        for series in ["main", "echo"] {
            let expected = Rounds {
                rounds: 7,
                seconds: 1,
            };
            assert_eq!(cli.turns(series), expected);
        }
    }
}
