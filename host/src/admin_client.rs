//! `component-runner deploy|list|rollback|logs|pause|resume|remove`: what a server that runs is told.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::pin::pin;
use std::thread;
use std::time::{Duration, Instant};

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
use permissions::read_secret;
use serde_json::Value;
use server::Address;
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Builder;
use tokio::time::timeout;

/// How many digits of a version are shown.
const SHOWN_DIGITS: usize = 12;

/// How often somebody who waits for an answer hears that it is still waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest line that is printed, in bytes.
const MAX_LINE_BYTES: usize = 64 << 10;

/// How long to wait for further lines.
const PAUSE: Duration = Duration::from_secs(1);

/// Deploys a component.
///
/// # Errors
///
/// Fails if the server refuses it, or cannot be asked.
pub(crate) fn deploy(flags: &Deploy) -> Result<()> {
    let path = flags.component.display();
    let bytes = fs::read(&flags.component).with_context(|| format!("cannot read `{path}`"))?;
    let kib = bytes.len().div_ceil(1024);
    let _ = writeln!(io::stderr(), "deploying `{path}` ({kib} KiB) ...");
    let answer = ask(&flags.target, Method::PUT, &of(&flags.name), bytes)?;
    say_done(&answer);
    Ok(())
}

/// Turns to another version.
///
/// # Errors
///
/// Fails if there is none, or the server cannot be asked.
pub(crate) fn rollback(flags: &Rollback) -> Result<()> {
    let function = of(&flags.name);
    let path = match &flags.to {
        Some(version) => format!("{function}/versions/{}/activate", segment(version)),
        None => format!("{function}/rollback"),
    };
    let answer = ask(&flags.target, Method::POST, &path, Vec::new())?;
    say_done(&answer);
    Ok(())
}

/// Lets a function answer no requests.
///
/// # Errors
///
/// Fails if there is none, or the server cannot be asked.
pub(crate) fn pause(flags: &Named) -> Result<()> {
    let path = format!("{}/pause", of(&flags.name));
    ask(&flags.target, Method::POST, &path, Vec::new())?;
    say(&format!("`{}` is paused", flags.name));
    Ok(())
}

/// Lets a function answer requests again.
///
/// # Errors
///
/// Fails if there is none, or the server cannot be asked.
pub(crate) fn resume(flags: &Named) -> Result<()> {
    let path = format!("{}/resume", of(&flags.name));
    ask(&flags.target, Method::POST, &path, Vec::new())?;
    say(&format!("`{}` serves again", flags.name));
    Ok(())
}

/// Removes a function.
///
/// # Errors
///
/// Fails if there is none, or the server cannot be asked.
pub(crate) fn remove(flags: &Named) -> Result<()> {
    ask(&flags.target, Method::DELETE, &of(&flags.name), Vec::new())?;
    say(&format!("`{}` is removed", flags.name));
    Ok(())
}

/// Shows what a function printed.
///
/// # Errors
///
/// Fails if there is no such function, or the server cannot be asked.
pub(crate) fn logs(flags: &Logs) -> Result<()> {
    let mut number = 0;
    loop {
        let path = format!("{}/logs?from={number}", of(&flags.name));
        let answer = ask(&flags.target, Method::GET, &path, Vec::new())?;
        for line in answer["lines"].as_array().into_iter().flatten() {
            say(line.as_str().unwrap_or_default());
        }
        if !flags.follow {
            return Ok(());
        }
        number = answer["next"].as_u64().unwrap_or(number);
        thread::sleep(PAUSE);
    }
}

/// Lists all functions.
///
/// # Errors
///
/// Fails if the server cannot be asked.
pub(crate) fn list(flags: &AdminTarget) -> Result<()> {
    let answer = ask(flags, Method::GET, "/v1/functions", Vec::new())?;
    for function in answer["functions"].as_array().into_iter().flatten() {
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
        say(line.trim_end());
    }
    Ok(())
}

fn say_done(answer: &Value) {
    let name = answer["name"].as_str().unwrap_or_default();
    let (version, replaces) = (&answer["version"], &answer["replaces"]);
    let before = match replaces.as_str() {
        None => String::new(),
        Some(_) if version == replaces => ", as before".to_owned(),
        Some(_) => format!(", before {}", short(replaces)),
    };
    say(&format!("`{name}` serves {}{before}", short(version)));
}

fn short(version: &Value) -> &str {
    let version = version.as_str().unwrap_or("-");
    version.get(..SHOWN_DIGITS).unwrap_or(version)
}

fn say(line: &str) {
    // A reader that is gone has the exit code. What the server answers is foreign text.
    let line = sanitize::line(line).at_most(MAX_LINE_BYTES);
    let _ = writeln!(io::stdout(), "{line}");
}

fn of(name: &str) -> String {
    format!("/v1/functions/{}", segment(name))
}

/// A text as one segment of a path, whatever is in it.
fn segment(text: &str) -> String {
    use std::fmt::Write;

    let mut segment = String::new();
    for byte in text.bytes() {
        // Writing into memory does not fail.
        let _ = match byte {
            b'-' | b'_' | b'.' => write!(segment, "{}", char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => write!(segment, "{}", char::from(byte)),
            byte => write!(segment, "%{byte:02X}"),
        };
    }
    segment
}

fn ask(target: &AdminTarget, method: Method, path: &str, body: Vec<u8>) -> Result<Value> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let server = &target.admin;
    let what = || {
        format!(
            "cannot ask the server at `{server}`; it has to run with `--ops-addr`, and `--admin` \
             names the same address"
        )
    };
    runtime.block_on(async {
        let request = request(&target.token, method, path, body)?;
        let answer = match server {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await.with_context(what)?;
                patiently(exchange(TokioIo::new(stream), request)).await
            }
            Address::Unix { path, .. } => {
                let stream = UnixStream::connect(path).await.with_context(what)?;
                patiently(exchange(TokioIo::new(stream), request)).await
            }
        };
        let (status, body) = answer.with_context(what)?;
        let document: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() {
            return Ok(document);
        }
        match document["detail"].as_str() {
            Some(detail) => bail!("{detail}"),
            None => bail!("the server at `{server}` answered with {status}: is it its --ops-addr?"),
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
    let mut bearer = bearer.with_context(|| format!("`{shown}` holds no token"))?;
    bearer.set_sensitive(true);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "localhost")
        .header(AUTHORIZATION, bearer)
        .header(CONTENT_TYPE, "application/wasm");
    Ok(request.body(Full::new(body.into()))?)
}

/// Waits for the server, which may have to compile a component first, and says so.
async fn patiently<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let begin = Instant::now();
    loop {
        if let Ok(done) = timeout(PATIENCE, work.as_mut()).await {
            return done;
        }
        let seconds = begin.elapsed().as_secs();
        let _ = writeln!(
            io::stderr(),
            "the server still works on it, after {seconds} s"
        );
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
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    };
    let (answer, _) = tokio::join!(answer, connection);
    answer
}
