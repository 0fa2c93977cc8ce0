//! Number and length of turns.

use std::path::PathBuf;

use crate::cli::Cli;
use crate::series::Series;
use crate::servers::programs::{scratch, workspace};

/// Number and length of the turns of a server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Turns {
    pub(crate) rounds: u32,
    /// Without warm-up.
    pub(crate) seconds: u32,
}

/// Settings from the flags.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Turns of the main series, where small differences matter.
    pub(crate) main: Turns,
    /// Turns of the other series.
    pub(crate) others: Turns,
    /// Number of starts in the series `start`.
    pub(crate) starts: u32,
    /// Folder of the results.
    pub(crate) results: PathBuf,
}

impl From<&Cli> for Settings {
    fn from(cli: &Cli) -> Self {
        // Rough figures do not replace precise ones.
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
    /// The turns of a series.
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
    fn the_main_series_has_more_and_longer_turns() {
        let settings = settings(&[]);
        let (main, other) = (settings.turns(Series::Main), settings.turns(Series::Echo));
        assert!(main.rounds > other.rounds && main.seconds > other.seconds);
    }

    #[test]
    fn rounds_applies_to_every_series() {
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
