//! Encoding of one metric with all its series.
//!
//! The derive `EncodeLabelSet` is not used: it writes label values without escaping them.

use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelValue, LabelValueEncoder, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::histogram::HistogramSnapshot;

/// The labels of a series.
pub(super) type Labels<'a> = Vec<(&'static str, Value<'a>)>;

/// A label value, which may contain any characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'a>(pub(super) &'a str);

/// Encodes metrics one by one.
pub(super) struct Writer<'a> {
    pub(super) encoder: DescriptorEncoder<'a>,
}

impl Writer<'_> {
    /// Encodes a counter without labels.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.counters(name, help, [(Vec::new(), value)])
    }

    /// Encodes a counter with several series.
    pub(super) fn counters<'l>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'l>, u64)>,
    ) -> fmt::Result {
        let encoder = self
            .encoder
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        encode_each(encoder, series, |encoder, value| {
            encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
        })
    }

    /// Encodes a gauge without labels.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.gauges(name, help, [(Vec::new(), value)])
    }

    /// Encodes a gauge with several series.
    pub(super) fn gauges<'l>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'l>, u64)>,
    ) -> fmt::Result {
        let encoder = self
            .encoder
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        encode_each(encoder, series, |encoder, value| {
            encoder.encode_gauge(&value)
        })
    }

    /// Encodes a gauge with a unit, which is appended to its name.
    pub(super) fn gauge_with_unit(
        &mut self,
        name: &str,
        help: &str,
        unit: &Unit,
        value: f64,
    ) -> fmt::Result {
        self.encoder
            .encode_descriptor(name, help, Some(unit), MetricType::Gauge)?
            .encode_gauge(&value)
    }

    /// Encodes a counter of seconds.
    pub(super) fn seconds_counter(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.encoder
            .encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// Encodes a histogram of durations with several series.
    pub(super) fn histograms<'l>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'l>, HistogramSnapshot)>,
    ) -> fmt::Result {
        let encoder = self.encoder.encode_descriptor(
            name,
            help,
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        encode_each(encoder, series, |encoder, histogram| {
            let HistogramSnapshot {
                sum_seconds,
                count,
                buckets,
            } = histogram;
            encoder.encode_histogram::<NoLabelSet>(sum_seconds, count, &buckets, None)
        })
    }

    /// Encodes constants as labels. `_info` is appended to the name.
    pub(super) fn infos<'l>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = Labels<'l>>,
    ) -> fmt::Result {
        let mut encoder = self
            .encoder
            .encode_descriptor(name, help, None, MetricType::Info)?;
        for labels in series {
            encoder.encode_info(&labels)?;
        }
        Ok(())
    }
}

fn encode_each<'l, T>(
    mut encoder: MetricEncoder<'_>,
    series: impl IntoIterator<Item = (Labels<'l>, T)>,
    encode: impl Fn(&mut MetricEncoder<'_>, T) -> fmt::Result,
) -> fmt::Result {
    for (labels, value) in series {
        if labels.is_empty() {
            encode(&mut encoder, value)?;
        } else {
            encode(&mut encoder.encode_family(&labels)?, value)?;
        }
    }
    Ok(())
}

impl EncodeLabelValue for Value<'_> {
    /// Escapes the value as the text formats require: `prometheus_client` does not.
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        use fmt::Write;

        for c in self.0.chars() {
            match c {
                '\\' => encoder.write_str(r"\\")?,
                '"' => encoder.write_str("\\\"")?,
                '\n' => encoder.write_str("\\n")?,
                c => encoder.write_char(c)?,
            }
        }
        Ok(())
    }
}
