//! Plots as SVG, readable on light and on dark pages: bars, and lines over a number.

use std::fmt::Write;

use crate::figures::stats::Summary;
use crate::report::table::figure;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = WIDTH - 40.0;

/// Height of a bar with the space below it, and of a panel with its heading and axis.
const BAR: f64 = 32.0;
const PANEL: f64 = 240.0;

/// What is drawn.
#[derive(Debug)]
pub(crate) enum Plot {
    Bars {
        title: &'static str,
        unit: &'static str,
        bars: Vec<Bar>,
    },
    /// Panels below each other.
    Panels {
        title: &'static str,
        panels: Vec<Panel>,
    },
}

/// The bar of one server.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) kind: Kind,
    /// `None` if the server failed.
    pub(crate) summary: Option<Summary>,
}

/// One figure over the number that was varied.
#[derive(Debug)]
pub(crate) struct Panel {
    /// The figure and its unit.
    pub(crate) heading: &'static str,
    pub(crate) steps: Vec<f64>,
    pub(crate) lines: Vec<Line>,
}

/// The line of one server.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) label: &'static str,
    pub(crate) kind: Kind,
    /// One for each step; `None` where the server failed.
    pub(crate) points: Vec<Option<Summary>>,
}

/// The colour of a server.
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
    /// The whole file; `footer` names the machine and the date.
    pub(crate) fn svg(&self, footer: &str) -> String {
        let mut content = String::new();
        let (title, height) = match self {
            Self::Bars { title, unit, bars } => (title, draw_bars(&mut content, bars, unit, 66.0)),
            Self::Panels { title, panels } => {
                let mut top = 64.0;
                for panel in panels {
                    panel.draw(&mut content, top);
                    top += PANEL;
                }
                (title, top - 12.0)
            }
        };
        let height = height + 40.0;
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">
<title>{title}</title>
<style>
{STYLE}</style>
<rect class="page" width="{WIDTH}" height="{height}" rx="8"/>
<text class="title" x="20" y="34">{title}</text>
{content}<text class="small" x="20" y="{}">{footer}</text>
</svg>
"#,
            height - 16.0,
            title = escape(title),
            footer = escape(footer),
        )
    }
}

/// Draws bars from `top` on, and returns where they end.
fn draw_bars(svg: &mut String, bars: &[Bar], unit: &str, top: f64) -> f64 {
    let longest = bars.iter().map(|bar| bar.label.chars().count()).max();
    let left = 36.0 + 7.0 * count(longest.unwrap_or_default());
    let scale = Scale::new(
        bars.iter().filter_map(|bar| bar.summary),
        left,
        WIDTH - 90.0,
    );
    let bottom = top + BAR * count(bars.len());
    for (value, x) in scale.ticks() {
        let _ = writeln!(
            svg,
            r#"<path class="grid" d="M{x:.1} {top}V{bottom}"/>
<text class="axis small middle" x="{x:.1}" y="{}">{value}</text>"#,
            bottom + 16.0
        );
    }
    let (y, unit) = (top - 8.0, escape(unit));
    let _ = writeln!(
        svg,
        r#"<text class="axis small" x="20" y="{y}">{unit}</text>"#
    );
    for (index, bar) in bars.iter().enumerate() {
        let y = top + BAR * count(index);
        let (class, middle, base) = (bar.kind.class(), y + BAR / 2.0, y + BAR / 2.0 + 4.5);
        let label = escape(&bar.label);
        let _ = writeln!(svg, r#"<text x="20" y="{base}">{label}</text>"#);
        let Some(Summary { min, median, max }) = bar.summary else {
            let x = left + 8.0;
            let _ = writeln!(
                svg,
                r#"<text class="axis" x="{x}" y="{base}">failed</text>"#
            );
            continue;
        };
        let [low, end, high] = [min, median, max].map(|value| scale.place(value));
        let _ = writeln!(
            svg,
            r#"<rect class="{class}" x="{left}" y="{}" width="{:.1}" height="{}" rx="2"/>
<path class="range" d="M{low:.1} {middle}H{high:.1}"/>
<text x="{:.1}" y="{base}">{}</text>"#,
            y + 6.0,
            end - left,
            BAR - 12.0,
            high.max(end) + 8.0,
            figure(median),
        );
    }
    bottom + 24.0
}

impl Panel {
    fn draw(&self, svg: &mut String, top: f64) {
        let (ceiling, floor) = (top + 20.0, top + PANEL - 50.0);
        let (heading, heading_y) = (escape(self.heading), top + 4.0);
        let _ = writeln!(svg, r#"<text x="20" y="{heading_y}">{heading}</text>"#);
        self.legend(svg, heading_y);
        let points = self.lines.iter().flat_map(|line| &line.points).flatten();
        let scale = Scale::new(points.copied(), floor, ceiling);
        for (value, y) in scale.ticks() {
            let (x, base) = (LEFT - 8.0, y + 4.0);
            let _ = writeln!(
                svg,
                r#"<path class="grid" d="M{LEFT} {y:.1}H{RIGHT}"/>
<text class="axis small end" x="{x}" y="{base:.1}">{value}</text>"#
            );
        }
        for &step in &self.steps {
            let (x, y) = (self.across(step), floor + 18.0);
            let _ = writeln!(
                svg,
                r#"<text class="axis small middle" x="{x:.1}" y="{y}">{step}</text>"#
            );
        }
        for line in &self.lines {
            self.line(svg, line, &scale);
        }
    }

    fn legend(&self, svg: &mut String, y: f64) {
        let mut x = RIGHT;
        for line in self.lines.iter().rev() {
            let (label, class) = (escape(line.label), line.kind.class());
            let circle = x - 7.5 * count(line.label.chars().count()) - 12.0;
            let _ = writeln!(
                svg,
                r#"<text class="end" x="{x}" y="{y}">{label}</text>
<circle class="{class}" cx="{circle}" cy="{}" r="5"/>"#,
                y - 4.5
            );
            x = circle - 20.0;
        }
    }

    fn line(&self, svg: &mut String, line: &Line, scale: &Scale) {
        let class = line.kind.class();
        let (mut path, mut marks, mut pen) = (String::new(), String::new(), 'M');
        for (&step, point) in self.steps.iter().zip(&line.points) {
            let Some(Summary { min, median, max }) = *point else {
                pen = 'M';
                continue;
            };
            let x = self.across(step);
            let [low, y, high] = [min, median, max].map(|value| scale.place(value));
            let _ = write!(path, "{pen}{x:.1} {y:.1}");
            let _ = writeln!(
                marks,
                r#"<path class="range" d="M{x:.1} {low:.1}V{high:.1}"/>
<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="4"/>"#
            );
            pen = 'L';
        }
        let _ = writeln!(svg, r#"<path class="line {class}" d="{path}"/>"#);
        svg.push_str(&marks);
    }

    /// Position of a step, in proportion to the first and the last one.
    fn across(&self, step: f64) -> f64 {
        let (first, last) = (self.steps[0], self.steps[self.steps.len() - 1]);
        LEFT + 30.0 + (RIGHT - LEFT - 60.0) * (step - first) / (last - first)
    }
}

/// A linear axis from zero to a little more than the highest figure.
struct Scale {
    from: f64,
    to: f64,
    step: f64,
    high: f64,
}

impl Scale {
    fn new(summaries: impl Iterator<Item = Summary>, from: f64, to: f64) -> Self {
        let highest = summaries.map(|summary| summary.max).fold(1e-9, f64::max);
        // One, two or five times a power of ten, for two to six steps.
        let power = 10_f64.powf(highest.log10().floor());
        let step = match highest / power {
            share if share > 5.0 => 2.0 * power,
            share if share > 2.0 => power,
            _ => power / 2.0,
        };
        let high = (highest / step).ceil().max(1.0) * step;
        Self {
            from,
            to,
            step,
            high,
        }
    }

    /// Position of a figure.
    fn place(&self, figure: f64) -> f64 {
        self.from + figure / self.high * (self.to - self.from)
    }

    /// Labels of the axis, and their positions.
    fn ticks(&self) -> impl Iterator<Item = (String, f64)> {
        let label = |value: f64| match value {
            value if value >= 1e4 => format!("{}k", value / 1e3),
            value => format!("{}", (value * 1e6).round() / 1e6),
        };
        (0_u8..)
            .map(|index| f64::from(index) * self.step)
            .take_while(|value| *value <= self.high + self.step / 1e3)
            .map(move |value| (label(value), self.place(value)))
    }
}

/// The page has its own background, so that it is readable on any other.
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

/// A count as a coordinate.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn count(items: usize) -> f64 {
    items as f64
}

/// Text between tags.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
