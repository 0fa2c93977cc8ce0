//! The paths and their parameters.

use alloc::format;

use guest_kit::problem::Problem;

/// The number of events of a request that names none.
const DEFAULT_COUNT: u32 = 5;
/// Maximum number of events.
const MAX_COUNT: u32 = 1000;

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/events?count=N`
    Events { count: u32 },
    /// `/echo`
    Echo,
}

impl Route {
    /// Selects the route by path and query, for any method.
    pub(crate) fn of(target: &str) -> Result<Self, Problem> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        match path {
            "/events" => Ok(Self::Events {
                count: count(query)?,
            }),
            "/echo" => Ok(Self::Echo),
            _ => Err(Problem::not_found(format!(
                "unknown path `{path}`; expected `/events` or `/echo`"
            ))),
        }
    }
}

/// The parameter `count` of a query.
fn count(query: &str) -> Result<u32, Problem> {
    let mut parameters = query.split('&');
    let Some(value) = parameters.find_map(|parameter| parameter.strip_prefix("count=")) else {
        return Ok(DEFAULT_COUNT);
    };
    let count = value.parse().ok();
    count
        .filter(|count| (1..=MAX_COUNT).contains(count))
        .ok_or_else(|| {
            Problem::bad_request(format!(
                "`count` is `{value}`; expected a number from 1 to {MAX_COUNT}"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(target: &str) -> u16 {
        Route::of(target).unwrap_err().status()
    }

    #[test]
    fn events_have_a_count_from_1_to_1000() {
        let count = |target| Route::of(target).ok();
        assert_eq!(count("/events"), Some(Route::Events { count: 5 }));
        assert_eq!(count("/events?count=1"), Some(Route::Events { count: 1 }));
        assert_eq!(
            count("/events?a=b&count=1000"),
            Some(Route::Events { count: 1000 })
        );
        for value in ["0", "1001", "", "-1", "two", "4294967296"] {
            assert_eq!(status(&format!("/events?count={value}")), 400, "{value}");
        }
    }

    #[test]
    fn other_paths_are_404() {
        assert_eq!(Route::of("/echo?x").ok(), Some(Route::Echo));
        for target in ["", "/", "/event", "/echo/", "/events/1"] {
            assert_eq!(status(target), 404, "{target}");
        }
    }
}
