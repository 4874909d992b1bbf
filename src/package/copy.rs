//! `--copy`: samples of files that are already compressed, as they are.

mod blocks;
mod feed;
mod plan;

use std::{fmt, time::Duration};

use tokio_util::sync::CancellationToken;

pub use self::plan::Instant;
use self::{blocks::Blocks, feed::Feed};
use super::{
    Error, Request, Summary,
    input::{Input, LONGEST_MOOV},
    output::{Destination, Output, Rendition},
    progress::Progress,
};

/// The limit of a `moov`, for a message.
#[derive(Clone, Copy, Debug)]
pub struct LongestMoov;

impl fmt::Display for LongestMoov {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB", LONGEST_MOOV >> 20)
    }
}

/// Repackages until all is done or `stop` says so.
pub(super) fn run(request: &Request, stop: &CancellationToken) -> Result<Summary, Error> {
    let mut progress = Progress::start();
    let destination = Destination::new(&request.out)?;
    if request.inputs.is_empty() {
        return Err(Error::NoInput);
    }
    let inputs: Result<Vec<_>, _> = request.inputs.iter().map(|path| Input::open(path)).collect();
    let plan = plan::Plan::new(inputs?, request.grid)?;
    progress.of(plan.duration);
    let mut output = destination.create()?;
    let mut renditions = Vec::new();
    let mut copied = Copied { bytes: 0, of: plan.bytes, lasting: plan.duration };
    for source in plan.sources {
        let mut feeds = Vec::new();
        for planned in source.tracks {
            let rendition = Rendition::create(&mut output, planned.track.clone(), planned.cut)?;
            feeds.push(Feed::new(planned, rendition));
        }
        let blocks = Blocks::new(source.path, source.file);
        copy(&mut feeds, blocks, &mut copied, &mut progress, stop)?;
        renditions.extend(feeds.into_iter().map(Feed::into_rendition));
    }
    finish(output, renditions, plan.notes, &progress, request)
}

/// How much is done.
struct Copied {
    bytes: u64,
    of: u64,
    lasting: Duration,
}

/// Copies all tracks of one file in the order of its bytes, so that each is read once and nothing is kept.
fn copy(
    feeds: &mut [Feed],
    mut blocks: Blocks,
    copied: &mut Copied,
    progress: &mut Progress,
    stop: &CancellationToken,
) -> Result<(), Error> {
    while let Some(feed) =
        feeds.iter_mut().filter(|feed| feed.next().is_some()).min_by_key(|feed| feed.next())
    {
        let Some(entry) = feed.take() else { break };
        let (data, is_new_block) = blocks.take(entry.offset, entry.size)?;
        copied.bytes += data.len() as u64;
        feed.push(entry, data)?;
        if is_new_block {
            if stop.is_cancelled() {
                return Err(Error::Interrupted);
            }
            progress.at(copied.lasting.mul_f64(copied.bytes as f64 / copied.of.max(1) as f64));
        }
    }
    feeds.iter_mut().try_for_each(Feed::finish)
}

/// Writes the documents and keeps it all. Also the end of an encoding.
pub(super) fn finish(
    mut output: Output,
    mut renditions: Vec<Rendition>,
    notes: Vec<String>,
    progress: &Progress,
    request: &Request,
) -> Result<Summary, Error> {
    // Pictures from the best down, then sound.
    renditions.sort_by_key(|each| {
        std::cmp::Reverse(each.track().video().map(|video| (video.height, each.window().bandwidth().average)))
    });
    output.publish(&renditions, request.grid.segment)?;
    let summary = Summary::new(output.root(), &renditions, notes, progress.elapsed());
    output.keep();
    Ok(summary)
}
