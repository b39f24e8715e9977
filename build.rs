//! Compiles data into what is read where it lies in the binary: the list of common passwords into an
//! FST, Amazon's root certificates from PEM into DER.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, error, fs};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

const PASSWORDS: &str = "data/common-passwords.txt";
const ROOTS: &str = "data/amazon-roots.pem";

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo::rerun-if-changed={PASSWORDS}");
    println!("cargo::rerun-if-changed={ROOTS}");
    let out = env::var("OUT_DIR")?;
    let out = Path::new(&out);

    let passwords = fs::read_to_string(PASSWORDS)?;
    // An FST takes its keys in byte order; the file is in order of commonness.
    let passwords = fst::Set::from_iter(passwords.lines().collect::<BTreeSet<_>>())?;
    fs::write(out.join("common-passwords.fst"), passwords.as_fst().as_bytes())?;

    let roots = CertificateDer::pem_file_iter(ROOTS)?
        .map(|root| root.map(|root| format!("&{:?}, ", root.as_ref())))
        .collect::<Result<String, _>>()?;
    fs::write(out.join("amazon-roots.rs"), format!("[{roots}]"))?;
    Ok(())
}
