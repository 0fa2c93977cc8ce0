//! Text formats of metrics, and content negotiation.

use std::fmt::Write;

use http::HeaderMap;
use http::header::{ACCEPT, HeaderValue};

/// A text format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `OpenMetrics` 1.0, for clients that accept it.
    OpenMetrics,
    /// The text format of Prometheus, version 0.0.4, for all other clients.
    Prometheus,
}

impl Format {
    /// The request header that selects the format.
    pub const HEADER: &'static str = "accept";

    /// The format for a request with these headers (RFC 9110, section 12.5.1): `OpenMetrics`
    /// if the client names it and does not prefer the text format.
    #[must_use]
    pub fn accepted(headers: &HeaderMap) -> Self {
        let values = headers.get_all(ACCEPT).iter();
        let values = values.filter_map(|value| value.to_str().ok());
        let (mut open_metrics, mut text) = (0.0, 0.0);
        for range in values.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let quality = parts.find_map(|part| part.strip_prefix("q="));
            let quality: f32 = quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
            if name.eq_ignore_ascii_case("application/openmetrics-text") {
                open_metrics = quality.max(open_metrics);
            } else if name.eq_ignore_ascii_case("text/plain") {
                text = quality.max(text);
            }
        }
        if open_metrics > 0.0 && open_metrics >= text {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// The media type.
    #[must_use]
    pub fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        })
    }
}

/// Converts `OpenMetrics` to the text format of Prometheus. There, a metric has the name of its
/// series and one of the types of that format; `UNIT` and `EOF` lines are omitted.
pub(super) fn to_prometheus(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = "";
    for line in open_metrics.lines() {
        let fields: Vec<_> = line.splitn(4, ' ').collect();
        match fields[..] {
            ["#", "HELP", _, text] => help = text,
            ["#", "TYPE", name, kind] => {
                let (suffix, kind) = match kind {
                    "counter" => ("_total", kind),
                    "info" => ("_info", "gauge"),
                    "stateset" => ("", "gauge"),
                    "unknown" => ("", "untyped"),
                    _ => ("", kind),
                };
                // Writing into memory does not fail.
                let _ = writeln!(text, "# HELP {name}{suffix} {help}");
                let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
            }
            ["#", ..] => {}
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(accept: &[&'static str]) -> Format {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, HeaderValue::from_static(value));
        }
        Format::accepted(&headers)
    }

    #[test]
    fn accept_selects_openmetrics_and_the_default_is_the_text_format() {
        // The header of Prometheus 3.
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                          application/openmetrics-text;version=0.0.1;q=0.5,\
                          text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for accept in [
            &[prometheus][..],
            &["application/openmetrics-text"],
            &["text/html", "Application/OpenMetrics-Text; version=1.0.0"],
        ] {
            assert_eq!(accepted(accept), Format::OpenMetrics, "{accept:?}");
        }
        for accept in [
            &[][..],
            &["*/*"],
            &["text/plain;version=0.0.4"],
            &["application/openmetrics-text;q=0"],
            &["application/openmetrics-text;q=0.3, text/plain"],
        ] {
            assert_eq!(accepted(accept), Format::Prometheus, "{accept:?}");
        }
    }

    #[test]
    fn to_prometheus_names_metrics_like_their_series_and_maps_info_to_gauge() {
        let open_metrics = "\
# HELP a Counted events.
# TYPE a counter
a_total 1
# HELP b_seconds Measured values.
# TYPE b_seconds gauge
# UNIT b_seconds seconds
b_seconds 2.5
# HELP c Constants.
# TYPE c info
c_info{x=\"y\"} 1
# EOF
";
        let expected = "\
# HELP a_total Counted events.
# TYPE a_total counter
a_total 1
# HELP b_seconds Measured values.
# TYPE b_seconds gauge
b_seconds 2.5
# HELP c_info Constants.
# TYPE c_info gauge
c_info{x=\"y\"} 1
";
        assert_eq!(to_prometheus(open_metrics), expected);
    }
}
