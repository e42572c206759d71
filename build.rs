//! Rebuilds the program when the files that it embeds have changed: the migrations, and in a release build the pages' files.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    let embeds_pages = env::var_os("CARGO_FEATURE_SSR").is_some() && env::var("PROFILE").as_deref() == Ok("release");
    if embeds_pages {
        println!("cargo:rerun-if-changed=target/site");
    }
}
