//! An application of axum, which `wstd-axum` makes a component of.

use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
struct Order {
    item: String,
    count: u32,
}

#[wstd_axum::http_server]
fn main() -> Router {
    Router::new()
        .route("/", get(async || "hello from axum"))
        .route("/items/{item}", get(async |Path(item): Path<String>| item))
        .route("/orders", post(async |Json(order): Json<Order>| Json(order)))
}
