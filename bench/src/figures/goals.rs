//! Goals, and the verdicts of a measurement on them.

use std::fmt;

use serde::Serialize;

use crate::figures::stats::Summary;

/// The limit of a goal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

impl Limit {
    fn holds(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(limit) => figure >= limit,
            Self::AtMost(limit) => figure <= limit,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(limit) => write!(f, "at least {limit}"),
            Self::AtMost(limit) => write!(f, "at most {limit}"),
        }
    }
}

/// A goal with the figure that was found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verdict {
    /// The figure in words.
    what: String,
    /// The unit of the figure; `×` for ratios.
    unit: &'static str,
    goal: Limit,
    /// The figure over all rounds, or `None` if a server failed.
    found: Option<f64>,
    /// Range of the figure over single rounds.
    rounds: Option<Summary>,
    reached: bool,
    /// Whether all rounds agree.
    certain: bool,
}

impl Verdict {
    /// Judges one figure by the median of its rounds. A goal of zero must hold in every round.
    pub(crate) fn new(
        what: impl Into<String>,
        unit: &'static str,
        goal: Limit,
        rounds: Option<Summary>,
    ) -> Self {
        let is_zero = goal == Limit::AtMost(0.0);
        let found = rounds.map(|rounds| if is_zero { rounds.max } else { rounds.median });
        Self {
            what: what.into(),
            unit,
            goal,
            found,
            rounds,
            reached: found.is_some_and(|found| goal.holds(found)),
            certain: rounds.is_none_or(|rounds| goal.holds(rounds.min) == goal.holds(rounds.max)),
        }
    }

    /// `reached` or `missed`, with a question mark where rounds disagree.
    pub(crate) fn word(&self) -> String {
        let word = match (self.found, self.reached) {
            (None, _) => return "not measured".to_owned(),
            (_, true) => "reached",
            (_, false) => "missed",
        };
        let doubt = if self.certain { "" } else { "?" };
        format!("{word}{doubt}")
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, unit, .. } = self;
        write!(f, "{what}, goal {} {unit}: ", self.goal)?;
        if let Some((found, Summary { min, max, .. })) = self.found.zip(self.rounds) {
            write!(f, "{found:.2} {unit} ({min:.2} to {max:.2}), ")?;
        }
        f.write_str(&self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(rounds: [f64; 2]) -> Verdict {
        Verdict::new("CPU", "×", Limit::AtLeast(3.5), Summary::of(rounds))
    }

    #[test]
    fn a_goal_that_every_round_reaches_is_reached() {
        assert_eq!(verdict([3.6, 4.4]).word(), "reached");
    }

    #[test]
    fn a_goal_that_no_round_reaches_is_missed() {
        assert_eq!(verdict([2.6, 3.4]).word(), "missed");
    }

    #[test]
    fn a_goal_that_only_some_rounds_reach_has_a_question_mark() {
        assert_eq!(verdict([3.0, 4.2]).word(), "reached?");
        assert_eq!(verdict([3.0, 3.8]).word(), "missed?");
    }

    #[test]
    fn a_goal_without_a_figure_is_not_measured() {
        let verdict = Verdict::new("CPU", "×", Limit::AtMost(3.0), None);
        assert_eq!(verdict.to_string(), "CPU, goal at most 3 ×: not measured");
        assert!(!verdict.reached);
    }

    #[test]
    fn a_verdict_shows_figure_range_and_goal() {
        let text = verdict([3.6, 4.4]).to_string();
        let expected = "CPU, goal at least 3.5 ×: 4.00 × (3.60 to 4.40), reached";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_goal_of_zero_is_missed_where_one_round_misses_it() {
        let rounds = Summary::of([0.0, 0.0, 1.0]);
        let verdict = Verdict::new("failures", "requests", Limit::AtMost(0.0), rounds);
        assert_eq!(verdict.word(), "missed?");
    }
}
