//! Plots of bars as SVG, readable on light and on dark pages.
//!
//! `plotters` is not used: its SVG has colours as attributes and not in a style sheet, which dark
//! pages need.

use std::fmt::Write;

use crate::figures::stats::{Summary, count, figure};

const WIDTH: f64 = 760.0;
/// Right end of the bars.
const RIGHT: f64 = WIDTH - 90.0;
/// Height of a bar with the space below it.
const BAR: f64 = 24.0;

/// A picture: groups of bars below each other.
#[derive(Debug)]
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    pub(crate) groups: Vec<Group>,
}

/// Bars with a common axis.
#[derive(Debug)]
pub(crate) struct Group {
    /// The figure and its unit.
    pub(crate) heading: &'static str,
    pub(crate) bars: Vec<Bar>,
}

/// The bar of one server: its label, its colour, and its figure; `None` if the server failed.
pub(crate) type Bar = (String, Kind, Option<Summary>);

/// The colour of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    OursFused,
    Peer,
    Native,
}

impl Plot {
    /// The whole file; `footer` names the machine and the date.
    pub(crate) fn svg(&self, footer: &str) -> String {
        let (mut content, mut top) = (String::new(), 74.0);
        for group in &self.groups {
            top = group.draw(&mut content, top) + 60.0;
        }
        let (title, footer) = (escape(self.title), escape(footer));
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}" role="img">
<title>{title}</title>
<style>
{STYLE}</style>
<rect class="page" width="{WIDTH}" height="{top}" rx="8"/>
<text class="title" x="20" y="34">{title}</text>
{content}<text class="small" x="20" y="{}">{footer}</text>
</svg>
"#,
            top - 16.0,
        )
    }
}

impl Group {
    /// Draws the bars from `top` on, and returns where they end.
    fn draw(&self, svg: &mut String, top: f64) -> f64 {
        let longest = self.bars.iter().map(|bar| bar.0.chars().count()).max();
        let left = 36.0 + 7.0 * count(longest.unwrap_or_default());
        let highest = self.bars.iter().filter_map(|bar| Some(bar.2?.max));
        let (step, high) = axis(highest.fold(1e-9, f64::max));
        let place = |value: f64| left + value / high * (RIGHT - left);
        let bottom = top + BAR * count(self.bars.len());
        let (y, heading) = (top - 10.0, escape(self.heading));
        let _ = writeln!(
            svg,
            r#"<text class="small" x="20" y="{y}">{heading}</text>"#
        );
        for tick in (0_u8..).map(|index| f64::from(index) * step) {
            if tick > high + step / 1e3 {
                break;
            }
            let (x, y, label) = (place(tick), bottom + 16.0, (tick * 1e6).round() / 1e6);
            let _ = writeln!(
                svg,
                r#"<path class="grid" d="M{x:.1} {top}V{bottom}"/>
<text class="small middle" x="{x:.1}" y="{y}">{label}</text>"#
            );
        }
        for (index, (label, kind, summary)) in self.bars.iter().enumerate() {
            let y = top + BAR * count(index);
            let (middle, base, label) = (y + BAR / 2.0, y + BAR / 2.0 + 4.5, escape(label));
            let _ = writeln!(svg, r#"<text x="20" y="{base}">{label}</text>"#);
            let Some(Summary { min, median, max }) = summary else {
                let _ = writeln!(svg, r#"<text x="{}" y="{base}">failed</text>"#, left + 8.0);
                continue;
            };
            let [low, end, high] = [*min, *median, *max].map(place);
            let (kind, width, height) = (format!("{kind:?}"), end - left, BAR - 8.0);
            let _ = writeln!(
                svg,
                r#"<rect class="{kind}" x="{left}" y="{}" width="{width:.1}" height="{height}" rx="2"/>
<path class="range" d="M{low:.1} {middle}H{high:.1}"/>
<text x="{:.1}" y="{base}">{}</text>"#,
                y + 4.0,
                high.max(end) + 8.0,
                figure(*median),
            );
        }
        bottom
    }
}

/// The distance of the ticks of a linear axis from zero, and its end: the first tick from `highest`
/// on.
fn axis(highest: f64) -> (f64, f64) {
    // One, two or five times a power of ten, for two to six steps.
    let power = 10_f64.powf(highest.log10().floor());
    let step = match highest / power {
        share if share > 5.0 => 2.0 * power,
        share if share > 2.0 => power,
        _ => power / 2.0,
    };
    (step, (highest / step).ceil().max(1.0) * step)
}

/// The page has its own background, so that it is readable on any other.
const STYLE: &str = "\
text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328; }
.title { font-size: 16px; font-weight: 600; }
.small { font-size: 11px; fill: #59636e; }
.middle { text-anchor: middle; }
.page { fill: #ffffff; stroke: #d1d9e0; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.range { stroke: #1f2328; stroke-width: 1.5; }
.Ours { fill: #0969da; } .OursFused { fill: #8250df; }
.Peer { fill: #afb8c1; } .Native { fill: #2da44e; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .small { fill: #9198a1; }
  .page { fill: #0d1117; stroke: #3d444d; }
  .grid { stroke: #30363d; }
  .range { stroke: #f0f6fc; }
  .Ours { fill: #4493f8; } .OursFused { fill: #a371f7; }
  .Peer { fill: #6e7681; } .Native { fill: #3fb950; }
}
";

/// Text between tags.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(bars: &[(&str, &[f64])]) -> String {
        let bar = |(label, values): &(&str, &[f64])| {
            let summary = Summary::of(values.iter().copied());
            ((*label).to_owned(), Kind::Peer, summary)
        };
        let group = Group {
            heading: "µs",
            bars: bars.iter().map(bar).collect(),
        };
        let plot = Plot {
            title: "CPU & time",
            groups: vec![group],
        };
        plot.svg("a machine")
    }

    #[test]
    fn a_plot_has_a_background_and_colours_for_dark_pages() {
        let svg = bars(&[("component-runner", &[40.0, 41.0])]);
        let parts = [
            "class=\"page\"",
            "scheme: dark",
            "CPU &amp; time",
            "a machine",
        ];
        assert!(parts.iter().all(|part| svg.contains(part)), "{svg}");
    }

    #[test]
    fn a_bar_is_as_long_as_its_median() {
        let svg = bars(&[("a", &[100.0]), ("b", &[50.0])]);
        let bars = svg
            .lines()
            .filter(|line| line.contains("<rect class=\"Peer\""));
        let width = |line: &str| line.split('"').nth(7).unwrap().parse::<f64>().unwrap();
        let widths: Vec<f64> = bars.map(width).collect();
        assert!((widths[0] / widths[1] - 2.0).abs() < 0.01, "{widths:?}");
    }

    #[test]
    fn a_server_that_failed_has_its_name_and_no_bar() {
        let svg = bars(&[("broken", &[])]);
        assert!(svg.contains("broken") && svg.contains("failed"));
        assert!(!svg.contains("<rect class=\"Peer\""));
    }

    #[test]
    fn an_axis_ends_on_a_tick() {
        assert_eq!(axis(173.0), (50.0, 200.0));
        assert_eq!(axis(25_000.0), (10_000.0, 30_000.0));
    }

    #[test]
    fn ticks_have_no_needless_digits() {
        // 3 × 0.1 is a little more than 0.3.
        assert!(bars(&[("a", &[0.3])]).contains(">0.3</text>"));
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("a < b & c"), "a &lt; b &amp; c");
    }
}
