use std::{
    io::Read,
    process::{Command, Stdio},
    time::Duration,
};

use headwater_packager::{
    time::Timescale,
    window::{Era, Open, Part, Segment, Window},
};

use super::*;

#[test]
fn a_document_is_coded_once_and_under_a_tag_of_its_own() {
    let text = "#EXTINF:2.00000,\n933000000.m4s\n".repeat(50);
    let document = Document::new(text.clone());
    let (gzip, zstd) = (document.coded(Coding::Gzip).unwrap(), document.coded(Coding::Zstd).unwrap());
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&gzip.bytes[..]).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, text);
    assert_eq!(zstd::bulk::decompress(&zstd.bytes, 10_000).unwrap(), text.as_bytes());
    assert!(gzip.etag != zstd.etag && gzip.etag != document.etag && zstd.etag != document.etag);
    let again = document.coded(Coding::Zstd).unwrap();
    assert_eq!(again.bytes.as_ptr(), zstd.bytes.as_ptr());
}

#[test]
fn what_does_not_get_shorter_is_not_coded() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        assert_eq!(Document::new("#EXTM3U\n").coded(coding), None, "{coding}");
    }
}

/// A list that goes on, of segments of two seconds, in low latency.
struct Channel {
    window: Window,
    era: Arc<Era>,
    next: i64,
}

impl Channel {
    fn of(count: i64) -> Self {
        let era = Arc::new(Era { first: 1, init: "init-a.mp4".into(), sequence: 0 });
        let window = Window::new(Duration::from_secs(4 * 3600), Timescale::new(1000).unwrap());
        let mut channel = Self { window, era, next: 933_000_000 };
        (0..count).for_each(|_| channel.closes());
        channel
    }

    fn closes(&mut self) {
        let (number, era) = (self.next, self.era.clone());
        let (start, duration, parts) = (number * 2000, 2000, parts(5));
        self.window.push(Segment { number, start, duration, size: 9, parts, era, captured_at: 0 });
        self.next += 1;
    }

    fn media<T>(&self, published: usize, render: impl FnOnce(&hls::Media<'_>) -> T) -> T {
        let (number, era) = (self.next, self.era.clone());
        let open = Open { number, start: number * 2000, parts: parts(published), era };
        let low_latency = Some(hls::LowLatency {
            part_target: Duration::from_millis(400),
            open: Some(&open),
            hint: Some((number, published as u32)),
            reports: &[],
        });
        let kind = hls::Kind::Live;
        render(&hls::Media { window: &self.window, target_duration: 2, kind, low_latency })
    }

    fn document(&self, published: usize, before: Option<&Document>) -> Document {
        let past = before.and_then(Document::past);
        self.media(published, |media| Document::list(&hls::list(media, past), before))
    }

    fn text(&self, published: usize) -> String {
        self.media(published, hls::media)
    }
}

fn parts(count: usize) -> Vec<Part> {
    (0..count).map(|index| Part { duration: 400, size: 1000, independent: index == 0 }).collect()
}

fn pieces(document: &Document) -> Vec<Bytes> {
    (0..).map_while(|index| document.piece(index).cloned()).collect()
}

/// What a program that is not ours makes of a stream of gzip: it takes one member, and complains of what is wrong.
fn unpacked(gzip: &[u8]) -> Vec<u8> {
    let mut program =
        Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, bytes) = (program.stdin.take().unwrap(), gzip.to_vec());
    let writing = std::thread::spawn(move || input.write_all(&bytes));
    let output = program.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success());
    output.stdout
}

#[test]
fn a_long_list_goes_in_pieces_and_a_short_one_in_one() {
    for (count, is_long) in [(30, false), (700, false), (7200, true)] {
        let channel = Channel::of(count);
        let document = channel.document(2, None);
        let text = channel.text(2);
        assert_eq!(pieces(&document).len() > 1, is_long, "{count}");
        assert_eq!(pieces(&document).concat(), text.as_bytes());
        assert_eq!((document.length(), &document.body()[..]), (text.len(), text.as_bytes()));
    }
}

#[test]
fn the_tag_follows_from_the_text_and_not_from_how_it_came_about() {
    for count in [30, 1500] {
        let mut channel = Channel::of(count);
        let mut document = channel.document(0, None);
        let mut tags = Vec::new();
        for published in (0..200).map(|step| step % 5) {
            if published == 0 {
                channel.closes();
            }
            document = channel.document(published, Some(&document));
            let anew = channel.document(published, None);
            assert_eq!((&anew, anew.body()), (&document, document.body()));
            assert_eq!(anew.coded(Coding::Gzip), document.coded(Coding::Gzip));
            tags.push(document.etag.clone());
        }
        tags.sort();
        tags.dedup();
        assert_eq!(tags.len(), 200, "each version has its own");
    }
}

#[test]
fn a_long_list_is_one_member_of_gzip_that_anybody_can_unpack() {
    let channel = Channel::of(7200);
    let document = channel.document(3, None);
    let coded = document.coded(Coding::Gzip).unwrap();
    let text = channel.text(3);
    let mut read = String::new();
    // Reads the first member, as browsers do.
    flate2::read::GzDecoder::new(&coded.bytes[..]).read_to_string(&mut read).unwrap();
    assert!(read == text && unpacked(&coded.bytes) == text.as_bytes());
    assert!(coded.bytes.len() * 5 < text.len(), "{} of {}", coded.bytes.len(), text.len());
    assert_eq!((document.codings(), document.coded(Coding::Zstd)), (&[Coding::Gzip][..], None));
}

#[test]
fn a_part_compresses_nothing_anew_but_itself() {
    let channel = Channel::of(7200);
    let mut document = channel.document(0, None);
    for published in 1..40 {
        document = channel.document(published % 5, Some(&document));
    }
    let Text::Long(past, rest) = &document.text else { panic!("it is long") };
    let blocks = &past.sheets[1..past.sheets.len() - 1];
    assert!(blocks.len() > 100 && blocks.iter().all(|sheet| sheet.is_coded()), "done before anybody asks");
    assert!(!rest.is_coded());
    let next = channel.document(1, Some(&document));
    let Text::Long(same, _) = &next.text else { panic!("it is long") };
    assert!(Arc::ptr_eq(past, same));
}
