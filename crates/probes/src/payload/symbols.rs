//! Where functions are in a file that the kernel would load: as offsets, which is what it hooks.
//!
//! Reads of the file what it must, since programs with a library inside have a hundred megabytes.

use std::fs::File;

use object::elf::{self, FileHeader64};
use object::read::elf::{ElfFile64, SectionHeader, Sym, SymbolTable};
use object::{Endianness, Object, ObjectSegment, ReadCache, ReadRef};

type Elf<'data, R> = ElfFile64<'data, Endianness, R>;

/// For each of `names` that the file defines, its number in `names` and its offset. Symbols that
/// other files may use are looked at first; all others only where none of those is there.
pub(super) fn offsets(file: &File, names: &[&str]) -> Vec<(usize, usize)> {
    let cache = ReadCache::new(file);
    let Ok(elf) = Elf::parse(&cache) else { return Vec::new() };
    let tables = [elf.elf_dynamic_symbol_table(), elf.elf_symbol_table()];
    let found = tables.into_iter().map(|table| of_table(&elf, table, names).unwrap_or_default());
    found.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
}

/// Names are read as one piece: a program may have half a million of them.
fn of_table<'data, R: ReadRef<'data>>(
    elf: &Elf<'data, R>,
    table: &SymbolTable<'data, FileHeader64<Endianness>, R>,
    names: &[&str],
) -> Option<Vec<(usize, usize)>> {
    let (endian, sections) = (elf.endian(), elf.elf_section_table());
    let texts = sections.section(table.string_section()).ok()?.data(endian, elf.data()).ok()?;
    let mut found = Vec::new();
    for symbol in table.iter() {
        let is_code =
            symbol.st_type() == elf::STT_FUNC && symbol.st_shndx(endian) != elf::SHN_UNDEF;
        let name = texts.get(symbol.st_name(endian) as usize..).filter(|_| is_code);
        let is_it = |wanted: &&str| {
            let rest = name.and_then(|name| name.strip_prefix(wanted.as_bytes()));
            rest.is_some_and(|rest| rest.first() == Some(&0))
        };
        if let Some(number) = names.iter().position(is_it) {
            found.push((number, file_offset(elf, symbol.st_value(endian))?));
        }
    }
    found.sort_unstable();
    found.dedup_by_key(|(number, _)| *number);
    Some(found)
}

/// Where in the file a byte of the loaded program is.
pub(super) fn file_offset<'data>(elf: &impl Object<'data>, address: u64) -> Option<usize> {
    elf.segments().find_map(|segment| {
        let (offset, bytes) = segment.file_range();
        let into = address.checked_sub(segment.address()).filter(|into| *into < bytes)?;
        usize::try_from(offset.checked_add(into)?).ok()
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

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
        let found = offsets(&File::open(&path).expect("a test can open itself"), &names);
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
        for path in [manifest.as_path(), Path::new("/"), Path::new("/dev/null")] {
            let file = File::open(path).expect("it is there");
            assert_eq!(offsets(&file, &["SSL_read"]), []);
        }
    }
}
