//! The commands `deploy`, `list`, `rollback`, `logs`, `pause`, `resume` and `remove`: the client of
//! the deploy API.

use std::io::{self, Write};
use std::path::Path;
use std::pin::pin;
use std::time::{Duration, Instant};
use std::{fs, thread};

use admin::MAX_TOKEN_BYTES;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use host::cli::{AdminTarget, Deploy, Logs, Named, Rollback};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::rt::{Read, Write as HyperWrite};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use permissions::read_secret;
use serde_json::Value;
use server::Address;
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Builder;
use tokio::time::timeout;

/// All ASCII bytes but those that need no encoding in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Number of digits of a version to print.
const SHOWN_DIGITS: usize = 12;

/// Interval of progress lines while the server has not responded.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// Maximum length of a printed line, in bytes.
const MAX_LINE_BYTES: usize = 64 << 10;

/// Polling interval of `logs --follow`.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Deploys a component.
///
/// # Errors
///
/// Fails if the server cannot be reached or rejects it.
pub(crate) fn deploy(flags: &Deploy) -> Result<()> {
    let path = flags.component.display();
    let bytes = fs::read(&flags.component).with_context(|| format!("cannot read `{path}`"))?;
    let kib = bytes.len().div_ceil(1024);
    let _ = writeln!(io::stderr(), "deploying `{path}` ({kib} KiB) ...");
    let response = query(&flags.target, Method::PUT, &path_of(&flags.name), bytes)?;
    print_outcome(&response);
    Ok(())
}

/// Activates another version.
///
/// # Errors
///
/// Fails if the function or version is unknown, or the server cannot be reached.
pub(crate) fn rollback(flags: &Rollback) -> Result<()> {
    let function = path_of(&flags.name);
    let path = match &flags.to {
        Some(version) => format!(
            "{function}/versions/{}/activate",
            utf8_percent_encode(version, SEGMENT)
        ),
        None => format!("{function}/rollback"),
    };
    let response = query(&flags.target, Method::POST, &path, Vec::new())?;
    print_outcome(&response);
    Ok(())
}

/// Pauses a function.
///
/// # Errors
///
/// Fails if the function or version is unknown, or the server cannot be reached.
pub(crate) fn pause(flags: &Named) -> Result<()> {
    let path = format!("{}/pause", path_of(&flags.name));
    query(&flags.target, Method::POST, &path, Vec::new())?;
    print_line(&format!("`{}` is paused", flags.name));
    Ok(())
}

/// Resumes a function.
///
/// # Errors
///
/// Fails if the function or version is unknown, or the server cannot be reached.
pub(crate) fn resume(flags: &Named) -> Result<()> {
    let path = format!("{}/resume", path_of(&flags.name));
    query(&flags.target, Method::POST, &path, Vec::new())?;
    print_line(&format!("`{}` serves again", flags.name));
    Ok(())
}

/// Removes a function.
///
/// # Errors
///
/// Fails if the function or version is unknown, or the server cannot be reached.
pub(crate) fn remove(flags: &Named) -> Result<()> {
    query(
        &flags.target,
        Method::DELETE,
        &path_of(&flags.name),
        Vec::new(),
    )?;
    print_line(&format!("`{}` is removed", flags.name));
    Ok(())
}

/// Prints the log ring of a function.
///
/// # Errors
///
/// Fails if the function is unknown, or the server cannot be reached.
pub(crate) fn logs(flags: &Logs) -> Result<()> {
    let mut number = 0;
    loop {
        let path = format!("{}/logs?from={number}", path_of(&flags.name));
        let response = query(&flags.target, Method::GET, &path, Vec::new())?;
        for line in response["lines"].as_array().into_iter().flatten() {
            print_line(line.as_str().unwrap_or_default());
        }
        if !flags.follow {
            return Ok(());
        }
        number = response["next"].as_u64().unwrap_or(number);
        thread::sleep(POLL_INTERVAL);
    }
}

/// Lists all functions.
///
/// # Errors
///
/// Fails if the server cannot be reached.
pub(crate) fn list(flags: &AdminTarget) -> Result<()> {
    let response = query(flags, Method::GET, "/v1/functions", Vec::new())?;
    for function in response["functions"].as_array().into_iter().flatten() {
        let text = |key: &str| function[key].as_str().unwrap_or("-");
        let version = short(&function["version"]);
        let mut line = format!("{:<24} {version:<12} {}", text("name"), text("route"));
        for state in ["paused", "loading"] {
            if function[state] == true {
                line = format!("{line}  {state}");
            }
        }
        if let Some(problem) = function["problem"].as_str() {
            let first = problem.lines().next().unwrap_or_default();
            line = format!("{line}  ({})", sanitize::line(first));
        }
        print_line(line.trim_end());
    }
    Ok(())
}

fn print_outcome(response: &Value) {
    let name = response["name"].as_str().unwrap_or_default();
    let (version, replaces) = (&response["version"], &response["replaces"]);
    let before = match replaces.as_str() {
        None => String::new(),
        Some(_) if version == replaces => ", as before".to_owned(),
        Some(_) => format!(", before {}", short(replaces)),
    };
    print_line(&format!("`{name}` serves {}{before}", short(version)));
}

fn short(version: &Value) -> &str {
    let version = version.as_str().unwrap_or("-");
    version.get(..SHOWN_DIGITS).unwrap_or(version)
}

fn print_line(line: &str) {
    // Fails without a reader, which still gets the exit code. The response is untrusted text.
    let line = sanitize::line(line).at_most(MAX_LINE_BYTES);
    let _ = writeln!(io::stdout(), "{line}");
}

fn path_of(name: &str) -> String {
    format!("/v1/functions/{}", utf8_percent_encode(name, SEGMENT))
}

fn query(target: &AdminTarget, method: Method, path: &str, body: Vec<u8>) -> Result<Value> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let server = &target.admin;
    let what = || {
        format!(
            "cannot reach the server at `{server}`; it must run with `--ops-addr`, and `--admin` must \
             have the same address"
        )
    };
    runtime.block_on(async {
        let request = request(&target.token, method, path, body)?;
        let response = match server {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await.with_context(what)?;
                with_progress(exchange(TokioIo::new(stream), request)).await
            }
            Address::Unix { path, .. } => {
                let stream = UnixStream::connect(path).await.with_context(what)?;
                with_progress(exchange(TokioIo::new(stream), request)).await
            }
        };
        let (status, body) = response.with_context(what)?;
        let document: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() {
            return Ok(document);
        }
        match document["detail"].as_str() {
            Some(detail) => bail!("{detail}"),
            None => {
                bail!("the server at `{server}` responded with {status}: is this its --ops-addr?")
            }
        }
    })
}

fn request(
    token: &Path,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>> {
    let shown = token.display();
    let text = read_secret(token, MAX_TOKEN_BYTES);
    let text = text.with_context(|| format!("cannot read `{shown}`"))?;
    let bearer = HeaderValue::from_bytes(&[b"Bearer ", text.trim_ascii_end()].concat());
    let mut bearer = bearer.with_context(|| format!("invalid token in `{shown}`"))?;
    bearer.set_sensitive(true);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "localhost")
        .header(AUTHORIZATION, bearer)
        .header(CONTENT_TYPE, "application/wasm");
    Ok(request.body(Full::new(body.into()))?)
}

/// Waits for the server, which may compile a component first, and prints progress.
async fn with_progress<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let begin = Instant::now();
    loop {
        if let Ok(done) = timeout(PROGRESS_INTERVAL, work.as_mut()).await {
            return done;
        }
        let seconds = begin.elapsed().as_secs();
        let _ = writeln!(io::stderr(), "waiting for the server: {seconds} s");
    }
}

async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> hyper::Result<(http::StatusCode, Bytes)>
where
    S: Read + HyperWrite + Unpin,
{
    let (mut sender, connection) = http1::handshake(stream).await?;
    let response = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    };
    let (response, _) = tokio::join!(response, connection);
    response
}
