//! gzip for the few bodies that are worth it, in one pass.

use flate2::{Compression, GzBuilder};
use std::io::{self, Write};

/// Shorter bodies travel as they are: what they save is not worth their time (the generic API
/// server's value).
pub(crate) const BYTES_MIN: usize = 128 * 1024;

/// `body` as a gzip file of one member, quickly rather than small: lists of metrics repeat themselves
/// from item to item, so the lowest level finds nearly all that there is to find.
///
/// # Errors
///
/// None that memory as a destination knows.
pub(crate) fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    let packed = Vec::with_capacity(body.len() / 8);
    let mut writer = GzBuilder::new().write(packed, Compression::fast());
    writer.write_all(body)?;
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// What the machine's own gzip makes of it.
    fn unpacked(packed: &[u8]) -> Vec<u8> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(packed).unwrap();
        let output =
            Command::new("gzip").arg("-dc").arg("-").stdin(file.reopen().unwrap()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    #[test]
    fn gzip_reads_what_is_written() {
        let item = |idx: usize| {
            let pod =
                format!(r#"{{"kind":"Pod","namespace":"inference","name":"llama-{idx:05}"}}"#);
            format!(r#"{{"describedObject":{pod},"value":"{}m"}},"#, idx * 7_919)
        };
        let list: String = (0..20_000).map(item).collect();
        for body in [&b""[..], list.as_bytes()] {
            assert_eq!(unpacked(&gzip(body).unwrap()), body, "{} bytes", body.len());
        }
        let share = list.len() / gzip(list.as_bytes()).unwrap().len();
        assert!(share >= 5, "a list of metrics becomes 1/{share}");
    }
}
