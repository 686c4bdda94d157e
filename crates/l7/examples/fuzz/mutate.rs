//! New inputs out of old ones.

/// Longest input.
const INPUT_BYTES_MAX: usize = 32 << 10;

/// Words that parsers stop at.
const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"GET / HTTP/1.1\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Go\r\nUpgrade: h2c\r\n\r\n",
    b"Content-Length: ",
    b"Transfer-Encoding: chunked\r\n",
    b"0\r\n\r\n",
    b"ffffffffffffffff",
    b"18446744073709551615",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"\x00\x00\x01\x01\x05\x00\x00\x00\x01\x82",
    b"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08",
    b"\x3f\xe1\xff\x03",
    b"\xff\xff\xff\xff\x0f",
    b"\x7f\xff\xff\xff",
    b"/{id}/{name}/",
    b";x=%2f",
    b"\xf0\x9f\x8c\x8a",
    b"\xc0\x0c",
    b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x1e\x00\x04\x7f\x00\x00\x01",
    b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00",
];

/// A small generator of random numbers (xorshift64*): the same seed gives the same run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        high as usize % most.max(1)
    }
}

/// Changes an input in a few places.
pub fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(6) {
        let at = random.below(input.len() + 1);
        let end = (at + random.below(64)).min(input.len());
        match random.below(9) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 if at < input.len() => input[at] = random.below(256) as u8,
            2 if at < input.len() => input[at] = input[at].wrapping_add(random.below(9) as u8),
            3 => drop(input.drain(at..end)),
            4 => {
                let copy = input[at..end].to_vec();
                let to = random.below(input.len() + 1);
                input.splice(to..to, copy);
            }
            5 => {
                let word = WORDS[random.below(WORDS.len())];
                input.splice(at..at, word.iter().copied());
            }
            6 => {
                let from = random.below(other.len() + 1);
                let to = (from + random.below(256)).min(other.len());
                input.splice(at..end, other[from..to].iter().copied());
            }
            7 => input.truncate(at),
            _ => input.insert(at, random.below(256) as u8),
        }
    }
    input.truncate(INPUT_BYTES_MAX);
}
