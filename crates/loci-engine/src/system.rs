//! What this process and this machine have.

/// The largest resident size this process has had, in bytes; `None` where the system does not say.
pub fn peak_resident_bytes() -> Option<u64> {
    kilobytes("/proc/self/status", "VmHWM:")
}

/// The resident size of this process, in bytes; `None` where the system does not say.
pub fn resident_bytes() -> Option<u64> {
    kilobytes("/proc/self/status", "VmRSS:")
}

/// Lets [`peak_resident_bytes`] begin anew from what is resident now; false where the system cannot.
pub fn restart_peak() -> bool {
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// Memory of the machine that programs may still use, in bytes; `None` where the system does not say.
pub fn available_memory() -> Option<u64> {
    kilobytes("/proc/meminfo", "MemAvailable:")
}

/// Memory of the machine in bytes; `None` where the system does not say.
pub fn total_memory() -> Option<u64> {
    kilobytes("/proc/meminfo", "MemTotal:")
}

/// The processor's name, where the system says it.
pub fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The value of a `Name: 123 kB` line, in bytes.
fn kilobytes(path: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_peak_grows_with_memory_that_is_touched() {
        let before = peak_resident_bytes().expect("Linux tells the peak");
        let block = vec![1_u8; 64 << 20];
        assert_eq!(block.iter().step_by(4096).map(|byte| u64::from(*byte)).sum::<u64>(), (64 << 20) / 4096);
        let after = peak_resident_bytes().expect("Linux tells the peak");
        assert!(after >= before.max(64 << 20));
        assert!(total_memory() >= available_memory());
        drop(block);
        if restart_peak() {
            assert!(peak_resident_bytes().expect("Linux tells the peak") < after, "the peak began anew");
        }
    }
}
