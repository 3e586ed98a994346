//! TensorBoard's event files: records of `TFRecord`, each a protocol buffer `Event` (tensorflow/core/util/event.proto).
//!
//! ```text
//! record   length: u64 | masked CRC-32C of the length: u32 | data | masked CRC-32C of the data: u32      little-endian
//! event    1: wall time (double)  2: step (varint)  3: version (string)  5: summary  7: session log
//! summary  1: value, repeated: 1: tag (string)  2: number (float)
//! ```
//!
//! A reader that meets the session log of a resumed run forgets what an earlier file says of its step and later ones.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::TrainError;

/// How event files are called, around the time and the process.
const NAME: [&str; 2] = ["events.out.tfevents.", ".lookback"];

/// An event file.
#[derive(Debug)]
pub(super) struct Events {
    path: PathBuf,
    file: File,
}

impl Events {
    /// A new file in `dir` for a run that has made `updates` updates.
    pub(super) fn create(dir: &Path, updates: u64) -> Result<Self, TrainError> {
        let [before, after] = NAME;
        let name = format!("{before}{:.6}.{}{after}", now(), std::process::id());
        let path = dir.join(name);
        let file = File::create(&path).map_err(|source| TrainError::Write { path: path.clone(), source })?;
        let mut events = Self { path, file };
        events.write(&event(0, &string(3, "brain.Event:2")))?;
        if updates > 0 {
            // Status 1: a session starts.
            events.write(&event(updates + 1, &message(7, &varint_field(1, 1))))?;
        }
        Ok(events)
    }

    /// Numbers of a step, under their names.
    pub(super) fn scalars(&mut self, step: u64, scalars: &[(String, f64)]) -> Result<(), TrainError> {
        let value = |(tag, number): &(String, f64)| message(1, &[string(1, tag), float(2, *number as f32)].concat());
        let summary: Vec<u8> = scalars.iter().flat_map(value).collect();
        self.write(&event(step, &message(5, &summary)))
    }

    fn write(&mut self, data: &[u8]) -> Result<(), TrainError> {
        let length = (data.len() as u64).to_le_bytes();
        let record = [&length[..], &masked(&length), data, &masked(data)].concat();
        self.file.write_all(&record).map_err(|source| TrainError::Write { path: self.path.clone(), source })
    }
}

/// Removes the event files of an earlier run.
pub(super) fn remove(dir: &Path) -> io::Result<()> {
    let [before, after] = NAME;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(before) && name.ends_with(after) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Seconds since 1970; a clock before that says 0.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

fn event(step: u64, what: &[u8]) -> Vec<u8> {
    let mut out = vec![1 << 3 | 1];
    out.extend(now().to_le_bytes());
    out.extend(varint_field(2, step));
    out.extend(what);
    out
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_field(field: u8, value: u64) -> Vec<u8> {
    let mut out = vec![field << 3];
    varint(value, &mut out);
    out
}

fn message(field: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    varint(content.len() as u64, &mut out);
    out.extend(content);
    out
}

fn string(field: u8, text: &str) -> Vec<u8> {
    message(field, text.as_bytes())
}

fn float(field: u8, number: f32) -> Vec<u8> {
    let mut out = vec![field << 3 | 5];
    out.extend(number.to_le_bytes());
    out
}

/// CRC-32C, rotated and shifted, so that a checksum over checksums stays a good one.
fn masked(data: &[u8]) -> [u8; 4] {
    (crc32c(data).rotate_right(15).wrapping_add(0xA282_EAD8)).to_le_bytes()
}

/// CRC-32C (Castagnoli), reflected, bit by bit: events are few and short.
fn crc32c(data: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
    !data.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_castagnolis() {
        // RFC 3720, B.4, and the check value of the CRC catalogues.
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[0xFF; 32]), 0x62A8_AB43);
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn numbers_are_spelled_as_protocol_buffers() {
        assert_eq!(varint_field(2, 300), [0x10, 0xAC, 0x02]);
        assert_eq!(string(1, "a/b"), b"\x0A\x03a/b");
        assert_eq!(float(2, 1.0), [0x15, 0, 0, 0x80, 0x3F]);
    }
}
