//! How long and how often is measured.

use std::path::PathBuf;

use crate::cli::Cli;
use crate::series::Series;
use crate::servers::programs::{scratch, workspace};

/// How often every server takes its turn, and how long one lasts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Turns {
    pub(crate) rounds: u32,
    /// Without warming up.
    pub(crate) seconds: u32,
}

/// What the flags come to.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The turns of the main series, where small differences matter.
    pub(crate) main: Turns,
    /// The turns of every other series.
    pub(crate) others: Turns,
    /// How often a server is started to see how long that takes.
    pub(crate) starts: u32,
    /// The folder for tables, figures and plots.
    pub(crate) results: PathBuf,
}

impl From<&Cli> for Settings {
    fn from(cli: &Cli) -> Self {
        // Rough figures do not belong where good ones may be.
        let (main, others, starts, results) = if cli.quick {
            ((2, 1), (1, 1), 5, scratch())
        } else {
            ((5, 3), (3, 2), 20, workspace().join("bench/results"))
        };
        let turns = |(rounds, seconds)| Turns {
            rounds: cli.rounds.unwrap_or(rounds),
            seconds: cli.seconds.unwrap_or(seconds),
        };
        Self {
            main: turns(main),
            others: turns(others),
            starts,
            results: cli.results.clone().unwrap_or(results),
        }
    }
}

impl Settings {
    /// How a series is measured.
    pub(crate) fn turns(&self, series: Series) -> Turns {
        match series {
            Series::Main => self.main,
            _ => self.others,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn settings(flags: &[&str]) -> Settings {
        let cli = Cli::try_parse_from(["bench"].iter().chain(flags)).unwrap();
        Settings::from(&cli)
    }

    #[test]
    fn the_main_series_takes_longer_than_the_others() {
        let settings = settings(&[]);
        let (main, other) = (settings.turns(Series::Main), settings.turns(Series::Echo));
        assert!(main.rounds > other.rounds && main.seconds > other.seconds);
    }

    #[test]
    fn a_flag_holds_for_every_series() {
        let settings = settings(&["--quick", "--rounds", "7"]);
        for series in [Series::Main, Series::Echo] {
            let expected = Turns {
                rounds: 7,
                seconds: 1,
            };
            assert_eq!(settings.turns(series), expected);
        }
    }
}
