//! Where functions are in a file that the kernel would load: as offsets, which is what it hooks.
//!
//! Reads of the file what it must, since programs with a library inside have a hundred megabytes.

use std::fs::File;
use std::path::Path;

use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSegment, ObjectSymbol, ReadCache};

/// For each of `names` that the file defines, its number in `names` and its offset. Symbols that
/// other files may use are looked at first; all others only where none of those is there.
pub(super) fn offsets(path: &Path, names: &[&str]) -> Vec<(usize, usize)> {
    let Ok(file) = File::open(path) else { return Vec::new() };
    let cache = ReadCache::new(file);
    let Ok(elf) = ElfFile64::<Endianness, _>::parse(&cache) else { return Vec::new() };
    let find = |symbols: &mut dyn Iterator<Item = (&[u8], u64)>| -> Vec<(usize, usize)> {
        let mut found: Vec<_> = symbols
            .filter_map(|(name, address)| {
                let number = names.iter().position(|wanted| wanted.as_bytes() == name)?;
                Some((number, file_offset(&elf, address)?))
            })
            .collect();
        found.sort_unstable();
        found.dedup_by_key(|(number, _)| *number);
        found
    };
    let defined = find(&mut elf.dynamic_symbols().filter(|s| s.is_definition()).filter_map(named));
    if !defined.is_empty() {
        return defined;
    }
    find(&mut elf.symbols().filter(|s| s.is_definition()).filter_map(named))
}

fn named<'data>(symbol: impl ObjectSymbol<'data>) -> Option<(&'data [u8], u64)> {
    Some((symbol.name_bytes().ok()?, symbol.address()))
}

fn file_offset<'data>(elf: &impl Object<'data>, address: u64) -> Option<usize> {
    elf.segments().find_map(|segment| {
        let (offset, bytes) = segment.file_range();
        let into = address.checked_sub(segment.address()).filter(|into| *into < bytes)?;
        usize::try_from(offset.checked_add(into)?).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function that only this test has.
    #[unsafe(no_mangle)]
    extern "C" fn weir_symbols_are_found_here() -> u32 {
        7
    }

    #[test]
    fn a_function_is_found_where_its_code_is() {
        let path = std::env::current_exe().expect("a test is a program");
        let names = ["no_such_function", "weir_symbols_are_found_here"];
        assert_eq!(weir_symbols_are_found_here(), 7);
        let found = offsets(&path, &names);
        let [(1, offset)] = found[..] else { panic!("{found:?}") };
        let code = std::fs::read(&path).expect("a test can read itself");
        let address = weir_symbols_are_found_here as *const u8;
        // SAFETY: the code of a function may be read, and this one has more than four bytes.
        let expected = unsafe { std::slice::from_raw_parts(address, 4) };
        assert_eq!(&code[offset..offset + 4], expected);
    }

    #[test]
    fn what_is_no_library_has_no_functions() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        for path in [manifest.as_path(), Path::new("/none"), Path::new("/")] {
            assert_eq!(offsets(path, &["SSL_read"]), []);
        }
    }
}
