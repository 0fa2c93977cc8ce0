//! A program that runs once.

fn main() {
    println!("hello");
}
