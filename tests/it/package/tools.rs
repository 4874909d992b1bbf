//! Running programs, and what ffmpeg sees in a file or presentation.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use headwater::store::LIST;
use tempfile::TempDir;

/// No program in these tests takes longer, on however busy a machine.
const PATIENCE: &str = "120";

/// A moving picture with a key frame every two seconds and a tone; `size` as `WIDTHxHEIGHT`.
pub fn movie(directory: &Path, name: &str, size: &str, more: &str) -> PathBuf {
    let path = directory.join(name);
    let input = format!("-f lavfi -i testsrc2=s={size}:r=25 -f lavfi -i sine=f=440:r=48000");
    let codecs =
        "-c:v libx264 -preset ultrafast -bf 2 -g 50 -keyint_min 50 -sc_threshold 0 -pix_fmt yuv420p -c:a aac";
    ffmpeg(&format!("{input} -t 7 {codecs} {more}"), &path);
    path
}

/// Runs ffmpeg with arguments that are cut at blanks, and an output.
pub fn ffmpeg(arguments: &str, output: &Path) {
    let mut command = bounded("ffmpeg");
    command.args("-v error -nostdin -y".split(' ')).args(arguments.split_whitespace()).arg(output);
    let output = command.output().unwrap();
    assert!(output.status.success(), "ffmpeg {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A command that is stopped when it takes too long.
pub fn bounded(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", PATIENCE]).arg(program).stdin(Stdio::null());
    command
}

/// Runs `headwater package`.
pub fn package<'a>(inputs: impl IntoIterator<Item = &'a Path>, out: &Path, options: &str) -> Output {
    let mut command = bounded(env!("CARGO_BIN_EXE_headwater"));
    command.arg("package").args(inputs).arg("--out").arg(out).args(options.split_whitespace());
    command.output().unwrap()
}

/// Runs `headwater package`, which succeeds, and gives what it printed.
pub fn packaged<'a>(inputs: impl IntoIterator<Item = &'a Path>, out: &Path, options: &str) -> String {
    let output = package(inputs, out, options);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs `headwater package`, which fails and leaves nothing at `out`, and gives its message.
pub fn refused<'a>(inputs: impl IntoIterator<Item = &'a Path>, out: &Path, options: &str) -> String {
    let output = package(inputs, out, options);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(!out.exists(), "{} is left behind after: {message}", out.display());
    assert!(message.starts_with("error: ") && message.trim_end().lines().count() == 1, "{message}");
    message
}

/// MD5 of every decoded frame, with its time in seconds, of one stream of a file or presentation; any damage fails.
pub fn frames(input: &Path, stream: &str) -> Vec<(f64, String)> {
    let output = bounded("ffmpeg")
        .args(["-v", "error", "-nostdin", "-xerror", "-err_detect", "explode", "-i"])
        .arg(input)
        .args([
            "-map",
            stream,
            "-f",
            "framemd5",
            "-fps_mode",
            "passthrough",
            "-enc_time_base",
            "1:90000",
            "-",
        ])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{}: {} {errors}", input.display(), output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            (fields[2].parse::<f64>().unwrap() / 90_000.0, fields[5].to_owned())
        })
        .collect()
}

/// The hashes alone.
pub fn pictures(input: &Path) -> Vec<String> {
    frames(input, "0:v:0").into_iter().map(|(_, hash)| hash).collect()
}

/// Decoded mono samples of the first sound, at 48 kHz from presentation time zero on.
pub fn sound(input: &Path) -> Vec<f32> {
    let output = bounded("ffmpeg")
        .args(["-v", "error", "-nostdin", "-copyts", "-i"])
        .arg(input)
        .args(["-map", "0:a:0", "-af", "aresample=48000:async=1:first_pts=0", "-ac", "1", "-f", "f32le", "-"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// The documents that a player may begin with.
pub fn documents(out: &Path) -> [PathBuf; 2] {
    ["index.m3u8", "manifest.mpd"].map(|name| out.join(name))
}

/// Every document parses, lists what is there, and all listed segments are there; gives the tracks' names.
pub fn assert_consistent(out: &Path) -> Vec<String> {
    let text = std::fs::read(out.join("index.m3u8")).unwrap();
    let multivariant = m3u8_rs::parse_master_playlist_res(&text).unwrap();
    let sound = multivariant.alternatives.iter().filter_map(|each| each.uri.clone());
    let uris: Vec<String> =
        multivariant.variants.iter().map(|variant| variant.uri.clone()).chain(sound).collect();
    let mut target_durations = Vec::new();
    for uri in &uris {
        let playlist = out.join(uri);
        let text = std::fs::read(&playlist).unwrap();
        let media = m3u8_rs::parse_media_playlist_res(&text).unwrap();
        assert!(media.end_list && media.media_sequence == 1, "{uri}");
        assert!(
            media.segments.iter().all(|each| each.duration.round() as u64 <= media.target_duration),
            "{uri}"
        );
        target_durations.push(media.target_duration);
        let directory = playlist.parent().unwrap();
        let listed = media.segments.iter().map(|each| each.uri.clone());
        let map = media.segments[0].map.as_ref().unwrap().uri.clone();
        let mut listed: Vec<_> = listed.chain([map, "index.m3u8".to_owned(), LIST.to_owned()]).collect();
        let mut there: Vec<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        listed.sort();
        there.sort();
        assert_eq!(listed, there, "{uri} lists all that is there, and the hashes of it");
    }
    assert!(target_durations.windows(2).all(|pair| pair[0] == pair[1]), "{target_durations:?}");
    assert_valid(&out.join("manifest.mpd"));
    uris.into_iter().map(|uri| uri.trim_end_matches("/index.m3u8").to_owned()).collect()
}

/// Holds an MPD against MPEG's schema.
fn assert_valid(mpd: &Path) {
    let root = std::env::var_os("HEADWATER_SHARED").map_or_else(|| "../shared".into(), PathBuf::from);
    let schemas = root.join("schemas");
    if !schemas.join("DASH-MPD.xsd").exists() {
        eprintln!("SKIPPED: {} is absent; set HEADWATER_SHARED", schemas.join("DASH-MPD.xsd").display());
        return;
    }
    let output = bounded("xmllint")
        .args(["--nonet", "--noout", "--schema"])
        .arg(schemas.join("DASH-MPD.xsd"))
        .arg(mpd)
        .env("XML_CATALOG_FILES", schemas.join("catalog.xml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A file of the shared media; `None`, and a loud word, where it is absent.
pub fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("HEADWATER_SHARED").map_or_else(|| "../shared".into(), PathBuf::from);
    let path = root.join("media").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is absent; set HEADWATER_SHARED", path.display());
    None
}

/// A place for a presentation that does not exist yet.
pub fn fresh() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let out = directory.path().canonicalize().unwrap().join("out/deep");
    (directory, out)
}

/// A white picture and a beep in the same 100 ms of every second, AAC with its priming.
pub fn flash_and_beep(path: &Path, codecs: &str) {
    let picture =
        "color=black:s=320x180:r=50:d=5,geq=lum='if(lt(mod(T,1),0.1)*gte(T,1),235,16)':cb=128:cr=128";
    let beep = "aevalsrc=if(lt(mod(t\\,1)\\,0.1)*gte(t\\,1)\\,0.8*sin(2*PI*1000*t)\\,0):s=48000:d=5";
    ffmpeg(&format!("-f lavfi -i {picture} -f lavfi -i {beep} {codecs}"), path);
}

/// How much later the beeps come than the flashes, in seconds: the worst of all.
pub fn offset(input: &Path) -> f64 {
    let sound = sound(input);
    let onset = |from: f64| {
        let at = (from * 48_000.0) as usize;
        let loud = sound[at..].iter().position(|sample| sample.abs() > 0.2).unwrap();
        (at + loud) as f64 / 48_000.0
    };
    let flashes = flashes(input);
    assert!(flashes.len() >= 4, "{flashes:?}");
    let offsets = flashes.iter().map(|&flash| onset(flash - 0.3) - flash);
    offsets.max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap()
}

/// When the picture turns white.
fn flashes(input: &Path) -> Vec<f64> {
    let output = bounded("ffmpeg")
        .args(["-v", "error", "-nostdin", "-copyts", "-i"])
        .arg(input)
        .args(["-map", "0:v:0", "-vf", "signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-"])
        .args(["-f", "null", "/dev/null"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let after = |line: &str, key: &str| line.split_once(key).map(|(_, rest)| rest.trim().to_owned());
    let times = text.lines().filter_map(|line| after(line, "pts_time:")?.parse::<f64>().ok());
    let lights = text.lines().filter_map(|line| after(line, "YAVG=")?.parse::<f64>().ok());
    let frames: Vec<(f64, bool)> = times.zip(lights.map(|light| light > 120.0)).collect();
    frames.windows(2).filter(|pair| !pair[0].1 && pair[1].1).map(|pair| pair[1].0).collect()
}
