//! The examples of RFC 7541, appendix C, and what a listener meets beyond them.

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let hex: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let digit = |b: u8| char::from(b).to_digit(16).expect("a digit") as u8;
    hex.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn fields(decoder: &mut Decoder, hex: &str, is_cut: bool) -> Result<String, Malformed> {
    let mut out = Vec::new();
    decoder.decode(Headers::standard(), &bytes(hex), is_cut, &mut |name, value| {
        out.push(format!("{name:?}={}", String::from_utf8_lossy(value)));
    })?;
    Ok(out.join(" "))
}

fn check(decoder: &mut Decoder, hex: &str, expected: &str) {
    assert_eq!(fields(decoder, hex, false).as_deref(), Ok(expected), "{hex}");
}

#[test]
fn requests_of_the_rfc() {
    let first = "Method=GET Target=http Path=/ Target=www.example.com";
    let third = "Method=GET Target=https Path=/index.html Target= Other=";
    for blocks in [
        [
            "828684410f7777772e6578616d706c652e636f6d",
            "828684be58086e6f2d6361636865",
            "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        ],
        [
            "828684418cf1e3c2e5f23a6ba0ab90f4ff",
            "828684be5886a8eb10649cbf",
            "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        ],
    ] {
        let mut decoder = Decoder::new();
        check(&mut decoder, blocks[0], first);
        assert_eq!(decoder.bytes, 57);
        check(&mut decoder, blocks[1], "Method=GET Target=http Path=/ Target= Other=");
        assert_eq!(decoder.bytes, 110);
        check(&mut decoder, blocks[2], third);
        assert_eq!(decoder.bytes, 164);
    }
}

#[test]
fn answers_of_the_rfc_with_a_table_that_evicts() {
    let mut decoder = Decoder::new();
    decoder.bytes_max = 256;
    let first = "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff\
                 6e919d29ad171863c78f0b97c8e9ae82ae43d3";
    check(&mut decoder, first, "Status=302 Other= Other= Other=");
    assert_eq!(decoder.bytes, 222);
    check(&mut decoder, "4883640effc1c0bf", "Status=307 Other= Other= Other=");
    assert_eq!(decoder.bytes, 222);
    let third = "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab\
                 77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f\
                 9587316065c003ed4ee5b1063d5007";
    check(&mut decoder, third, "Status=200 Other= Other= Other= Other= Other=");
    assert_eq!((decoder.bytes, decoder.entries.len()), (215, 3));
}

#[test]
fn whoever_missed_blocks_knows_what_came_since() {
    let mut decoder = Decoder::new();
    assert_eq!(fields(&mut decoder, "82be", false), Err(Malformed), "nothing is at 62");
    decoder.forget();
    check(&mut decoder, "82be", "Method=GET Unknown=");
    // The value of a name that is not known takes its place in the table all the same.
    check(
        &mut decoder,
        "44032f6178 7f000162 82bfbe",
        "Path=/ax Unknown=b Method=GET Path=/ax Unknown=b",
    );
}

#[test]
fn a_query_is_not_kept() {
    let mut decoder = Decoder::new();
    check(&mut decoder, "44052f613f623d", "Path=/a?b=");
    check(&mut decoder, "be", "Path=/a");
    assert_eq!(decoder.bytes, 32 + 5 + 5, "the table is as large as the encoder's");
}

#[test]
fn a_table_is_resized_by_its_encoder() {
    let mut decoder = Decoder::new();
    check(&mut decoder, "44022f61 44022f62", "Path=/a Path=/b");
    check(&mut decoder, "3f09 be", "Path=/b");
    assert_eq!((decoder.bytes_max, decoder.entries.len()), (40, 1));
    check(&mut decoder, "20 3fe11f", "");
    assert_eq!((decoder.bytes_max, decoder.entries.len()), (4096, 0));
}

#[test]
fn no_table_grows_beyond_its_bound() {
    let mut decoder = Decoder::new();
    // A size of 2^27, then entries of 34 bytes.
    assert!(fields(&mut decoder, "3fe1ffff3f", false).is_ok());
    assert_eq!(decoder.bytes_max, TABLE_BYTES_MAX);
    for _ in 0..10_000 {
        check(&mut decoder, "4001610162", "Other=");
    }
    assert!(decoder.entries.len() <= (TABLE_BYTES_MAX / ENTRY_BYTES) as usize);
    assert!(decoder.held_bytes() < 128 * 1024, "{}", decoder.held_bytes());
}

#[test]
fn a_block_cut_short_gives_what_is_whole() {
    let block = "828684418cf1e3c2e5f23a6ba0ab90f4ff";
    for length in (2..block.len()).step_by(2) {
        let cut = &block[..length];
        assert!(fields(&mut Decoder::new(), cut, true).is_ok(), "{cut}");
    }
    assert_eq!(fields(&mut Decoder::new(), &block[..10], false), Err(Malformed));
    for bad in ["80", "ff8080808080", "ffffffffff7f", "0085ffffffffff01"] {
        assert_eq!(fields(&mut Decoder::new(), bad, false), Err(Malformed), "{bad}");
    }
}

#[test]
fn long_values_are_cut_and_the_block_goes_on() {
    // `:path` without indexing, 5,000 bytes long, and `:method: GET`
    let mut block = vec![0x04, 0x7f, 0x89, 0x26];
    block.extend([b'a'; 5_000]);
    block.push(0x82);
    let mut found = Vec::new();
    let mut decoder = Decoder::new();
    let read = decoder.decode(Headers::standard(), &block, false, &mut |name, value| {
        found.push((name, value.len()));
    });
    assert_eq!(read, Ok(()));
    assert_eq!(found, [(Name::Path, VALUE_BYTES_MAX), (Name::Method, 3)]);
}

#[test]
fn headers_of_the_list_are_read_and_kept_and_no_others() {
    let headers = Headers::new(&["x-id", "user-agent"]).expect("a list");
    let mut decoder = Decoder::new();
    let mut read = |block: &[u8]| {
        let mut found = Vec::new();
        let done = decoder.decode(&headers, block, false, &mut |name, value| {
            found.push(format!("{name:?}={}", String::from_utf8_lossy(value)));
        });
        assert_eq!(done, Ok(()));
        found.join(" ")
    };
    // literal with indexing: a name of its own, one of the static table (58), `cookie` (32), and
    // what is not asked for
    assert_eq!(read(b"\x40\x04x-id\x03abc"), "Header(0)=abc");
    assert_eq!(read(b"\x7a\x04curl\x60\x06secret"), "Header(1)=curl Other=");
    assert_eq!(read(b"\x40\x0btraceparent\x01x"), "Other=");
    // the dynamic table: the newest is 62
    assert_eq!(read(&[0xc1, 0xc0, 0xbf, 0xbe]), "Header(0)=abc Header(1)=curl Other= Other=");
}
