//! A gate in front of a component, composed with it or connected by the server.

use anyhow::Result;

use super::{MESSAGE, message};
use crate::composition::wrap;
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::{Summary, range};
use crate::measure::{Bench, CONNECTIONS, Target, named};
use crate::programs::{bytes, experiment_guest, part};
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::Server;
use crate::servers::folder::Folder;

/// The token that the gates let through.
const TOKEN: &str = "open-sesame";

const GATE: &str = "bearer-gate";
const GATE_03: &str = "gate-middleware";

/// A gate in front of a component.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Gate {
    None,
    /// They have the same version of WASI, and are one component.
    Composed(&'static str),
    /// They have different versions, and the server connects them.
    Connected(&'static str),
}

/// The component, how the gate is in front of it, and the name of both.
type Case = (&'static str, Gate, &'static str);

const CASES: [Case; 6] = [
    ("app", Gate::None, "0.2"),
    ("app", Gate::Composed(GATE), COMPOSED),
    ("app", Gate::Connected(GATE_03), CONNECTED),
    ("app-0.3", Gate::None, "0.3"),
    (
        "app-0.3",
        Gate::Composed(GATE_03),
        "0.3, composed gate of 0.3",
    ),
    (
        "app-0.3",
        Gate::Connected(GATE),
        "0.3, connected gate of 0.2",
    ),
];
const COMPOSED: &str = "0.2, composed gate of 0.2";
const CONNECTED: &str = "0.2, connected gate of 0.3";

/// Goal for the processor time with a connected gate over that with a composed one.
const OVER_COMPOSED: f64 = 1.3;

/// The file of the functions.
const FUNCTIONS: &str = "functions.toml";

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let (mut targets, mut folders) = (Vec::new(), Vec::new());
    for (number, (app, gate, name)) in CASES.into_iter().enumerate() {
        let folder = Folder::new(&format!("middleware-{number}"))?;
        put(&folder, app, gate)?;
        let server = Server::functions(&bench.programs, &folder, FUNCTIONS, &[]);
        targets.push(Target::new(name, server, &message().bearer(TOKEN)));
        folders.push(folder);
    }
    bench.load(&mut targets);

    let table = Table::new(
        "component",
        &targets,
        &[
            ("CPU per request, µs: min / median / max", &|t| {
                t.range("cpu_us")
            }),
            ("times the composed gate", &|t| {
                range(over_composed(t, &targets))
            }),
            ("requests/s", &|t| t.median("requests_per_second")),
            ("p50, µs", &|t| t.median("p50_us")),
            ("p99, µs", &|t| t.median("p99_us")),
            ("peak memory, MiB", &|t| t.median("peak_mib")),
        ],
    );
    let about = format!(
        "The cipher service, for WASI 0.2 and for 0.3, as the only function of the server, without \
         and with a gate in front of it that checks a bearer token. Every request has the token, and \
         encrypts `{MESSAGE}` on {CONNECTIONS} connections. A composed gate has the version of the \
         service: both are one component. A connected gate has the other version: gate and service \
         have an instance each for every request, and the server passes request and response on. \
         Neither gate reads a body."
    );
    let what = format!("CPU of `{CONNECTED}` over that of `{COMPOSED}`");
    let ratio = named(&targets, CONNECTED).and_then(|one| over_composed(one, &targets));
    let goal = Limit::AtMost(OVER_COMPOSED);
    Ok(Report {
        verdicts: vec![Verdict::new(what, "×", goal, ratio)],
        ..Report::new("middleware", about, bench.turns, table, &targets)?
    })
}

/// Writes the files of one function into a folder.
fn put(folder: &Folder, app: &str, gate: Gate) -> Result<()> {
    let app = bytes(&part(app)?)?;
    let gate_bytes = |name| bytes(&experiment_guest(name)?);
    let app = match gate {
        Gate::Composed(name) => wrap(&gate_bytes(name)?, &app)?,
        _ => app,
    };
    if let Gate::Connected(name) = gate {
        folder.put("gate.wasm", gate_bytes(name)?)?;
    }
    folder.put("app.wasm", app)?;
    folder.put(FUNCTIONS, functions(gate))?;
    Ok(())
}

/// The text of [`FUNCTIONS`].
fn functions(gate: Gate) -> String {
    let middleware = match gate {
        Gate::Connected(_) => "middleware = [\"gate.wasm\"]\n",
        _ => "",
    };
    format!(
        "[[function]]\ncomponent = \"app.wasm\"\nroute = \"/\"\n{middleware}\
         env = {{ BEARER_TOKEN = \"{TOKEN}\", SHIFT_AMOUNT = \"3\" }}\n"
    )
}

/// The processor time over that of the same component with the composed gate.
fn over_composed(target: &Target, targets: &[Target]) -> Option<Summary> {
    let (app, ..) = CASES.iter().find(|(.., name)| target.name == *name)?;
    let is_composed = |case: &&Case| case.0 == *app && matches!(case.1, Gate::Composed(_));
    let (.., composed) = CASES.iter().find(is_composed)?;
    target.over(named(targets, composed)?, "cpu_us")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::cpu;

    #[test]
    fn a_connected_gate_is_compared_with_the_composed_one_of_the_same_component() {
        let targets: Vec<_> = CASES
            .iter()
            .zip([10.0, 20.0, 25.0, 30.0, 40.0, 60.0])
            .map(|((.., name), figure)| cpu(name, &[figure]))
            .collect();
        let ratios = targets
            .iter()
            .map(|target| over_composed(target, &targets).unwrap().median);
        assert!(ratios.eq([0.5, 1.0, 1.25, 0.75, 1.0, 1.5]));
    }

    #[test]
    fn only_a_connected_gate_is_middleware_of_the_function() {
        let has_middleware = |gate| functions(gate).contains("\nmiddleware = [\"gate.wasm\"]\n");
        assert!(has_middleware(Gate::Connected(GATE_03)));
        assert!(!has_middleware(Gate::Composed(GATE)) && !has_middleware(Gate::None));
    }
}
