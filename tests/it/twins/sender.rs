//! One encoder that sends the same MPEG-TS to several receivers.

use std::process::{Child, Command, Stdio};

use headwater::clock;

/// A running ffmpeg. It ends with the test. Its timestamps are the time, as those of a good encoder are: then it is not by
/// chance near to where two receivers may disagree.
pub(crate) struct Sender(Child);

impl Sender {
    /// Sends moving pictures and a tone to all of `receivers`.
    pub(crate) fn start(receivers: &[String]) -> Self {
        Self::stamping(receivers, clock::wall_seconds())
    }

    /// The same with timestamps that begin at so many seconds.
    pub(crate) fn stamping(receivers: &[String], seconds: i64) -> Self {
        Self::sending(receivers, seconds, &[])
    }

    /// The same to receivers that are called, and called again when they were gone. None of them holds up the others.
    pub(crate) fn calling(receivers: &[String]) -> Self {
        let again = "attempt_recovery=1:recover_any_error=1:recovery_wait_time=0.5:drop_pkts_on_overflow=1";
        Self::sending(receivers, clock::wall_seconds(), &["-use_fifo", "1", "-fifo_options", again])
    }

    fn sending(receivers: &[String], seconds: i64, how: &[&str]) -> Self {
        let to: Vec<_> = receivers.iter().map(|to| format!("[f=mpegts]{to}")).collect();
        let arguments = "-v error -re -f lavfi -i testsrc2=size=320x180:rate=30000/1001 -f lavfi -i \
                         sine=frequency=440:sample_rate=48000 -map 0:v -map 1:a -c:v libx264 -preset ultrafast \
                         -tune zerolatency -g 30 -pix_fmt yuv420p -c:a aac -f tee";
        let child = Command::new("ffmpeg")
            .args(arguments.split_whitespace())
            .args(how)
            .args(["-muxdelay", "0", "-muxpreload", "0", "-output_ts_offset", &seconds.to_string()])
            .arg(to.join("|"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port of this machine, as a receiver and as who sends to it says it.
pub(crate) fn udp(port: u16) -> String {
    format!("udp://127.0.0.1:{port}?pkt_size=1316")
}

/// The same over SRT: the receiver listens.
pub(crate) fn srt(port: u16) -> String {
    format!("srt://127.0.0.1:{port}?pkt_size=1316")
}
