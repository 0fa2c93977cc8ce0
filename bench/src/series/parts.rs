//! Compositions of 2 to 20 parts.

use anyhow::Result;
use compose::Component;
use compose_fuse::fuse;

use super::{
    FRESH_PEER_03, OURS, OURS_03, OURS_FUSED, PEER_03, TUNED_PEER, is_03, message, servers_03,
};
use crate::composition::Chains;
use crate::figures::stats::{Summary, figure, range, slope};
use crate::measure::{Bench, Target, named};
use crate::plot::{Group, Kind, Plot};
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::folder::Folder;
use crate::servers::{LARGE_POOL, Server, TUNED};

/// Numbers of parts in a row; two of them are the adapter and the cipher.
const STEPS: [u8; 8] = [2, 3, 4, 5, 8, 12, 16, 20];

/// Those of compositions for WASI 0.3.
const STEPS_03: [u8; 3] = [2, 5, 20];

/// The servers, and their colours in the picture.
const SERVERS: [(&str, Kind); 6] = [
    (OURS, Kind::Ours),
    (OURS_FUSED, Kind::OursFused),
    (TUNED_PEER, Kind::Peer),
    (OURS_03, Kind::Ours),
    (PEER_03, Kind::Peer),
    (FRESH_PEER_03, Kind::Peer),
];

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let (chains, chains_03) = (Chains::find("http-adapter")?, Chains::find("http-service")?);
    let servers_03 = servers_03(&bench.programs, &[], LARGE_POOL);
    let ours = Server::ours(&bench.programs, &[]);
    let peer = Server::wasmtime(&bench.programs, &[TUNED, LARGE_POOL]);
    let (mut targets, mut folders) = (Vec::new(), Vec::new());
    for parts in STEPS {
        let component = chains.compose(usize::from(parts) - 2)?;
        let fused = fuse(&Component::new("composition", component.clone())?)?.bytes;
        let folder = Folder::new(&format!("parts-{parts}"))?;
        let plain = folder.put("parts.wasm", component)?;
        let fused = folder.put("fused.wasm", fused)?;
        let mut servers = vec![
            (OURS, &ours, plain.clone()),
            (OURS_FUSED, &ours, fused),
            (TUNED_PEER, &peer, plain),
        ];
        if STEPS_03.contains(&parts) {
            let component = chains_03.compose(usize::from(parts) - 2)?;
            let file = folder.put("parts-0.3.wasm", component)?;
            servers.extend(
                servers_03
                    .iter()
                    .map(|(name, one)| (*name, one, file.clone())),
            );
        }
        folders.push(folder);
        for (server_name, server, file) in servers {
            let server = server.clone().serving(&file);
            targets.push(Target::new(name(parts, server_name), server, &message()));
        }
    }
    bench.load(&mut targets);

    let table = Table::new(
        "parts in a row, server",
        &targets,
        &[
            ("CPU per request, µs: min / median / max", &|t| {
                t.range("cpu_us")
            }),
            ("times ours", &|t| range(over_ours(t, &targets))),
            ("p50, µs", &|t| t.median("p50_us")),
            ("p99, µs", &|t| t.median("p99_us")),
        ],
    );
    let growths = SERVERS.map(|(server, _)| growth(&targets, server));
    let about = format!(
        "The load of the main series on compositions of 2 to 20 parts in a row: the HTTP adapter, \
         relays that forward each call, and the cipher. Two more parts close each composition (audit \
         log and environment), so that both servers run the same file; {TUNED_PEER} has a larger \
         pool than its default, which has no room for the longer ones on 32 connections. Fused, a \
         composition has 2 core instances. With 0.3, the HTTP adapter is that for WASI 0.3, and \
         `wasmtime serve` sends up to 128 requests to an instance, 16 at a time, unless it is \
         `fresh`. {}",
        growths.join(" ")
    );
    let group = |heading, key| {
        let bar = |target: &Target| {
            let (_, kind) = SERVERS.into_iter().find(|(one, _)| is_of(target, one))?;
            Some((target.name.clone(), kind, target.summary(key)))
        };
        Group {
            heading,
            bars: targets.iter().filter_map(bar).collect(),
        }
    };
    let plot = Plot {
        title: "Compositions of 2 to 20 parts",
        groups: vec![
            group("Processor time per request, µs", "cpu_us"),
            group("99th percentile of the latency, µs", "p99_us"),
        ],
    };
    Ok(Report {
        plot: Some(plot),
        ..Report::new("parts", about, bench.turns, table, &targets)?
    })
}

fn name(parts: u8, server: &str) -> String {
    format!("{parts}, {server}")
}

/// Whether this is a target of the server of this name.
fn is_of(target: &Target, server: &str) -> bool {
    target
        .name
        .split_once(", ")
        .is_some_and(|(_, name)| name == server)
}

/// The processor time over that of ours with the same composition.
fn over_ours(target: &Target, targets: &[Target]) -> Option<Summary> {
    let (parts, server) = target.name.split_once(", ")?;
    let ours = if is_03(server) { OURS_03 } else { OURS };
    target.over(named(targets, &format!("{parts}, {ours}"))?, "cpu_us")
}

/// The cost of a further part in a sentence.
fn growth(targets: &[Target], server: &str) -> String {
    let point = |target: &Target| {
        let parts: u8 = target.name.split_once(", ")?.0.parse().ok()?;
        Some((f64::from(parts), target.summary("cpu_us")?.median))
    };
    let of_server = targets.iter().filter(|target| is_of(target, server));
    let points: Option<Vec<_>> = of_server.map(point).collect();
    match points.and_then(|points| slope(&points)) {
        Some(slope) => format!("Each further part costs {server} {} µs.", figure(slope)),
        None => format!("The cost of a further part was not measured for {server}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::{cpu, failed};

    fn targets() -> Vec<Target> {
        let target = |parts| cpu(&name(parts, OURS), &[30.0 + 7.0 * f64::from(parts)]);
        STEPS.map(target).into()
    }

    #[test]
    fn the_cost_of_a_part_is_the_slope_over_their_number() {
        let expected = "Each further part costs component-runner 7.00 µs.";
        assert_eq!(growth(&targets(), OURS), expected);
    }

    #[test]
    fn the_cost_of_a_part_is_that_of_its_server() {
        let of_03 = STEPS_03.map(|parts| cpu(&name(parts, OURS_03), &[9.0 * f64::from(parts)]));
        let targets = [targets(), of_03.into()].concat();
        assert!(growth(&targets, OURS_03).ends_with("costs component-runner, 0.3 9.00 µs."));
        assert!(growth(&targets, OURS).ends_with("costs component-runner 7.00 µs."));
    }

    #[test]
    fn a_server_of_wasi_0_3_is_compared_with_ours_of_it() {
        let targets = [
            (OURS, 10.0),
            (OURS_03, 20.0),
            (PEER_03, 30.0),
            (TUNED_PEER, 40.0),
        ]
        .map(|(server, figure)| cpu(&name(2, server), &[figure]));
        let ratio = |index: usize| over_ours(&targets[index], &targets).unwrap().median;
        assert!((ratio(2) - 1.5).abs() < 1e-9 && (ratio(3) - 4.0).abs() < 1e-9);
    }

    #[test]
    fn a_failed_composition_leaves_the_cost_unmeasured() {
        let mut targets = targets();
        targets[3] = failed(targets[3].clone());
        assert!(growth(&targets, OURS).contains("not measured"));
    }
}
