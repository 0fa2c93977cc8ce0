//! Plots as SVG, readable on light and on dark pages.
//!
//! - [`bars`]: one bar for each server.
//! - [`lines`]: one line for each server, over what was varied.
//! - this file: what both have in common: the frame, the colours, the scales.

mod bars;
mod lines;
mod scale;

use std::fmt::Write;

pub(crate) use bars::Bar;
pub(crate) use lines::{Line, Panel};

/// The width of every plot.
const WIDTH: f64 = 760.0;

/// What is drawn.
#[derive(Debug)]
pub(crate) enum Plot {
    /// Bars from zero.
    Bars {
        title: String,
        unit: &'static str,
        bars: Vec<Bar>,
    },
    /// Panels with lines, one below the other.
    Panels { title: String, panels: Vec<Panel> },
}

/// Which colour a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    OursFused,
    Peer,
    Native,
}

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::OursFused => "fused",
            Self::Peer => "peer",
            Self::Native => "native",
        }
    }
}

impl Plot {
    /// The whole file; `footer` says where the figures are from.
    pub(crate) fn svg(&self, footer: &str) -> String {
        let (title, (content, height)) = match self {
            Self::Bars { title, unit, bars } => (title, bars::draw(bars, unit, 66.0)),
            Self::Panels { title, panels } => (title, lines::draw(panels, 64.0)),
        };
        frame(title, footer, &content, height)
    }
}

/// The page around a drawing that ends at `height`.
fn frame(title: &str, footer: &str, content: &str, height: f64) -> String {
    let mut svg = String::new();
    let height = height + 40.0;
    let _ = writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">
<title>{title}</title>
<style>
{STYLE}</style>
<rect class="page" width="{WIDTH}" height="{height}" rx="8"/>
<text class="title" x="20" y="34">{title}</text>
{content}<text class="small" x="20" y="{}">{footer}</text>
</svg>"#,
        height - 16.0,
        title = escape(title),
        footer = escape(footer),
    );
    svg
}

/// The page brings its own background, so that it reads well wherever it is put.
const STYLE: &str = "\
text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328; }
.title { font-size: 16px; font-weight: 600; }
.small { font-size: 11px; }
.small, .axis { fill: #59636e; }
.end { text-anchor: end; }
.middle { text-anchor: middle; }
.page { fill: #ffffff; stroke: #d1d9e0; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.range { stroke: #1f2328; stroke-width: 1.5; }
.line { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
.ours { fill: #0969da; } .line.ours { fill: none; stroke: #0969da; }
.fused { fill: #8250df; } .line.fused { fill: none; stroke: #8250df; }
.peer { fill: #afb8c1; } .line.peer { fill: none; stroke: #afb8c1; }
.native { fill: #2da44e; } .line.native { fill: none; stroke: #2da44e; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .small, .axis { fill: #9198a1; }
  .page { fill: #0d1117; stroke: #3d444d; }
  .grid { stroke: #30363d; }
  .range { stroke: #f0f6fc; }
  .ours { fill: #4493f8; } .line.ours { fill: none; stroke: #4493f8; }
  .fused { fill: #a371f7; } .line.fused { fill: none; stroke: #a371f7; }
  .peer { fill: #6e7681; } .line.peer { fill: none; stroke: #6e7681; }
  .native { fill: #3fb950; } .line.native { fill: none; stroke: #3fb950; }
}
";

/// A number of things, for arithmetic with places on the page.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn count(things: usize) -> f64 {
    things as f64
}

/// Text between tags.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::stats::Summary;

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("a < b & c > d"), "a &lt; b &amp; c &gt; d");
    }

    #[test]
    fn a_plot_has_a_background_and_colours_for_dark_pages() {
        let bar = Bar {
            label: "component-runner".to_owned(),
            kind: Kind::Ours,
            summary: Summary::of([40.0, 41.0]),
        };
        let title = "CPU & time".to_owned();
        let svg = Plot::Bars {
            title,
            unit: "µs",
            bars: vec![bar],
        }
        .svg("a machine");
        for part in [
            "class=\"page\"",
            "prefers-color-scheme: dark",
            "CPU &amp; time",
            "a machine",
        ] {
            assert!(svg.contains(part), "{part}");
        }
    }
}
