//! Compiles the list of common passwords into an FST, which is read where it lies in the binary.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, error, fs};

const LIST: &str = "data/common-passwords.txt";

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo::rerun-if-changed={LIST}");
    let list = fs::read_to_string(LIST)?;
    // An FST takes its keys in byte order; the file is in order of commonness.
    let set = fst::Set::from_iter(list.lines().collect::<BTreeSet<_>>())?;
    let out = Path::new(&env::var("OUT_DIR")?).join("common-passwords.fst");
    Ok(fs::write(out, set.as_fst().as_bytes())?)
}
