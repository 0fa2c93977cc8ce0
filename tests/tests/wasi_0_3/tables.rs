//! `--max-table-elements` of a guest of WASI 0.3, assembled from WAT: a module of Rust grows no table.

use end_to_end::TestHost;
use end_to_end::artifacts::workspace;
use end_to_end::cases::check_problem;
use end_to_end::client::get;
use end_to_end::guests::Guest;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const MAX_ELEMENTS: &str = "10000";

/// A component whose handler runs this code, and then returns the number of elements in its table as
/// the payload of an error. Its handler is synchronous, which hosts of WASI 0.3 have to serve, too.
fn component(code: &str) -> Guest {
    let world = "
        package tests:tables;
        world tables {
            export wasi:http/handler@0.3.0;
        }";
    let mut resolve = Resolve::default();
    resolve
        .push_dir(workspace().join("wit"))
        .expect("valid WIT");
    let package = resolve.push_str("tables.wit", world).expect("valid WIT");
    let world = resolve.select_world(&[package], Some("tables"));
    let world = world.expect("a world");
    let module = format!(
        "(module
           (memory (export \"memory\") 1)
           (table $table 1 funcref)
           (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
           (func (export \"wasi:http/handler@0.3.0#handle\") (param i32) (result i32)
             {code}
             ;; An error: the size of the body of a response.
             (i32.store8 (i32.const 64) (i32.const 1))
             (i32.store8 (i32.const 72) (i32.const {RESPONSE_BODY_SIZE}))
             (i32.store8 (i32.const 80) (i32.const 1))
             (i64.store (i32.const 88) (i64.extend_i32_u (table.size $table)))
             (i32.const 64)))"
    );
    let mut module = wat::parse_str(module).expect("a module");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("a module for this world");
    let mut encoder = ComponentEncoder::default();
    let component = encoder.module(&module).and_then(ComponentEncoder::encode);
    Guest::of(component.expect("a component"))
}

/// The number of this case of `error-code`.
const RESPONSE_BODY_SIZE: u32 = 28;

fn serve(guest: &Guest) -> TestHost {
    TestHost::serve(guest.path())
        .flag("--max-table-elements", MAX_ELEMENTS)
        .flag("--cpu-timeout", "0.2")
        .start()
}

#[test]
fn max_table_elements_bounds_a_table_of_wasi_0_3() {
    let guest = component(
        "(loop $more
           (br_if $more (i32.ne
             (table.grow $table (ref.null func) (i32.const 1)) (i32.const -1))))",
    );
    let host = serve(&guest);
    for _ in 0..3 {
        let response = host.send(&get("/"));
        check_problem(&response, 500, &["reported an error"]);
        let id = response.header("x-request-id").expect("an id");
        let cause = format!("HttpResponseBodySize(Some({MAX_ELEMENTS}))");
        let _ = host.log().wait_for_entry(&[id, &cause]);
    }
}

#[test]
fn cpu_timeout_ends_a_synchronous_handler_of_wasi_0_3() {
    let guest = component(
        "(loop $more
           (drop (table.grow $table (ref.null func) (i32.const 1)))
           (br $more))",
    );
    let host = serve(&guest);
    check_problem(&host.send(&get("/")), 504, &["in time"]);
}
