//! Names the one system library that a dependency forgets: espeak-ng is built against `sonic`.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_PIPER").is_some() {
        println!("cargo:rustc-link-arg=-lsonic");
    }
}
