//! Settings of x264 and x265.

use gstreamer as gst;

use super::{Candidate, Error, PlannedRung, set};

/// Longest distance of key frames: none comes unless forced.
const NEVER: &str = "1000000000";

pub(super) fn configure(
    encoder: &gst::Element,
    candidate: &Candidate,
    rung: &PlannedRung,
    threads: u32,
) -> Result<(), Error> {
    let settings = match candidate.element {
        "x264enc" => x264(rung, threads),
        _ => x265(rung, threads),
    };
    for (property, value) in settings {
        if !set(encoder, property, &value) {
            return Err(Error::Setting { element: candidate.element, property, value });
        }
    }
    Ok(())
}

fn kilobits(rung: &PlannedRung) -> String {
    (rung.bitrate / 1000).max(1).to_string()
}

fn x264(rung: &PlannedRung, threads: u32) -> Vec<(&'static str, String)> {
    let level = rung.level.map(|level| format!(":level={level}")).unwrap_or_default();
    let mut settings = vec![
        ("speed-preset", rung.preset.clone()),
        // In this mode x264enc sets the VBV's rate to the bitrate; its buffer is given in milliseconds of that. So
        // BANDWIDTH is exceeded by no second of media.
        ("bitrate", kilobits(rung)),
        ("vbv-buf-capacity", "1000".into()),
        ("bframes", rung.b_frames.to_string()),
        ("key-int-max", NEVER.into()),
        ("threads", threads.to_string()),
        ("aud", "false".into()),
        ("option-string", format!("scenecut=0:open-gop=0:ref={}{level}", rung.references)),
    ];
    let (tune, psychovisual) = match rung.tune.as_deref() {
        Some(tune @ ("stillimage" | "fastdecode" | "zerolatency")) => (Some(tune), None),
        psychovisual => (None, psychovisual),
    };
    // No lookahead, and slices in parallel instead of frames. What is good for the eye may be asked for besides.
    let at_once = rung.low_latency.then_some("zerolatency").filter(|&word| tune != Some(word));
    let tunes: Vec<&str> = tune.into_iter().chain(at_once).collect();
    if !tunes.is_empty() {
        settings.push(("tune", tunes.join("+")));
    }
    settings.extend(psychovisual.map(|tune| ("psy-tune", tune.into())));
    settings
}

fn x265(rung: &PlannedRung, threads: u32) -> Vec<(&'static str, String)> {
    let kilobits = kilobits(rung);
    // What x265 means by "zerolatency", so that another tune may be asked for besides.
    let at_once = "b-adapt=0:rc-lookahead=0:cutree=0:frame-threads=1";
    let options = [
        "scenecut=0:open-gop=0:aud=0:info=0:repeat-headers=0",
        &format!("vbv-maxrate={kilobits}:vbv-bufsize={kilobits}"),
        &format!("bframes={}:pools={}", rung.b_frames, threads.max(1)),
    ];
    let options: Vec<&str> = options.into_iter().chain(rung.low_latency.then_some(at_once)).collect();
    vec![
        ("speed-preset", rung.preset.clone()),
        ("bitrate", kilobits.clone()),
        ("key-int-max", NEVER.into()),
        // The element's own default, which is for measuring and not for watching, would be "ssim".
        ("tune", rung.tune.clone().unwrap_or_else(|| "No tunning".into())),
        ("option-string", options.join(":")),
    ]
}
