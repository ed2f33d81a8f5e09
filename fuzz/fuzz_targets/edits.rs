//! A valid file with a few bytes changed reaches deeper than random bytes do.

/// `file` with bytes overwritten at `(offset, byte)` (offsets wrap around), cut to `length` bytes if that is shorter.
pub fn edited(mut file: Vec<u8>, edits: &[(u32, u8)], length: Option<u32>) -> Vec<u8> {
    let size = file.len();
    for (offset, byte) in edits {
        file[*offset as usize % size] = *byte;
    }
    file.truncate(length.map_or(size, |length| length as usize));
    file
}
