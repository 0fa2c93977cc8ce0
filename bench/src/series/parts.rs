//! Compositions of 2 to 20 parts.

use anyhow::Result;
use compose::Component;
use compose_fuse::fuse;

use super::{OURS, OURS_FUSED, TUNED_PEER, message};
use crate::composition::Chains;
use crate::figures::stats::{figure, range, slope};
use crate::measure::{Bench, Target, named};
use crate::plot::{Group, Kind, Plot};
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::folder::Folder;
use crate::servers::{LARGE_POOL, Server, TUNED};

/// Numbers of parts in a row; two of them are the adapter and the cipher.
const STEPS: [u8; 8] = [2, 3, 4, 5, 8, 12, 16, 20];

/// The servers, and their colours in the picture.
const SERVERS: [(&str, Kind); 3] = [
    (OURS, Kind::Ours),
    (OURS_FUSED, Kind::OursFused),
    (TUNED_PEER, Kind::Peer),
];

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let chains = Chains::find()?;
    let ours = Server::ours(&bench.programs, &[]);
    let peer = Server::wasmtime(&bench.programs, &[TUNED, LARGE_POOL]);
    let (mut targets, mut folders) = (Vec::new(), Vec::new());
    for parts in STEPS {
        let component = chains.compose(usize::from(parts) - 2)?;
        let fused = fuse(&Component::new("composition", component.clone())?)?.bytes;
        let folder = Folder::new(&format!("parts-{parts}"))?;
        let plain = folder.put("parts.wasm", component)?;
        let fused = folder.put("fused.wasm", fused)?;
        folders.push(folder);
        for (server_name, server, file) in [
            (OURS, &ours, &plain),
            (OURS_FUSED, &ours, &fused),
            (TUNED_PEER, &peer, &plain),
        ] {
            let server = server.clone().serving(file);
            targets.push(Target::new(name(parts, server_name), server, &message()));
        }
    }
    bench.load(&mut targets);

    let over_ours = |target: &Target| {
        let (parts, _) = target.name.split_once(", ")?;
        target.over(named(&targets, &format!("{parts}, {OURS}"))?, "cpu_us")
    };
    let table = Table::new(
        "parts in a row, server",
        &targets,
        &[
            ("CPU per request, µs: min / median / max", &|t| {
                t.range("cpu_us")
            }),
            ("times ours", &|t| range(over_ours(t))),
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
         composition has 2 core instances. {}",
        growths.join(" ")
    );
    let kinds = SERVERS.map(|(_, kind)| kind).into_iter().cycle();
    let group = |heading, key| {
        let bars = targets.iter().zip(kinds.clone());
        let bars = bars.map(|(target, kind)| (target.name.clone(), kind, target.summary(key)));
        Group {
            heading,
            bars: bars.collect(),
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

/// The cost of a further part in a sentence.
fn growth(targets: &[Target], server: &str) -> String {
    let point = |parts| {
        let cpu = named(targets, &name(parts, server))?.summary("cpu_us")?;
        Some((f64::from(parts), cpu.median))
    };
    let points: Option<Vec<_>> = STEPS.into_iter().map(point).collect();
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
    fn a_failed_composition_leaves_the_cost_unmeasured() {
        let mut targets = targets();
        targets[3] = failed(targets[3].clone());
        assert!(growth(&targets, OURS).contains("not measured"));
    }
}
