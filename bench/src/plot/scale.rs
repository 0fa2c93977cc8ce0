//! From figures to places on the page.

/// An axis from a figure to a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// Where the axis begins and ends on the page.
    pub(super) from: f64,
    pub(super) to: f64,
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Scale {
    /// An axis from zero to a little more than `highest`.
    pub(super) fn linear(highest: f64, from: f64, to: f64) -> Self {
        let step = step(highest);
        let high = (highest / step).ceil().max(1.0) * step;
        Self {
            from,
            to,
            low: 0.0,
            high,
            logarithmic: false,
        }
    }

    /// An axis by powers of ten that holds both figures.
    pub(super) fn logarithmic(lowest: f64, highest: f64, from: f64, to: f64) -> Self {
        let low = lowest.log10().floor();
        let high = highest.log10().ceil().max(low + 1.0);
        Self {
            from,
            to,
            low,
            high,
            logarithmic: true,
        }
    }

    /// Where a figure is.
    pub(super) fn place(&self, figure: f64) -> f64 {
        let figure = if self.logarithmic {
            figure.log10()
        } else {
            figure
        };
        self.from + (figure - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// The figures to write beside the axis.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let step = if self.logarithmic {
            1.0
        } else {
            step(self.high)
        };
        let mut ticks = Vec::new();
        let mut tick = self.low;
        while tick <= self.high + step / 1e3 {
            ticks.push(if self.logarithmic {
                10_f64.powf(tick)
            } else {
                tick
            });
            tick += step;
        }
        ticks
    }
}

/// One, two or five times a power of ten, so that there are two to six steps.
fn step(highest: f64) -> f64 {
    let power = 10_f64.powf(highest.max(1e-9).log10().floor());
    match highest / power {
        share if share > 5.0 => 2.0 * power,
        share if share > 2.0 => power,
        _ => power / 2.0,
    }
}

/// A tick without needless digits.
pub(super) fn tick(figure: f64) -> String {
    match figure {
        figure if figure >= 1e6 => format!("{}M", figure / 1e6),
        figure if figure >= 1e4 => format!("{}k", figure / 1e3),
        figure => format!("{}", (figure * 1e6).round() / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_begins_at_zero_and_ends_on_a_tick() {
        let scale = Scale::linear(173.0, 0.0, 100.0);
        assert_eq!(scale.ticks(), [0.0, 50.0, 100.0, 150.0, 200.0]);
        assert!((scale.place(100.0) - 50.0).abs() < 1e-9);
    }

    #[test]
    fn an_axis_may_run_upwards() {
        assert!((Scale::linear(10.0, 300.0, 100.0).place(5.0) - 200.0).abs() < 1e-9);
    }

    #[test]
    fn a_logarithmic_axis_has_a_tick_at_each_power_of_ten() {
        let scale = Scale::logarithmic(30.0, 2_000.0, 0.0, 90.0);
        let ticks: Vec<_> = scale.ticks().into_iter().map(tick).collect();
        assert_eq!(ticks, ["10", "100", "1000", "10k"]);
        assert!((scale.place(100.0) - 30.0).abs() < 1e-9);
    }

    #[test]
    fn ticks_have_no_needless_digits() {
        let ticks = [0.0, 0.5, 12.0, 25_000.0, 1e6].map(tick);
        assert_eq!(ticks, ["0", "0.5", "12", "25k", "1M"]);
    }
}
