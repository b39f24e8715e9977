//! Instructions instead of seconds.
use std::error::Error;
use std::path::Path;
pub(crate) async fn run(_binary: &Path, _update: bool) -> Result<bool, Box<dyn Error>> {
    Ok(true)
}
