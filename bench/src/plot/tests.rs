use super::*;

fn bars(bars: &[(&str, &[f64])]) -> String {
    let bar = |(label, values): &(&str, &[f64])| Bar {
        label: (*label).to_owned(),
        kind: Kind::Peer,
        summary: Summary::of(values.iter().copied()),
    };
    let plot = Plot::Bars {
        title: "CPU & time",
        unit: "µs",
        bars: bars.iter().map(bar).collect(),
    };
    plot.svg("a machine")
}

/// The path of a line through these points.
fn path(points: &[(f64, Option<f64>)]) -> String {
    let panel = Panel {
        heading: "CPU",
        steps: points.iter().map(|point| point.0).collect(),
        lines: vec![Line {
            label: "native",
            kind: Kind::Native,
            points: points.iter().map(|point| Summary::of(point.1)).collect(),
        }],
    };
    let mut svg = String::new();
    panel.draw(&mut svg, 0.0);
    let (_, path) = svg.split_once(r#"<path class="line native" d=""#).unwrap();
    path.split('"').next().unwrap().to_owned()
}

/// The points of such a path.
fn points(path: &str) -> Vec<(f64, f64)> {
    let points = path.split(['M', 'L']).skip(1);
    points
        .map(|point| {
            let (x, y) = point.split_once(' ').unwrap();
            (x.parse().unwrap(), y.parse().unwrap())
        })
        .collect()
}

#[test]
fn a_plot_has_a_background_and_colours_for_dark_pages() {
    let svg = bars(&[("component-runner", &[40.0, 41.0])]);
    for part in [
        "class=\"page\"",
        "prefers-color-scheme: dark",
        "CPU &amp; time",
        "a machine",
    ] {
        assert!(svg.contains(part), "{part}");
    }
}

#[test]
fn a_bar_is_as_long_as_its_median() {
    let svg = bars(&[("a", &[100.0]), ("b", &[50.0])]);
    let widths: Vec<f64> = svg
        .lines()
        .filter(|line| line.contains("<rect class=\"peer\""))
        .map(|line| line.split('"').nth(7).unwrap().parse().unwrap())
        .collect();
    assert!((widths[0] / widths[1] - 2.0).abs() < 0.01, "{widths:?}");
}

#[test]
fn a_server_that_failed_has_its_name_and_no_bar() {
    let svg = bars(&[("broken", &[])]);
    assert!(svg.contains("broken") && svg.contains("failed"));
    assert!(!svg.contains("<rect class=\"peer\""));
}

#[test]
fn a_line_is_broken_where_the_server_failed() {
    let whole = path(&[(1.0, Some(1.0)), (2.0, Some(2.0)), (3.0, Some(3.0))]);
    assert_eq!(whole.matches('L').count(), 2);
    let broken = path(&[(1.0, Some(1.0)), (2.0, None), (3.0, Some(3.0))]);
    let pens = (broken.matches('M').count(), broken.matches('L').count());
    assert_eq!(pens, (2, 0));
}

#[test]
fn points_are_in_proportion_to_their_figures() {
    let path = path(&[(2.0, Some(2.0)), (3.0, Some(1.0)), (12.0, Some(0.0))]);
    let [first, second, third] = *points(&path) else {
        panic!("{path}");
    };
    assert!(
        (third.0 - second.0 - 9.0 * (second.0 - first.0)).abs() < 1.0,
        "{path}"
    );
    assert!(
        (third.1 - first.1 - 2.0 * (third.1 - second.1)).abs() < 0.3,
        "{path}"
    );
}

#[test]
fn an_axis_starts_at_zero_and_ends_on_a_tick() {
    let labels = |highest: f64| -> Vec<String> {
        let scale = Scale::new(Summary::of([highest]).into_iter(), 0.0, 100.0);
        scale.ticks().map(|(label, _)| label).collect()
    };
    assert_eq!(labels(173.0), ["0", "50", "100", "150", "200"]);
    assert_eq!(labels(25_000.0), ["0", "10k", "20k", "30k"]);
}
