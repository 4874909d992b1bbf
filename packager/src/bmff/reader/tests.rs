use super::{Boxes, Error, FourCc, check_tables, tree};

fn boxed(kind: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    [&(contents.len() as u32 + 8).to_be_bytes(), kind, contents].concat()
}

#[test]
fn impossible_sizes_are_named_with_their_place() {
    let free = boxed(b"free", b"");
    let cases: [(&[u8], &str); 5] = [
        (b"\0\0\0\x07moov", "box `moov` at byte 8 says it is 7 bytes long, but it needs at least 8"),
        (
            b"\0\0\0\x20moov",
            "box `moov` at byte 8 says it is 32 bytes long, but only 8 are left: the file is cut short or damaged",
        ),
        (b"\0\0\0", "at byte 8 only 3 bytes are left; a box has a header of at least 8"),
        (b"\0\0\0\x01moov\0\0", "at byte 8 only 10 bytes are left; a box has a header of at least 8"),
        (
            b"\0\0\0\x01moov\0\0\0\0\0\0\0\x0f",
            "box `moov` at byte 8 says it is 15 bytes long, but it needs at least 16",
        ),
    ];
    for (bytes, message) in cases {
        let file = [&free, bytes].concat();
        let found: Vec<_> = Boxes::new(&file, 0).collect();
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].as_ref().unwrap_err().to_string(), message);
    }
}

#[test]
fn size_zero_reaches_to_the_end_of_the_file_but_not_of_a_container() {
    let found: Vec<_> = Boxes::new(b"\0\0\0\0mdat1234", 0).collect();
    assert_eq!(found[0].as_ref().unwrap().contents, b"1234");
    let nested = boxed(b"moov", b"\0\0\0\0trak1234");
    assert!(matches!(check_tables(&nested), Err(Error::OpenEnded { offset: 8, .. })));
}

#[test]
fn nesting_without_end_is_refused() {
    let deep = (0..1000).fold(Vec::new(), |inner, _| boxed(b"moov", &inner));
    assert!(matches!(check_tables(&deep), Err(Error::TooDeep { .. })));
    assert!(tree(&deep).lines().count() < 20);
}

#[test]
fn a_table_that_does_not_fit_is_refused() {
    let table = |kind, head: &[u8], count: u32, rows: usize| {
        boxed(kind, &[head, &count.to_be_bytes(), &vec![1; rows]].concat())
    };
    for (kind, head, row) in [
        (b"stts", 4, 8),
        (b"ctts", 4, 8),
        (b"stco", 4, 4),
        (b"co64", 4, 8),
        (b"stss", 4, 4),
        (b"elst", 4, 12),
        (b"stsz", 8, 4),
    ] {
        let head = vec![0; head];
        assert_eq!(check_tables(&table(kind, &head, 3, 3 * row)), Ok(()), "{kind:?}");
        for (count, room) in [(4, 3), (u32::MAX, 3)] {
            let entries = u64::from(count);
            let expected = Error::Table { kind: FourCc(*kind), offset: 0, entries, room };
            assert_eq!(check_tables(&table(kind, &head, count, 3 * row)), Err(expected));
        }
    }
}

#[test]
fn a_terminator_is_read_over_but_does_not_pass_the_check() {
    let quicktime = boxed(b"udta", &[&boxed(b"free", b"")[..], &[0; 4]].concat());
    assert_eq!(tree(&quicktime), "udta 20\n  free 8  0 bytes\n");
    assert!(matches!(check_tables(&quicktime), Err(Error::HeaderCut { offset: 16, left: 4 })));
}

#[test]
fn a_timescale_of_zero_and_an_empty_chunk_are_refused() {
    let error = check_tables(&boxed(b"mdhd", &[0; 24])).unwrap_err();
    assert_eq!(error.to_string(), "box `mdhd` at byte 0 has a timescale of 0 ticks per second");
    let row =
        |first: u32, samples: u32| [first.to_be_bytes(), samples.to_be_bytes(), 1_u32.to_be_bytes()].concat();
    let chunks = |rows: &[Vec<u8>]| {
        boxed(b"stsc", &[&[0; 4][..], &(rows.len() as u32).to_be_bytes(), &rows.concat()].concat())
    };
    assert_eq!(check_tables(&chunks(&[row(1, 2), row(3, 1)])), Ok(()));
    for rows in [[row(1, 2), row(1, 1)], [row(1, 0), row(2, 1)], [row(2, 1), row(3, 1)]] {
        assert!(matches!(check_tables(&chunks(&rows)), Err(Error::Value { .. })));
    }
}
