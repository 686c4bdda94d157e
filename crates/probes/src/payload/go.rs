//! Functions in programs of Go: where each begins and where it returns, as offsets in the file.
//!
//! Reads the table that Go's runtime uses for its tracebacks (`pclntab`, of Go 1.18 and later): it
//! is there in programs without symbols, too. Believes it only where the code at that place begins
//! as Go's functions do, because a hook in the middle of an instruction would break the program.

use std::fs::File;
use std::ops::Range;

use object::read::elf::ElfFile64;
use object::{
    Endianness, Object, ObjectSection, ObjectSymbol, ReadCache, ReadRef, RelocationTarget,
};

use super::symbols::file_offset;

/// A function by its number among those that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) number: usize,
    /// Where it has made sure of its stack; arguments are still where the caller put them. Its
    /// very beginning runs twice where the stack must grow.
    pub(super) body: usize,
    pub(super) returns: Vec<usize>,
}

/// Sections that may hold the table; in the last one other data may be before it.
const SECTIONS: [&str; 3] = [".gopclntab", ".data.rel.ro.gopclntab", ".data.rel.ro"];

/// What the table of Go 1.18 and of 1.20 begins with (`runtime/symtab.go`), on machines with
/// 64 bits and little-endian.
const MAGICS: [[u8; 6]; 2] = [[0xf0, 0xff, 0xff, 0xff, 0, 0], [0xf1, 0xff, 0xff, 0xff, 0, 0]];

/// Longest function that is looked through.
const CODE_BYTES_MAX: usize = 1 << 16;

type Elf<'data, R> = ElfFile64<'data, Endianness, R>;

/// Those of `names` that the file has; none if it is no program of Go.
pub(super) fn functions(file: &File, names: &[&str]) -> Vec<Function> {
    let cache = ReadCache::new(file);
    let Ok(elf) = Elf::parse(&cache) else { return Vec::new() };
    if elf.section_by_name(".go.buildinfo").is_none() {
        return Vec::new();
    }
    SECTIONS.iter().find_map(|name| of_section(&elf, name, names)).unwrap_or_default()
}

fn of_section<'data, R: ReadRef<'data>>(
    elf: &Elf<'data, R>,
    section: &str,
    names: &[&str],
) -> Option<Vec<Function>> {
    let section = elf.section_by_name(section)?;
    let data = section.data().ok()?;
    let at = (0..data.len()).step_by(32).find(|at| {
        let rest = data.get(*at..).unwrap_or_default();
        MAGICS.iter().any(|magic| rest.starts_with(magic)) && rest.get(7) == Some(&8)
    })?;
    let table = Table { bytes: data.get(at..)? };
    let text = match table.word(24)? {
        0 => text_start(elf, section.address() + at as u64 + 24)?,
        known => known,
    };
    let found = table.find(names)?;
    let function = |(number, range): (usize, Range<u64>)| {
        let code = code(elf, text + range.start..text + range.end)?;
        let entry = file_offset(elf, text + range.start)?;
        let Places { body, returns } = places(elf.architecture(), code)?;
        let returns = returns.iter().map(|at| entry + at).collect();
        Some(Function { number, body: entry + body, returns })
    };
    Some(found.into_iter().filter_map(function).collect())
}

/// The table, from its header on. All numbers are read with care: files may be anything.
struct Table<'data> {
    bytes: &'data [u8],
}

impl<'data> Table<'data> {
    fn word(&self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(*self.bytes.get(at..)?.first_chunk()?))
    }

    fn half(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(*self.bytes.get(at..)?.first_chunk()?))
    }

    fn part(&self, at: usize) -> Option<Table<'data>> {
        let from = usize::try_from(self.word(at)?).ok()?;
        Some(Table { bytes: self.bytes.get(from..)? })
    }

    /// Numbers of names, each with its range from the beginning of the text on.
    fn find(&self, names: &[&str]) -> Option<Vec<(usize, Range<u64>)>> {
        let count = usize::try_from(self.word(8)?).ok()?;
        let (texts, functions) = (self.part(32)?, self.part(64)?);
        let mut found = Vec::new();
        // Pairs of where a function begins and where more is said of it.
        for at in (0..count).map(|number| number * 8) {
            let about = functions.half(at + 4)? as usize;
            let name = texts.bytes.get(functions.half(about + 4)? as usize..)?;
            let is_it = |wanted: &&str| {
                name.strip_prefix(wanted.as_bytes()).is_some_and(|rest| rest.first() == Some(&0))
            };
            if let Some(number) = names.iter().position(is_it) {
                let range = functions.half(at)?.into()..functions.half(at + 8)?.into();
                found.push((number, range));
            }
        }
        Some(found)
    }
}

/// Where Go's code begins, of a program that is moved when it is loaded: the word is filled in
/// then, or it says nothing at all and the symbol must.
fn text_start<'data>(elf: &Elf<'data, impl ReadRef<'data>>, word: u64) -> Option<u64> {
    let mut relocations = elf.dynamic_relocations().into_iter().flatten();
    let at = relocations.find(|(at, _)| *at == word).and_then(|(_, relocation)| {
        let is_base = relocation.target() == RelocationTarget::Absolute;
        is_base.then_some(relocation.addend()).and_then(|addend| u64::try_from(addend).ok())
    });
    at.or_else(|| {
        let mut symbols = elf.symbols();
        Some(symbols.find(|symbol| symbol.name_bytes() == Ok(b"runtime.text"))?.address())
    })
    .or_else(|| Some(elf.section_by_name(".text")?.address()))
}

fn code<'data>(elf: &Elf<'data, impl ReadRef<'data>>, range: Range<u64>) -> Option<&'data [u8]> {
    let bytes =
        range.end.checked_sub(range.start).filter(|bytes| *bytes <= CODE_BYTES_MAX as u64)?;
    elf.sections().find_map(|section| section.data_range(range.start, bytes).ok().flatten())
}

/// Places in a function's code.
#[derive(Debug, PartialEq, Eq)]
struct Places {
    body: usize,
    returns: Vec<usize>,
}

/// None if the code is not what Go's compiler makes.
fn places(architecture: object::Architecture, code: &[u8]) -> Option<Places> {
    match architecture {
        object::Architecture::X86_64 => places_of_x86(code),
        object::Architecture::Aarch64 => places_of_arm(code),
        _ => None,
    }
}

fn places_of_x86(code: &[u8]) -> Option<Places> {
    use iced_x86::{Decoder, DecoderOptions, Mnemonic, Register};
    let mut decoder = Decoder::new(64, code, DecoderOptions::NONE);
    let mut returns = Vec::new();
    let (mut is_of_go, mut body) = (false, None);
    while decoder.can_decode() {
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            return None;
        }
        let at = usize::try_from(instruction.ip()).ok()?;
        // Whether the stack suffices: a comparison with a field of the goroutine, in r14.
        is_of_go |= at < 16
            && instruction.memory_base() == Register::R14
            && instruction.memory_displacement64() == 16;
        // If not, it jumps to its end, asks for more and begins again.
        if is_of_go && body.is_none() && instruction.mnemonic() == Mnemonic::Jbe {
            body = Some(usize::try_from(instruction.next_ip()).ok()?);
        }
        if instruction.mnemonic() == Mnemonic::Ret {
            returns.push(at);
        }
    }
    Some(Places { body: body?, returns }).filter(|places| !places.returns.is_empty())
}

fn places_of_arm(code: &[u8]) -> Option<Places> {
    const RETURN: [u8; 4] = 0xd65f_03c0_u32.to_le_bytes();
    // Whether the stack suffices: ldr x16, [x28, #16].
    const STACK_LIMIT: [u8; 4] = 0xf940_0b90_u32.to_le_bytes();
    let words = || code.chunks_exact(4).enumerate();
    let is_of_go = words().take(4).any(|(_, word)| word == STACK_LIMIT);
    let returns: Vec<_> =
        words().filter(|(_, word)| *word == RETURN).map(|(number, _)| number * 4).collect();
    // b.ls: the first jump on a condition.
    let is_jump = |word: &[u8]| word.last() == Some(&0x54);
    let jump = words().take(8).find(|(_, word)| is_jump(word)).filter(|_| is_of_go)?;
    Some(Places { body: (jump.0 + 1) * 4, returns }).filter(|places| !places.returns.is_empty())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn returns_are_found_only_in_code_of_go() {
        // cmp rsp, [r14+16]; jbe +2; mov eax, 0xc3; ret
        let code = [0x49, 0x3b, 0x66, 0x10, 0x76, 0x06, 0xb8, 0xc3, 0, 0, 0, 0xc3];
        let expected = Places { body: 6, returns: vec![11] };
        assert_eq!(places_of_x86(&code), Some(expected), "0xc3 within an instruction is none");
        assert_eq!(places_of_x86(&code[6..]), None, "it does not begin as Go's functions do");
        assert_eq!(places_of_x86(&[0x49, 0x3b, 0x66, 0x10, 0x06]), None, "no instruction");
        // ldr x16, [x28, #16]; cmp sp, x16; b.ls; ret; nop; ret
        let words =
            [0xf940_0b90_u32, 0xeb30_63ff, 0x5400_0169, 0xd65f_03c0, 0xd503_201f, 0xd65f_03c0];
        let arm: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(places_of_arm(&arm), Some(Places { body: 12, returns: vec![12, 20] }));
        assert_eq!(places_of_arm(&arm[4..]), None);
    }

    #[test]
    fn a_table_is_believed_as_far_as_it_goes() {
        let mut bytes = [&MAGICS[1][..], &[1, 8]].concat();
        for word in [1_u64, 0, 0x1000, 72, 0, 0, 0, 80] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(b"a.b\0a.c\0");
        // One function, its end, and what is said of it.
        for half in [0x20_u32, 12, 0x60, 0x20, 4] {
            bytes.extend(half.to_le_bytes());
        }
        let find = |bytes: &[u8]| Table { bytes }.find(&["a.x", "a.c"]);
        assert_eq!(find(&bytes), Some(vec![(1, 0x20..0x60)]));
        for cut in 0..bytes.len() {
            assert_eq!(find(&bytes[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn what_is_no_program_of_go_has_none() {
        let test = std::env::current_exe().expect("a test is a program");
        for path in [test.as_path(), Path::new("/"), Path::new("/dev/null")] {
            let file = File::open(path).expect("it is there");
            assert_eq!(functions(&file, &["main.main"]), []);
        }
    }
}
