//! The Huffman code of HPACK (RFC 7541, appendix B).
//!
//! The code is canonical: codes of one length are consecutive, in the order of their symbols, so
//! the lengths alone give the codes.

use super::Malformed;

const SYMBOLS: usize = 257;
const END_OF_STRING: u16 = 256;
const BITS_MAX: usize = 30;
/// Codes up to this length are found in one step; they are those of all common characters.
const STEP_BITS: usize = 9;

/// The length in bits of each symbol's code.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11,
    10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8,
    15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5,
    6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
    23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21,
    23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25,
    26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26,
    28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/// All codes in their order, and where those of each length begin.
struct Code {
    symbols: [u16; SYMBOLS],
    /// The first code of each length, and the place of its symbol.
    first: [u32; BITS_MAX + 1],
    place: [u16; BITS_MAX + 2],
    /// Symbol and length of the code that these bits begin with; length 0: a longer code.
    step: [(u16, u8); 1 << STEP_BITS],
}

static CODE: Code = code();

const fn code() -> Code {
    let mut made = Code {
        symbols: [0; SYMBOLS],
        first: [0; BITS_MAX + 1],
        place: [0; BITS_MAX + 2],
        step: [(0, 0); 1 << STEP_BITS],
    };
    let (mut length, mut next, mut placed) = (1, 0u32, 0);
    while length <= BITS_MAX {
        next <<= 1;
        made.first[length] = next;
        made.place[length] = placed as u16;
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                made.symbols[placed] = symbol as u16;
                if length <= STEP_BITS {
                    let spare = STEP_BITS - length;
                    let mut fill = 0;
                    while fill < 1 << spare {
                        let at = ((next as usize) << spare) + fill;
                        made.step[at] = (symbol as u16, length as u8);
                        fill += 1;
                    }
                }
                placed += 1;
                next += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    made.place[BITS_MAX + 1] = placed as u16;
    made
}

/// Decodes a string. It ends with at most 7 bits of padding, all ones.
pub fn decode(raw: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let (mut bits, mut count) = (0u64, 0usize);
    let mut bytes = raw.iter();
    loop {
        while count <= 56 - 8 {
            let Some(byte) = bytes.next() else { break };
            bits = bits << 8 | u64::from(*byte);
            count += 8;
        }
        let Some((symbol, length)) = symbol(bits, count) else { break };
        if symbol == END_OF_STRING {
            return Err(Malformed);
        }
        out.push(symbol as u8);
        count -= length;
        bits &= (1 << count) - 1;
    }
    let is_padding = count < 8 && bits == (1 << count) - 1;
    if is_padding { Ok(()) } else { Err(Malformed) }
}

/// The symbol that the `count` bits begin with, if they hold its whole code.
fn symbol(bits: u64, count: usize) -> Option<(u16, usize)> {
    let ahead =
        if count >= STEP_BITS { bits >> (count - STEP_BITS) } else { bits << (STEP_BITS - count) };
    let (symbol, length) = CODE.step[ahead as usize & ((1 << STEP_BITS) - 1)];
    if length > 0 {
        return (usize::from(length) <= count).then_some((symbol, length.into()));
    }
    for length in STEP_BITS + 1..=BITS_MAX.min(count) {
        let code = (bits >> (count - length)) as u32;
        let many = u32::from(CODE.place[length + 1] - CODE.place[length]);
        if let Some(at) = code.checked_sub(CODE.first[length]).filter(|at| *at < many) {
            return Some((CODE.symbols[usize::from(CODE.place[length]) + at as usize], length));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodes with the codes that the lengths give.
    fn encode(text: &[u8]) -> Vec<u8> {
        let (mut bits, mut count, mut out) = (0u64, 0, Vec::new());
        for byte in text {
            let length = usize::from(LENGTHS[usize::from(*byte)]);
            let places = CODE.place[length]..CODE.place[length + 1];
            let at = places.clone().position(|p| CODE.symbols[usize::from(p)] == u16::from(*byte));
            let code = CODE.first[length] + at.expect("each symbol has a code") as u32;
            bits = bits << length | u64::from(code);
            count += length;
            while count >= 8 {
                out.push((bits >> (count - 8)) as u8);
                count -= 8;
                bits &= (1 << count) - 1;
            }
        }
        if count > 0 {
            out.push((bits << (8 - count)) as u8 | (0xff >> count));
        }
        out
    }

    #[test]
    fn codes_of_the_rfc() {
        for (text, expected) in [
            ("www.example.com", "f1e3c2e5f23a6ba0ab90f4ff"),
            ("no-cache", "a8eb10649cbf"),
            ("custom-value", "25a849e95bb8e8b4bf"),
            ("Mon, 21 Oct 2013 20:13:21 GMT", "d07abe941054d444a8200595040b8166e082a62d1bff"),
            ("gzip", "9bd9ab"),
        ] {
            let raw = encode(text.as_bytes());
            let hex: String = raw.iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(hex, expected, "{text}");
            let mut out = Vec::new();
            decode(&raw, &mut out).expect("a string");
            assert_eq!(out, text.as_bytes());
        }
    }

    #[test]
    fn every_byte_there_and_back() {
        let text: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        let mut out = Vec::new();
        decode(&encode(&text), &mut out).expect("a string");
        assert_eq!(out, text);
    }

    #[test]
    fn bad_ends_are_refused() {
        for raw in [&[0xff][..], &[0xff, 0xff, 0xff, 0xff], &[0x00], &[0xf8, 0xff]] {
            assert_eq!(decode(raw, &mut Vec::new()), Err(Malformed), "{raw:x?}");
        }
    }
}
