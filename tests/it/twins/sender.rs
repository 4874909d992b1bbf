//! One encoder that sends the same MPEG-TS to several receivers.

use std::{
    net::UdpSocket,
    process::{Child, Command, Stdio},
};

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
        let to: Vec<_> = receivers.iter().map(|to| format!("[f=mpegts]{to}")).collect();
        let arguments = "-v error -re -f lavfi -i testsrc2=size=320x180:rate=30000/1001 -f lavfi -i \
                         sine=frequency=440:sample_rate=48000 -map 0:v -map 1:a -c:v libx264 -preset ultrafast \
                         -tune zerolatency -g 30 -pix_fmt yuv420p -c:a aac -f tee";
        let child = Command::new("ffmpeg")
            .args(arguments.split_whitespace())
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

pub(crate) fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
