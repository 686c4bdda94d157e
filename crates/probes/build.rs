//! Compiles the BPF programs and makes Rust types from their record headers, into `OUT_DIR`.
//!
//! Needs clang (14 or newer, with the BPF target) and libclang; nothing is fetched.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};

/// Probes: a folder `src/<name>/` with `<name>.record.h` and, where its programs are its own,
/// `<name>.bpf.c`.
const PROBES: [&str; 5] = ["nat", "tcp", "udp", "dns", "payload"];

fn compile(folder: &Path, name: &str, out: &Path) -> Result<(), Box<dyn Error>> {
    let shared = Path::new("src/bpf");
    libbpf_cargo::SkeletonBuilder::new()
        .source(folder.join(format!("{name}.bpf.c")))
        .clang_args([
            "-mcpu=v3",
            "-Wall",
            "-Wextra",
            "-Wno-unused-parameter",
            "-Werror",
            "-I",
            &shared.to_string_lossy(),
        ])
        .build_and_generate(out.join(format!("{name}.skel.rs")))?;
    Ok(())
}

/// The static assertions in the header hold the layout in C; bindgen's own hold it in Rust.
fn bind(folder: &Path, name: &str, out: &Path) -> Result<(), Box<dyn Error>> {
    let header = folder.join(format!("{name}.record.h"));
    bindgen::Builder::default()
        .header(header.to_string_lossy())
        .clang_arg("-Isrc/bpf")
        .allowlist_file(".*record\\.h")
        .prepend_enum_name(false)
        .derive_default(true)
        .layout_tests(true)
        .generate()?
        .write_to_file(out.join(format!("{name}_record.rs")))?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    println!("cargo::rerun-if-changed=src/bpf");
    for name in PROBES {
        let folder = Path::new("src").join(name);
        println!("cargo::rerun-if-changed={}", folder.display());
        if folder.join(format!("{name}.bpf.c")).exists() {
            compile(&folder, name, &out)?;
        }
        bind(&folder, name, &out)?;
    }
    Ok(())
}
