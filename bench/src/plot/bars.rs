//! Horizontal bars, with the range over the rounds.

use std::fmt::Write;

use super::scale::{Scale, tick};
use super::{Kind, WIDTH, count, escape};
use crate::figures::stats::Summary;
use crate::report::table::figure;

/// How high a bar is, with the space below it.
const ROW: f64 = 32.0;

/// One server.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) kind: Kind,
    /// `None` if it failed.
    pub(crate) summary: Option<Summary>,
}

/// Draws bars from `top` on; returns where they end, too.
pub(super) fn draw(bars: &[Bar], unit: &str, top: f64) -> (String, f64) {
    let longest = bars.iter().map(|bar| bar.label.chars().count()).max();
    let left = 36.0 + 7.0 * count(longest.unwrap_or_default());
    let highest = bars
        .iter()
        .filter_map(|bar| bar.summary)
        .map(|summary| summary.max);
    let scale = Scale::linear(highest.fold(1e-9, f64::max), left, WIDTH - 90.0);
    let bottom = top + ROW * count(bars.len());

    let mut svg = String::new();
    for value in scale.ticks() {
        let x = scale.place(value);
        let _ = writeln!(svg, r#"<path class="grid" d="M{x:.1} {top}V{bottom}"/>"#);
        let (label, y) = (tick(value), bottom + 16.0);
        let _ = writeln!(
            svg,
            r#"<text class="axis small middle" x="{x:.1}" y="{y}">{label}</text>"#
        );
    }
    let y = top - 8.0;
    let _ = writeln!(
        svg,
        r#"<text class="axis small" x="20" y="{y}">{}</text>"#,
        escape(unit)
    );
    let mut y = top;
    for Bar {
        label,
        kind,
        summary,
    } in bars
    {
        let (class, middle, base) = (kind.class(), y + ROW / 2.0, y + ROW / 2.0 + 4.5);
        let _ = writeln!(svg, r#"<text x="20" y="{base}">{}</text>"#, escape(label));
        if let Some(Summary { min, median, max }) = *summary {
            let (low, end, high) = (scale.place(min), scale.place(median), scale.place(max));
            let _ = writeln!(
                svg,
                r#"<rect class="{class}" x="{left}" y="{}" width="{:.1}" height="{}" rx="2"/>
<path class="range" d="M{low:.1} {middle}H{high:.1}"/>
<text x="{:.1}" y="{base}">{}</text>"#,
                y + 6.0,
                end - left,
                ROW - 12.0,
                high.max(end) + 8.0,
                figure(median),
            );
        } else {
            let x = left + 8.0;
            let _ = writeln!(
                svg,
                r#"<text class="axis" x="{x}" y="{base}">failed</text>"#
            );
        }
        y += ROW;
    }
    (svg, bottom + 24.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(label: &str, values: &[f64]) -> Bar {
        let summary = Summary::of(values.iter().copied());
        Bar {
            label: label.to_owned(),
            kind: Kind::Peer,
            summary,
        }
    }

    #[test]
    fn a_bar_is_as_long_as_its_median() {
        let (svg, _) = draw(&[bar("a", &[100.0]), bar("b", &[50.0])], "µs", 0.0);
        let width = |line: &str| -> f64 {
            line.split("width=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
                .parse()
                .unwrap()
        };
        let widths: Vec<_> = svg
            .lines()
            .filter(|l| l.contains("<rect"))
            .map(width)
            .collect();
        assert!((widths[0] / widths[1] - 2.0).abs() < 0.01, "{widths:?}");
    }

    #[test]
    fn a_server_that_failed_has_its_name_and_no_bar() {
        let (svg, _) = draw(&[bar("broken", &[])], "µs", 0.0);
        assert!(svg.contains("broken") && svg.contains("failed") && !svg.contains("<rect"));
    }
}
