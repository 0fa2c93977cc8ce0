//! The deploy API: `/v1/…`, for operators with the token.
//!
//! - this file: [`Admin`], from a request to a deploy command and its response.
//! - `token.rs`: [`Token`], authentication.
//! - `denials.rs`: [`Denials`], audit records of denied requests.
//! - `document.rs`: JSON of functions.
//! - `openapi.json`: the description, served at `/v1/openapi.json`.

mod denials;
mod document;
mod token;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tokio::task::spawn_blocking;

use super::health::{json, problem};
pub use denials::Denials;
use functions::{
    DeployCommand, DeployError, DeployHandle, DeployOutcome, Functions, Store, check_name,
};
pub use token::{MAX_TOKEN_BYTES, Token, TokenError};

/// Prefix of all paths.
const PREFIX: &str = "/v1/";

/// Path of the description, which needs no token.
const DESCRIPTION: &str = "/v1/openapi.json";

/// The deploy API.
pub struct Admin {
    /// The token of operators.
    pub token: Token,
    /// The deployer, which executes commands.
    pub commands: DeployHandle,
    /// The served functions.
    pub functions: Arc<Functions>,
    /// The store of versions, if any.
    pub store: Option<Arc<Store>>,
    /// Audit records of denied requests.
    pub denials: Denials,
    /// Maximum size of a component, in bytes.
    pub max_component_bytes: u64,
    /// Timeout of a request, including the deploy.
    pub max_time: Duration,
}

type ApiResponse = Response<Full<Bytes>>;

impl Admin {
    /// Whether a request is for this API.
    pub(super) fn owns<B>(request: &Request<B>) -> bool {
        request.uri().path().starts_with(PREFIX)
    }

    /// Whether a request has the token, or needs none.
    pub(super) fn allows<B>(&self, request: &Request<B>) -> bool {
        let is_open = request.uri().path() == DESCRIPTION && request.method() == Method::GET;
        is_open || self.token.is_in(request.headers())
    }

    /// Records a denied request, at once or with further ones.
    pub(super) async fn deny<B>(&self, request: &Request<B>) {
        let (method, path) = (request.method().as_str(), request.uri().path());
        self.denials.note(method, path).await;
    }

    /// Records denied requests that are not recorded yet, at shutdown.
    pub async fn flush(&self) {
        self.denials.flush().await;
    }

    /// The response to a request.
    pub(super) async fn answer<B>(&self, request: Request<B>) -> ApiResponse
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if !self.allows(&request) {
            self.deny(&request).await;
            return unauthorized(request.headers());
        }
        let path = request.uri().path().to_owned();
        let method = request.method().clone();
        if path == DESCRIPTION && method == Method::GET {
            return json(StatusCode::OK, include_str!("openapi.json").to_owned());
        }
        let rest = path.strip_prefix(PREFIX).unwrap_or_default();
        let segments: Vec<_> = rest.split('/').collect();
        if let ["functions", name, ..] = segments[..]
            && let Err(why) = check_name(name)
        {
            let name = name.to_owned();
            return rejected(&DeployError::BadName { name, why });
        }
        match (method.as_str(), &segments[..]) {
            ("GET", ["functions"]) => self.list().await,
            ("GET", ["functions", name]) => self.show((*name).to_owned()).await,
            ("GET", ["functions", name, "logs"]) => self.lines(name, request.uri().query()),
            ("GET", ["functions", name, "stats"]) => self.stats(name),
            ("PUT", ["functions", name]) => match self.component(request.into_body()).await {
                Ok(bytes) => self.deploy((*name).to_owned(), bytes).await,
                Err(response) => response,
            },
            ("DELETE", ["functions", name]) => {
                let name = (*name).to_owned();
                self.execute(DeployCommand::Remove { name }).await
            }
            ("POST", ["functions", name, "pause"]) => {
                let name = (*name).to_owned();
                self.execute(DeployCommand::Pause { name }).await
            }
            ("POST", ["functions", name, "resume"]) => {
                let name = (*name).to_owned();
                self.execute(DeployCommand::Resume { name }).await
            }
            ("POST", ["functions", name, "rollback"]) => {
                let (name, version) = ((*name).to_owned(), None);
                self.execute(DeployCommand::Activate { name, version })
                    .await
            }
            ("POST", ["functions", name, "versions", version, "activate"]) => {
                let (name, version) = ((*name).to_owned(), Some((*version).to_owned()));
                self.execute(DeployCommand::Activate { name, version })
                    .await
            }
            (_, ["functions"] | ["functions", _, "logs" | "stats"]) => not_allowed("GET"),
            (_, ["functions", _]) => not_allowed("GET, PUT, DELETE"),
            (
                _,
                ["functions", _, "rollback" | "pause" | "resume"]
                | ["functions", _, "versions", _, "activate"],
            ) => not_allowed("POST"),
            _ => problem(StatusCode::NOT_FOUND, "unknown path; see /v1/openapi.json"),
        }
    }

    /// Reads the component in the body of a request.
    async fn component<B>(&self, body: B) -> Result<Vec<u8>, ApiResponse>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let limit = usize::try_from(self.max_component_bytes).unwrap_or(usize::MAX);
        match Limited::new(body, limit).collect().await {
            Ok(body) => Ok(body.to_bytes().into()),
            Err(error) if error.is::<LengthLimitError>() => {
                let why = format!(
                    "the component has more than {limit} bytes; allow more with \
                     `--max-component-size`"
                );
                Err(problem(StatusCode::PAYLOAD_TOO_LARGE, &why))
            }
            Err(_) => Err(problem(StatusCode::BAD_REQUEST, "incomplete body")),
        }
    }

    async fn deploy(&self, name: String, bytes: Vec<u8>) -> ApiResponse {
        if bytes.is_empty() {
            return problem(StatusCode::BAD_REQUEST, "empty body, expected a component");
        }
        self.execute(DeployCommand::Deploy { name, bytes }).await
    }

    async fn execute(&self, command: DeployCommand) -> ApiResponse {
        match self.commands.execute(command).await {
            Ok(DeployOutcome {
                name,
                version,
                replaces,
            }) => {
                let answer = serde_json::json!({
                    "name": name,
                    "version": version,
                    "replaces": replaces,
                });
                json(StatusCode::OK, answer.to_string())
            }
            Err(error) => rejected(&error),
        }
    }

    /// The log ring of a function, with the query `from=NUMBER` from this line on.
    fn lines(&self, name: &str, query: Option<&str>) -> ApiResponse {
        let number = match query.map(|query| query.strip_prefix("from=").map(str::parse)) {
            None => 0,
            Some(Some(Ok(number))) => number,
            Some(_) => {
                let why = "expected no query, or `from=` and the number of a line";
                return problem(StatusCode::BAD_REQUEST, why);
            }
        };
        let Some(function) = self.functions.served(name) else {
            return self.unserved(name);
        };
        let (lines, next) = function.lines(number);
        let answer = serde_json::json!({ "lines": lines, "next": next });
        json(StatusCode::OK, answer.to_string())
    }

    /// Statistics of a function.
    fn stats(&self, name: &str) -> ApiResponse {
        let Some(function) = self.functions.served(name) else {
            return self.unserved(name);
        };
        let answer = serde_json::json!(function.telemetry().metrics().stats());
        json(StatusCode::OK, answer.to_string())
    }

    /// The response for a function that is not served.
    fn unserved(&self, name: &str) -> ApiResponse {
        let name = name.to_owned();
        rejected(&if self.functions.is_loading(&name) {
            DeployError::Loading(name)
        } else {
            DeployError::Unknown(name)
        })
    }

    async fn list(&self) -> ApiResponse {
        let functions = self.functions.clone();
        let list = spawn_blocking(move || document::list(&functions)).await;
        let list = list.unwrap_or_default();
        let list = serde_json::json!({ "functions": list });
        json(StatusCode::OK, list.to_string())
    }

    async fn show(&self, name: String) -> ApiResponse {
        let (functions, store) = (self.functions.clone(), self.store.clone());
        let asked = name.clone();
        let shown = spawn_blocking(move || document::show(&functions, store.as_deref(), &asked));
        match shown.await {
            Ok(Ok(Some(function))) => json(StatusCode::OK, function.to_string()),
            Ok(Ok(None)) => rejected(&DeployError::Unknown(name)),
            Ok(Err(error)) => rejected(&error.into()),
            Err(_) => rejected(&DeployError::Busy),
        }
    }
}

fn unauthorized(headers: &HeaderMap) -> ApiResponse {
    let why = if headers.contains_key(AUTHORIZATION) {
        "the token is wrong: expected `authorization: Bearer TOKEN` with the token in the file of the \
         server's --admin-token"
    } else {
        "the token is missing: expected `authorization: Bearer TOKEN`"
    };
    let mut response = problem(StatusCode::UNAUTHORIZED, why);
    let bearer = HeaderValue::from_static("Bearer");
    response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
    response
}

fn rejected(error: &DeployError) -> ApiResponse {
    let status = match error {
        DeployError::BadName { .. } => StatusCode::BAD_REQUEST,
        DeployError::Unknown(_) | DeployError::NoVersion { .. } => StatusCode::NOT_FOUND,
        DeployError::NoState | DeployError::IsConfigured(_) | DeployError::RouteConflict(_) => {
            StatusCode::CONFLICT
        }
        DeployError::Rejected(_) => StatusCode::UNPROCESSABLE_ENTITY,
        DeployError::Store(_) => StatusCode::INSUFFICIENT_STORAGE,
        DeployError::Unaudited(_) | DeployError::Busy | DeployError::Loading(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    problem(status, &error.to_string())
}

fn not_allowed(methods: &'static str) -> ApiResponse {
    let mut response = problem(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("method not allowed; allowed: {methods}"),
    );
    let methods = HeaderValue::from_static(methods);
    response.headers_mut().insert(ALLOW, methods);
    response
}
