//! A table that reads well in a terminal and in Markdown.

use std::fmt;

use crate::figures::stats::range;
use crate::measure::Target;

/// A heading, and the cell of a target below it.
pub(crate) type Column<'a> = (&'a str, &'a dyn Fn(&Target) -> String);

/// Columns with headings; the first column is text, the others are figures.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A row for each target; the first column has their names.
    pub(crate) fn new(first: &str, targets: &[Target], columns: &[Column]) -> Self {
        let headings = columns.iter().map(|(heading, _)| (*heading).to_owned());
        let headings = [first.to_owned()].into_iter().chain(headings);
        let row = |target: &Target| {
            let cells = columns.iter().map(|(_, cell)| cell(target));
            [target.name.clone()].into_iter().chain(cells).collect()
        };
        let rows = [headings.collect()].into_iter();
        Self {
            rows: rows.chain(targets.iter().map(row)).collect(),
        }
    }

    /// A row for each of these figures of one target.
    pub(crate) fn of_figures(target: &Target, figures: &[(&str, &str)]) -> Self {
        let headings = ["figure", "min / median / max"].map(str::to_owned).to_vec();
        let row = |&(name, key): &(&str, &str)| vec![name.to_owned(), range(target.summary(key))];
        let rows = [headings].into_iter();
        Self {
            rows: rows.chain(figures.iter().map(row)).collect(),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or_default().max(3)
        };
        let widths: Vec<usize> = (0..self.rows[0].len()).map(width).collect();
        for (index, row) in self.rows.iter().enumerate() {
            let cells = row.iter().zip(&widths).enumerate();
            for (column, (cell, width)) in cells {
                match column {
                    0 => write!(f, "| {cell:<width$} ")?,
                    _ => write!(f, "| {cell:>width$} ")?,
                }
            }
            writeln!(f, "|")?;
            if index == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let end = if column == 0 { '-' } else { ':' };
                    write!(f, "| {}{end} ", "-".repeat(width - 1))?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::{cpu, target};

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let targets = [cpu("native", &[9.1]), target("x", &[])];
        let table = Table::new("server", &targets, &[("µs", &|t| t.median("cpu_us"))]);
        let expected = "\
| server |   µs |
| ------ | ---: |
| native | 9.10 |
| x      |    - |
";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn the_figures_of_one_target_have_a_row_each() {
        let table = Table::of_figures(&cpu("x", &[1.0, 2.0, 3.0]), &[("CPU, µs", "cpu_us")]);
        assert!(
            table
                .to_string()
                .ends_with("| CPU, µs | 1.00 / 2.00 / 3.00 |\n"),
            "{table}"
        );
    }
}
