//! Medians, ranges, percentiles, and their texts.

use serde::Serialize;

/// Range and median of repeated measurements.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Summary {
    /// Summary of values; `None` without any.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let half = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[half - 1], values[half])
        } else {
            values[half]
        };
        Some(Self { min, median, max })
    }

    /// The range as a share of the median.
    pub(crate) fn spread(&self) -> f64 {
        (self.max - self.min) / self.median
    }
}

/// Slope of the second of each pair over the first, by linear regression; `None` for a single
/// point.
pub(crate) fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let mean = |pick: fn(&(f64, f64)) -> f64| {
        let sum: f64 = points.iter().map(pick).sum();
        Some(sum / f64::from(u32::try_from(points.len()).ok().filter(|&n| n > 0)?))
    };
    let (x, y) = (mean(|point| point.0)?, mean(|point| point.1)?);
    let over = points.iter().map(|point| (point.0 - x) * (point.1 - y));
    let under = points.iter().map(|point| (point.0 - x).powi(2));
    let slope = over.sum::<f64>() / under.sum::<f64>();
    slope.is_finite().then_some(slope)
}

/// A percentile of the values.
pub(crate) fn percentile(values: &mut [f64], percent: usize) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let index = (values.len() * percent).div_ceil(100).checked_sub(1)?;
    values.get(index).copied()
}

/// A figure with three digits, or all digits before the point.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Minimum, median and maximum for a cell.
pub(crate) fn range(summary: Option<Summary>) -> String {
    summary.map_or_else(
        || "-".to_owned(),
        |Summary { min, median, max }| [min, median, max].map(figure).join(" / "),
    )
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn count(items: usize) -> f64 {
    items as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_does_not_depend_on_the_order() {
        let summary = Summary::of([9.0, 1.0, 4.0]).unwrap();
        assert_eq!((summary.min, summary.median, summary.max), (1.0, 4.0, 9.0));
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        assert!((Summary::of([4.0, 1.0, 2.0, 9.0]).unwrap().median - 3.0).abs() < 1e-9);
    }

    #[test]
    fn one_value_is_its_own_summary() {
        let summary = Summary::of([2.5]).unwrap();
        assert_eq!((summary.min, summary.median, summary.max), (2.5, 2.5, 2.5));
        assert!(summary.spread().abs() < 1e-9);
    }

    #[test]
    fn nothing_has_no_summary() {
        assert_eq!(Summary::of([]), None);
    }

    #[test]
    fn the_slope_is_that_of_the_line_between_the_points() {
        let slope = slope(&[(2.0, 10.0), (4.0, 21.0), (6.0, 29.0), (8.0, 40.0)]).unwrap();
        assert!((slope - 4.9).abs() < 1e-9, "{slope}");
    }

    #[test]
    fn one_point_has_no_slope() {
        assert_eq!(slope(&[(2.0, 10.0)]), None);
        assert_eq!(slope(&[]), None);
    }

    #[test]
    fn the_spread_is_relative_to_the_median() {
        assert!((Summary::of([9.0, 10.0, 12.0]).unwrap().spread() - 0.3).abs() < 1e-9);
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let mut times: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut times, 99), Some(198.0));
        assert_eq!(percentile(&mut times, 50), Some(100.0));
        assert_eq!(percentile(&mut [], 99), None);
    }

    #[test]
    fn figures_have_three_digits_or_what_is_before_the_point() {
        let figures = [1234.5, 99.96, 42.04, 9.999, 1.005, 0.0].map(figure);
        assert_eq!(figures, ["1234", "100", "42.0", "10.0", "1.00", "0.00"]);
    }
}
