//! The first instance of a function, before anybody waits for one.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::function::Function;
use super::load::FunctionError;
use crate::RequestInfo;

/// How long an instance may take to begin.
const MAX_TIME: Duration = Duration::from_secs(5);

/// Makes an instance of the function, and drops it. What every instance does when it begins
/// has worked once then, and the images of its memories are there.
///
/// It must not be called within a runtime of tokio.
///
/// # Errors
///
/// Fails if it traps, or takes longer than 5 s.
pub(super) fn warm(function: &Function) -> Result<(), FunctionError> {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| FunctionError::Start(error.to_string()))?;
    let app = function.app();
    let request = RequestInfo::new(&Request::new(()), None, None);
    let mut store = app.store(Arc::new(request), false);
    let begun = async { timeout(MAX_TIME, app.pre().instantiate_async(&mut store)).await };
    match runtime.block_on(begun) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(FunctionError::Start(format!("{error:#}"))),
        Err(_) => {
            let seconds = MAX_TIME.as_secs();
            Err(FunctionError::Start(format!(
                "it took longer than {seconds} s"
            )))
        }
    }
}
