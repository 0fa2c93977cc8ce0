//! Lines over what was varied, with the range over the rounds.

use std::fmt::Write;

use super::scale::{Scale, tick};
use super::{Kind, WIDTH, count, escape};
use crate::figures::stats::Summary;

/// How high a panel is, with its heading and its axis.
const PANEL: f64 = 240.0;

const LEFT: f64 = 70.0;
const RIGHT: f64 = WIDTH - 40.0;

/// One figure over what was varied.
#[derive(Debug)]
pub(crate) struct Panel {
    /// The figure and its unit.
    pub(crate) heading: String,
    /// Powers of ten, rather than from zero.
    pub(crate) logarithmic: bool,
    /// What was varied, from left to right.
    pub(crate) steps: Vec<String>,
    /// Where the steps stand in proportion to each other; at equal distances where
    /// there are none.
    pub(crate) places: Option<Vec<f64>>,
    pub(crate) lines: Vec<Line>,
}

/// One server.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) kind: Kind,
    /// One for each step; `None` where it failed.
    pub(crate) points: Vec<Option<Summary>>,
}

/// Draws panels from `top` on; returns where they end, too.
pub(super) fn draw(panels: &[Panel], top: f64) -> (String, f64) {
    let mut svg = String::new();
    let mut y = top;
    for panel in panels {
        panel.draw(&mut svg, y);
        y += PANEL;
    }
    (svg, y - 12.0)
}

impl Panel {
    fn draw(&self, svg: &mut String, top: f64) {
        let _ = writeln!(
            svg,
            r#"<text x="20" y="{}">{}</text>"#,
            top + 4.0,
            escape(&self.heading)
        );
        self.legend(svg, top + 4.0);
        let (ceiling, floor) = (top + 20.0, top + PANEL - 50.0);
        let scale = self.scale(floor, ceiling);
        for value in scale.ticks() {
            let (y, label) = (scale.place(value), tick(value));
            let _ = writeln!(
                svg,
                r#"<path class="grid" d="M{LEFT} {y:.1}H{RIGHT}"/>
<text class="axis small end" x="{}" y="{:.1}">{label}</text>"#,
                LEFT - 8.0,
                y + 4.0,
            );
        }
        for (index, step) in self.steps.iter().enumerate() {
            let (x, y) = (self.across(index), floor + 18.0);
            let step = escape(step);
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
            let (label, class) = (escape(&line.label), line.kind.class());
            let _ = writeln!(svg, r#"<text class="end" x="{x}" y="{y}">{label}</text>"#);
            x -= 7.5 * count(line.label.chars().count()) + 12.0;
            let middle = y - 4.5;
            let _ = writeln!(
                svg,
                r#"<circle class="{class}" cx="{x}" cy="{middle}" r="5"/>"#
            );
            x -= 20.0;
        }
    }

    fn line(&self, svg: &mut String, line: &Line, scale: &Scale) {
        let class = line.kind.class();
        let mut path = String::new();
        let mut marks = String::new();
        let mut pen = 'M';
        for (index, point) in line.points.iter().enumerate() {
            let Some(Summary { min, median, max }) = *point else {
                pen = 'M';
                continue;
            };
            let (x, y) = (self.across(index), scale.place(median));
            let (low, high) = (scale.place(min), scale.place(max));
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

    fn scale(&self, floor: f64, ceiling: f64) -> Scale {
        let points = || self.lines.iter().flat_map(|line| &line.points).flatten();
        let highest = points().map(|summary| summary.max).fold(1e-9, f64::max);
        let lowest = points().map(|summary| summary.min).fold(highest, f64::min);
        if self.logarithmic && lowest > 0.0 {
            Scale::logarithmic(lowest, highest, floor, ceiling)
        } else {
            Scale::linear(highest, floor, ceiling)
        }
    }

    /// Where a step is, from left to right.
    fn across(&self, index: usize) -> f64 {
        let share = match self.places.as_deref() {
            Some([first, .., last]) if last > first => {
                let place = self.places.as_ref().and_then(|places| places.get(index));
                (place.unwrap_or(last) - first) / (last - first)
            }
            _ => count(index) / count(self.steps.len().saturating_sub(1).max(1)),
        };
        LEFT + 30.0 + (RIGHT - LEFT - 60.0) * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(points: &[Option<f64>]) -> String {
        panel_at(None, points)
    }

    fn panel_at(places: Option<Vec<f64>>, points: &[Option<f64>]) -> String {
        let points: Vec<_> = points.iter().map(|point| Summary::of(*point)).collect();
        let steps = points.iter().map(|_| "step".to_owned()).collect();
        let line = Line {
            label: "native".to_owned(),
            kind: Kind::Native,
            points,
        };
        let heading = "CPU".to_owned();
        draw(
            &[Panel {
                heading,
                logarithmic: false,
                steps,
                places,
                lines: vec![line],
            }],
            0.0,
        )
        .0
    }

    fn path(svg: &str) -> String {
        let line = svg
            .lines()
            .find(|line| line.contains("class=\"line"))
            .unwrap();
        line.split("d=\"")
            .nth(1)
            .unwrap()
            .trim_end_matches("\"/>")
            .to_owned()
    }

    #[test]
    fn a_line_joins_its_points() {
        assert_eq!(
            path(&panel(&[Some(1.0), Some(2.0), Some(3.0)]))
                .matches('L')
                .count(),
            2
        );
    }

    #[test]
    fn a_line_is_broken_where_the_server_failed() {
        let path = path(&panel(&[Some(1.0), None, Some(3.0)]));
        assert_eq!(
            (path.matches('M').count(), path.matches('L').count()),
            (2, 0)
        );
    }

    #[test]
    fn steps_with_places_stand_in_proportion() {
        let across = |places| -> Vec<f64> {
            path(&panel_at(places, &[Some(1.0); 3]))
                .split(['M', 'L'])
                .skip(1)
                .map(|point| point.split(' ').next().unwrap().parse().unwrap())
                .collect()
        };
        let (even, placed) = (across(None), across(Some(vec![2.0, 3.0, 12.0])));
        assert!(
            (even[1] - even[0] - (even[2] - even[1])).abs() < 0.2,
            "{even:?}"
        );
        let gap = placed[1] - placed[0];
        assert!(
            (placed[2] - placed[1] - 9.0 * gap).abs() < 1.0,
            "{placed:?}"
        );
        assert_eq!((even[0], even[2]), (placed[0], placed[2]));
    }

    #[test]
    fn twice_as_much_is_twice_as_high() {
        let svg = panel(&[Some(2.0), Some(1.0), Some(0.0)]);
        let heights: Vec<f64> = path(&svg)
            .split(['M', 'L'])
            .skip(1)
            .map(|p| p.split(' ').nth(1).unwrap().parse().unwrap())
            .collect();
        let (two, one, zero) = (heights[0], heights[1], heights[2]);
        assert!((zero - two - 2.0 * (zero - one)).abs() < 0.3, "{heights:?}");
    }
}
