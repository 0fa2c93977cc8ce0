//! The first start, which compiles all functions.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::functions::Folder;
use crate::load::job::Job;
use crate::servers::Server;
use crate::servers::running::Running;

/// Starts a server of `count` functions in a folder without compiled code. Returns the time until
/// all of them were served.
pub(crate) fn start(server: &Server, count: usize, job: &Job, folder: &Folder) -> Result<Duration> {
    eprintln!("the first start of {count} functions");
    let running = Running::start_with_progress(server, || {
        eprintln!("    {} of {count} are compiled", compiled(&folder.cache()));
    })?;
    let took = running.age();
    job.check(running.addr)?;
    eprintln!("    took {:.1} s", took.as_secs_f64());
    Ok(took)
}

/// Number of functions with compiled code below this folder.
fn compiled(cache: &Path) -> usize {
    // Each engine has a folder of its own.
    let engines = fs::read_dir(cache.join("component-runner/code"));
    let folders = engines.into_iter().flatten().flatten();
    let files = folders.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten());
    files.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiled_functions_of_all_engines_are_counted() {
        let cache = tempfile::tempdir().unwrap();
        assert_eq!(compiled(cache.path()), 0);
        for engine in ["a", "b"] {
            let folder = cache.path().join("component-runner/code").join(engine);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("1.cwasm"), "").unwrap();
        }
        assert_eq!(compiled(cache.path()), 2);
    }
}
