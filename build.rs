//! How the program is linked, which no setting of cargo says.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    // The addresses that are put right at a start take a bit each instead of 24 bytes, all
    // of which are read then (`cargo xtask bench memory`). The C library can do that since
    // glibc 2.36.
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
