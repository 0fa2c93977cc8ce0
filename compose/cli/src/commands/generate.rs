//! The commands that convert or generate one component.

use std::io::{self, Write};

use compose::{StubSource, environment_for};
use compose_fuse::Cost;

use super::describe::ReportStream;
use crate::args::{EmitWac, Env, Extract, Fuse, Stub};
use crate::failure::Failure;
use crate::files::{read_component, read_components, read_composition, read_wit, write_output};

pub(super) fn env(arguments: Env) -> Result<(), Failure> {
    let importers = read_components(&arguments.importers)?;
    let bytes = environment_for(arguments.variables, &importers)
        .map_err(|error| Failure::from(error).context("cannot use `--set`".to_owned()))?;
    write_output(&arguments.output.output, &bytes)
}

pub(super) fn stub(arguments: &Stub) -> Result<(), Failure> {
    let mut texts = Vec::new();
    for path in &arguments.wit {
        texts.extend(read_wit(path)?);
    }
    let component = arguments
        .imports_of
        .as_ref()
        .map(read_component)
        .transpose()?;
    let source = match &component {
        Some(component) => StubSource::ImportsOf(component),
        None => StubSource::Wit(&texts),
    };
    let bytes = compose::stub(&arguments.interfaces, source)?;
    write_output(&arguments.output.output, &bytes)
}

pub(super) fn extract(arguments: &Extract) -> Result<(), Failure> {
    let app = read_component(&arguments.app)?;
    let bytes = compose::extract(&app, &arguments.name)?;
    write_output(&arguments.output.output, &bytes)
}

pub(super) fn fuse(arguments: &Fuse) -> Result<(), Failure> {
    let component = read_component(&arguments.file)?;
    let path = arguments.file.path.display();
    let fused = compose_fuse::fuse(&component)
        .map_err(|error| Failure::from(error).context(format!("`{path}`")))?;
    write_output(&arguments.output.output, &fused.bytes)?;
    let mut stream = ReportStream::for_output(&arguments.output.output);
    let printed = print_cost(component.name(), fused.before, &mut stream.out)
        .and_then(|()| print_cost("fused", fused.after, &mut stream.out))
        .and_then(|()| writeln!(stream.out, "{} bytes", fused.bytes.len()));
    stream.finish(printed)
}

pub(super) fn print_cost(name: &str, cost: Cost, out: &mut dyn Write) -> io::Result<()> {
    let Cost {
        core_instances,
        memories,
        tables,
    } = cost;
    writeln!(
        out,
        "{name}: {core_instances} core instances, {memories} memories, {tables} tables"
    )
}

pub(super) fn emit_wac(arguments: &EmitWac) -> Result<(), Failure> {
    let composition = read_composition(&arguments.file)?;
    let text = compose::emit_wac(&composition);
    write_output(&arguments.output, text.as_bytes())
}
