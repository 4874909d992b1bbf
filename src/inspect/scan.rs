//! One pass over the boxes of a file, which keeps sums and a few examples.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Seek},
    path::{Path, PathBuf},
};

use headwater_packager::bmff::reader::{
    BoxRef, Boxes, Error, FourCc, FragmentRun, Movie, MovieFragment, ReferenceTime, check_tables_at,
};

use super::top_level::TopLevel;

/// So many fragments are described one by one.
const SHOWN_FRAGMENTS: usize = 6;

/// No presentation has more tracks; a hostile file could name others without end.
const MOST_TRACKS: usize = 256;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Brands of the `ftyp` or the first `styp`: the major one first.
    pub(super) brands: Vec<FourCc>,
    /// The `moov`, of the file itself or of its init segment.
    pub(super) movie: Option<Movie>,
    /// The init segment that was found beside a media segment.
    pub(super) init: Option<PathBuf>,
    /// Number of `styp` boxes.
    pub(super) segments: u64,
    /// Number of `moof` boxes.
    pub(super) fragments: u64,
    /// The first fragments.
    pub(super) shown: Vec<Shown>,
    /// Sums by track ID.
    pub(super) tracks: BTreeMap<u32, TrackFragments>,
    /// Bytes of media data.
    pub(super) media_bytes: u64,
    /// What stopped it.
    pub(super) damage: Option<Error>,
    reference: Option<ReferenceTime>,
    looked_for_init: bool,
}

/// A fragment that is described.
#[derive(Debug)]
pub(super) struct Shown {
    /// `mfhd.sequence_number`.
    pub(super) sequence: u32,
    /// One of its tracks.
    pub(super) run: FragmentRun,
    /// The `prft` in front of it.
    pub(super) reference: Option<ReferenceTime>,
}

/// Sums over the fragments of a track.
#[derive(Debug, Default)]
pub(super) struct TrackFragments {
    /// Number of fragments.
    pub(super) fragments: u64,
    /// Number of samples.
    pub(super) samples: u64,
    /// Sum of durations in ticks.
    pub(super) duration: u64,
    /// Sum of sizes.
    pub(super) bytes: u64,
    /// Number of sync samples.
    pub(super) sync: u64,
    /// First `tfdt`.
    pub(super) start: Option<u64>,
    /// Where the next fragment should start.
    pub(super) end: Option<u64>,
    /// How often it did not.
    pub(super) jumps: u64,
}

impl Scan {
    /// Goes over the file at `path`.
    pub(super) fn read(path: &Path, file: &mut (impl Read + Seek), length: u64) -> io::Result<Self> {
        let mut scan = Self::default();
        let mut boxes = TopLevel::new(file, length);
        while let Some(found) = boxes.next()? {
            let found = match found {
                Ok(found) => found,
                Err(error) => {
                    scan.damage = Some(error);
                    break;
                }
            };
            match &found.header.kind.0 {
                b"mdat" => scan.media_bytes += found.header.size - found.header.length,
                b"moof" if scan.movie.is_none() => scan.find_init(path),
                _ => {}
            }
            let Some(bytes) = boxes.contents(&found)? else { continue };
            let added = Boxes::new(&bytes, found.offset).next().map_or(Ok(()), |found| scan.add(&found?));
            // What can be read is kept, even if another table beside it would lead a reader astray.
            scan.damage = added.and_then(|()| check_tables_at(&bytes, found.offset)).err();
            if scan.damage.is_some() {
                break;
            }
        }
        Ok(scan)
    }

    fn add(&mut self, found: &BoxRef<'_>) -> Result<(), Error> {
        match &found.kind.0 {
            b"ftyp" | b"styp" => {
                self.segments += u64::from(&found.kind.0 == b"styp");
                if self.brands.is_empty() {
                    self.brands = brands(found)?;
                }
            }
            b"moov" => self.movie = Some(Movie::read(found)?),
            b"prft" => self.reference = Some(ReferenceTime::read(found)?),
            b"moof" => {
                let movie = self.movie.as_ref();
                let defaults = |track| movie.map(|movie| movie.defaults(track)).unwrap_or_default();
                let fragment = MovieFragment::read(found, defaults)?;
                self.add_fragment(fragment);
            }
            _ => {}
        }
        Ok(())
    }

    fn add_fragment(&mut self, fragment: MovieFragment) {
        self.fragments += 1;
        let reference = self.reference.take();
        for run in fragment.tracks {
            if self.tracks.len() < MOST_TRACKS || self.tracks.contains_key(&run.track) {
                self.tracks.entry(run.track).or_default().add(&run);
            }
            if self.shown.len() < SHOWN_FRAGMENTS {
                let reference = reference.filter(|reference| reference.track == run.track);
                self.shown.push(Shown { sequence: fragment.sequence, run, reference });
            }
        }
    }

    /// A media segment alone does not say how long a tick is: its init segment does, which lies beside it.
    fn find_init(&mut self, segment: &Path) {
        if std::mem::replace(&mut self.looked_for_init, true) {
            return;
        }
        let directory =
            segment.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut candidates: Vec<_> = fs::read_dir(directory)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                name.starts_with("init") && name.ends_with(".mp4")
            })
            .map(|entry| (entry.metadata().and_then(|metadata| metadata.modified()).ok(), entry.path()))
            .collect();
        // The newest, if the configuration changed on the way.
        candidates.sort();
        for (_, path) in candidates.into_iter().rev() {
            if let Some(movie) = movie_of(&path) {
                self.movie = Some(movie);
                self.init = Some(path);
                return;
            }
        }
    }
}

impl TrackFragments {
    fn add(&mut self, run: &FragmentRun) {
        let jumped = matches!((self.end, run.start), (Some(end), Some(start)) if end != start);
        self.jumps += u64::from(jumped);
        self.fragments += 1;
        self.samples += run.samples;
        self.duration = self.duration.saturating_add(run.duration);
        self.bytes = self.bytes.saturating_add(run.bytes);
        self.sync += run.sync;
        self.start = self.start.or(run.start);
        self.end = run.start.map(|start| start.saturating_add(run.duration));
    }
}

fn brands(found: &BoxRef<'_>) -> Result<Vec<FourCc>, Error> {
    let mut fields = found.fields();
    let major = fields.four_cc()?;
    fields.skip(4)?;
    let compatible = fields.rest().as_chunks::<4>().0.iter().take(32).map(|&brand| FourCc(brand));
    Ok(std::iter::once(major).chain(compatible.filter(|&brand| brand != major)).collect())
}

/// The `moov` of a small file; `None` if it is none.
fn movie_of(path: &Path) -> Option<Movie> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let mut boxes = TopLevel::new(&mut file, length);
    while let Some(Ok(found)) = boxes.next().ok()? {
        if &found.header.kind.0 == b"moov" {
            let bytes = boxes.contents(&found).ok()??;
            let moov = Boxes::new(&bytes, found.offset).next()?.ok()?;
            return Movie::read(&moov).ok();
        }
    }
    None
}
