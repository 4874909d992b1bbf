//! One encoder that sends the same MPEG-TS to several receivers.

use std::{
    net::UdpSocket,
    process::{Child, Command, Stdio},
};

/// A running ffmpeg. It ends with the test.
pub(super) struct Sender(Child);

impl Sender {
    /// Sends moving pictures and a tone to all `ports` of this machine.
    pub(super) fn start(ports: &[u16]) -> Self {
        let to: Vec<_> =
            ports.iter().map(|port| format!("[f=mpegts]udp://127.0.0.1:{port}?pkt_size=1316")).collect();
        let arguments = "-v error -re -f lavfi -i testsrc2=size=320x180:rate=30000/1001 -f lavfi -i \
                         sine=frequency=440:sample_rate=48000 -map 0:v -map 1:a -c:v libx264 -preset ultrafast \
                         -tune zerolatency -g 30 -pix_fmt yuv420p -c:a aac -f tee";
        let child = Command::new("ffmpeg")
            .args(arguments.split_whitespace())
            .arg(to.join("|"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
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

pub(super) fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
