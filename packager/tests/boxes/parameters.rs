//! What we read from parameter sets, against what ffprobe reads.

use tempfile::TempDir;

use super::media::{codec, encode, probe};

/// Width, height, sample aspect, colour and frame rate, in ffprobe's words.
#[derive(Debug, PartialEq)]
struct Words {
    size: (u64, u64),
    aspect: String,
    colour: (String, String, String, String),
    rate: String,
}

fn by_ffprobe(file: &std::path::Path) -> Words {
    let value = probe(file, "-show_streams");
    let stream = &value["streams"][0];
    let text = |key: &str, default: &str| stream[key].as_str().unwrap_or(default).to_owned();
    Words {
        size: (stream["width"].as_u64().unwrap(), stream["height"].as_u64().unwrap()),
        aspect: text("sample_aspect_ratio", "1:1"),
        colour: (
            text("color_primaries", "unknown"),
            text("color_transfer", "unknown"),
            text("color_space", "unknown"),
            text("color_range", "unknown"),
        ),
        rate: text("r_frame_rate", "?"),
    }
}

fn by_us(file: &std::path::Path) -> Words {
    let video = codec(file).video().unwrap().unwrap();
    let colour = video.colour.map_or_else(
        || ["unknown"; 4].map(String::from).into(),
        |colour| {
            let name = |code: u16| match code {
                1 => "bt709",
                9 => "bt2020",
                6 => "smpte170m",
                16 => "smpte2084",
                code => panic!("code {code}"),
            };
            let matrix = if colour.matrix == 9 { "bt2020nc" } else { name(colour.matrix) };
            let range = if colour.full_range { "pc" } else { "tv" };
            (name(colour.primaries).into(), name(colour.transfer).into(), matrix.into(), range.into())
        },
    );
    let rate = video.frame_rate.unwrap();
    Words {
        size: (video.width.into(), video.height.into()),
        aspect: format!("{}:{}", video.sample_aspect.0, video.sample_aspect.1),
        colour,
        rate: format!("{}/{}", rate.num, rate.den),
    }
}

#[test]
fn parameter_sets_say_what_ffprobe_says() {
    const BT709: &str = "-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv";
    const PQ: &str = "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -color_range tv";
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("a.mp4");
    let cases = [
        format!("s=322x242:r=25 -c:v libx264 -pix_fmt yuv420p {BT709}"),
        format!("s=1920x1080:r=30000/1001 -c:v libx264 -preset ultrafast -pix_fmt yuv420p {BT709}"),
        format!("s=720x576:r=25 -vf setsar=64/45 -c:v libx264 -flags +ilme+ildct -pix_fmt yuv420p {BT709}"),
        format!("s=720x480:r=30 -vf setsar=10/11 -c:v libx264 -profile:v high422 -pix_fmt yuv422p10 {BT709}"),
        format!("s=320x240:r=60 -c:v libx264 -profile:v high444 -pix_fmt yuv444p {BT709}"),
        format!("s=320x240:r=24000/1001 -c:v libx264 -profile:v baseline -pix_fmt yuv420p {BT709}"),
        format!("s=320x240:r=25 -c:v libx264 -x264-params cqm=jvt -pix_fmt yuv420p {BT709}"),
        format!("s=322x242:r=25 -c:v libx265 -preset ultrafast -tag:v hvc1 -pix_fmt yuv420p {BT709}"),
        format!(
            "s=640x360:r=50 -vf setsar=4/3 -c:v libx265 -preset medium -bf 4 -tag:v hvc1 -pix_fmt yuv420p10 {PQ}"
        ),
        format!("s=320x240:r=30000/1001 -c:v libx265 -preset ultrafast -tag:v hvc1 -pix_fmt yuv444p {BT709}"),
    ];
    for case in cases {
        encode(&format!("-f lavfi -i testsrc2={case} -frames:v 6"), &file);
        assert_eq!(by_us(&file), by_ffprobe(&file), "{case}");
        let name = codec(&file).rfc6381();
        assert!(name.starts_with("avc1.") && name.len() == 11 || name.starts_with("hvc1."), "{name}");
    }
}
