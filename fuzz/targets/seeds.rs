//! Writes `corpus/TARGET/seed-N` for every target: whole files, from which the fuzzer goes on.
use std::fs;
use std::io;
use std::path::Path;

use lookback_fuzz::seeds;

fn main() -> io::Result<()> {
    for (number, (target, bytes)) in seeds().into_iter().enumerate() {
        let dir = Path::new("corpus").join(target);
        fs::create_dir_all(&dir)?;
        fs::write(dir.join(format!("seed-{number}")), bytes)?;
    }
    Ok(())
}
