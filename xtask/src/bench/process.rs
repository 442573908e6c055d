//! The memory of a process, as Linux reports it.

use std::fs;

use crate::error::Error;

/// The memory of a process, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    /// The memory now.
    pub now: u64,
    /// The part beside its program's files.
    pub own: u64,
    /// The most it has held since [`reset_peak`], or since its start.
    pub peak: u64,
}

/// The memory of the process.
pub fn resident(pid: u32) -> Result<Resident, Error> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).map_err(Error::file(format!("read {path}")))?;
    parse(&text).ok_or_else(|| Error::Measurement(format!("{path} does not say what the process holds")))
}

/// Resets the peak. Where that is not possible, it stays the peak since the start.
pub fn reset_peak(pid: u32) {
    let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
}

fn parse(status: &str) -> Option<Resident> {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    Some(Resident { now: field("VmRSS:")?, own: field("RssAnon:")?, peak: field("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_numbers_are_read() {
        let status = "Name:\tstrata\nVmHWM:\t  523000 kB\nVmRSS:\t   29412 kB\nRssAnon:\t    9412 kB\nThreads:\t5\n";
        assert_eq!(parse(status), Some(Resident { now: 29_412, own: 9_412, peak: 523_000 }));
        assert_eq!(parse("Name:\tstrata\n"), None);
        assert!(resident(std::process::id()).is_ok_and(|own| own.now > 0 && own.peak >= own.now));
    }
}
